"""The four routes of jobs, and the answer that leads to them."""

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
    """202: the read goes on as *job*, which is at *prefix*, as `job_routes` has it."""
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
    """``GET`` and ``DELETE /job/<id>``, its ``/result`` and its ``/stream``, for whom *principal* names.

    *principal* is called in each request. A job of somebody else is not there.
    """
    blueprint = guarded_blueprint("mesbatch_jobs", url_prefix, dialect)
    add_job_routes(blueprint, jobs, principal)
    return blueprint


def add_job_routes(blueprint: Blueprint, jobs: Jobs, principal: Principal) -> None:
    """The four routes on *blueprint*."""

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
        """An id with a slash in it would be answered with Flask's own HTML."""
        raise InvalidJobId(f"{job_id[:60]!r} is no job id, nor a part of a job")


def check_visible(jobs: Jobs, job_id: str, owner: str) -> None:
    """Raise `JobNotFound` unless *owner* may see the job, or all that is left of it is a result of the oldest layout.

    The first implementation kept that longer than the facts, and knew no owners.
    """
    try:
        jobs.get(job_id, owner=owner)
    except InvalidJobId:
        raise
    except JobNotFound:
        if jobs.store.whole_result(job_id) is None:
            raise
