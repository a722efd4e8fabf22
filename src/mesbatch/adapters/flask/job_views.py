"""The four routes of jobs, and the 202 that points to them."""

from __future__ import annotations

from math import ceil

from flask import Blueprint, Response, request

from mesbatch.adapters.flask.answers import JSON, answer_json
from mesbatch.adapters.flask.guarded import guarded_blueprint
from mesbatch.adapters.flask.options import Dialect
from mesbatch.adapters.flask.request import Principal, name_principal, negotiate, read_count
from mesbatch.adapters.flask.response import NDJSON
from mesbatch.adapters.flask.stored import page, stream_job
from mesbatch.admission.http import POLL_SECONDS
from mesbatch.errors import InvalidJobId, JobNotFound
from mesbatch.jobs import Job, Jobs
from mesbatch.store import ResultReader

PREFIX = "/api/trace"


def job_started(job: Job, *, prefix: str = PREFIX) -> Response:
    """Answer 202: the read goes on as *job*, whose URLs lie below *prefix*, as those of `job_routes` do."""
    status_url = f"{request.script_root}{prefix}/job/{job.job_id}"
    told = {"stage": "events", "async": True, "job_id": job.job_id, "status_url": status_url}
    response = answer_json(told | {"stream_url": f"{status_url}/stream"}, 202)
    response.headers["Location"] = status_url
    response.headers["Retry-After"] = str(ceil(POLL_SECONDS))
    return response


def job_routes(
    jobs: Jobs,
    principal: Principal,
    *,
    url_prefix: str = PREFIX,
    dialect: Dialect = Dialect(),  # noqa: B008
) -> Blueprint:
    """Make ``GET`` and ``DELETE /job/<id>``, ``GET /job/<id>/result`` and ``GET /job/<id>/stream``.

    *principal* is called in each request and names its user. A job of another user is not found.
    """
    blueprint = guarded_blueprint("mesbatch_jobs", url_prefix, dialect)
    add_job_routes(blueprint, jobs, principal)
    return blueprint


def add_job_routes(blueprint: Blueprint, jobs: Jobs, principal: Principal) -> None:
    """Add the four routes of jobs to *blueprint*."""

    @blueprint.get("/job/<job_id>")
    def show_job(job_id: str) -> Response:
        negotiate(JSON)
        return answer_json(jobs.get(job_id, owner=name_principal(principal)).as_json())

    @blueprint.delete("/job/<job_id>")
    def cancel_job(job_id: str) -> Response:
        negotiate(JSON)
        return answer_json(jobs.cancel(job_id, owner=name_principal(principal)).as_json(), 202)

    @blueprint.get("/job/<job_id>/result")
    def show_result(job_id: str) -> Response:
        negotiate(JSON)
        offset, limit = read_count("offset"), read_count("limit")
        check_visible(jobs, job_id, name_principal(principal))
        return page(ResultReader(jobs.store, job_id), domain=request.args.get("domain", ""), offset=offset, limit=limit)

    @blueprint.get("/job/<job_id>/stream")
    def follow_job(job_id: str) -> Response:
        negotiate(NDJSON)
        first = read_count("from")
        check_visible(jobs, job_id, name_principal(principal))
        return stream_job(jobs.store, job_id, from_=first)

    @blueprint.route("/job/<path:job_id>", methods=["GET", "DELETE"])
    def find_no_job(job_id: str) -> Response:
        """Refuse an id with a slash in it, which Flask would answer with HTML of its own."""
        raise InvalidJobId(f"{job_id[:60]!r} is no job id, nor a part of a job")

    blueprint.before_app_request(jobs.attend)


def check_visible(jobs: Jobs, job_id: str, owner: str) -> None:
    """Raise `JobNotFound` unless *owner* may see the job, or only a result of the oldest layout is left of it.

    The first implementation kept such results longer than the facts of their jobs, and knew no owners.
    """
    try:
        jobs.get(job_id, owner=owner)
    except InvalidJobId:
        raise
    except JobNotFound:
        if jobs.store.whole_result(job_id) is None:
            raise
