"""The four routes of jobs, and the 202 that points to them."""

from __future__ import annotations

from math import ceil
from typing import Any

from flask import Blueprint, Response, current_app, request, url_for
from flask.blueprints import BlueprintSetupState

from mesbatch.adapters.flask.answers import JSON, answer_json
from mesbatch.adapters.flask.guarded import METHODS, OWN_OPTIONS, guarded_blueprint, refuse_other_methods
from mesbatch.adapters.flask.options import Dialect
from mesbatch.adapters.flask.request import Principal, name_lines, name_principal, negotiate, read_count
from mesbatch.adapters.flask.response import NDJSON
from mesbatch.adapters.flask.stored import page, stream_job
from mesbatch.admission.http import POLL_SECONDS
from mesbatch.errors import InvalidJobId, JobNotFound
from mesbatch.jobs import Job, Jobs
from mesbatch.store import ResultReader

PREFIX = "/api/trace"
EXTENSION = "mesbatch_jobs"  # names, in an application's `extensions`, of the blueprints with routes of jobs


def job_started(job: Job, *, prefix: str | None = None) -> Response:
    """Answer 202: the read goes on as *job*, which the application's `job_routes` or `trace_blueprint` show.

    Its URLs come from the routing, wherever that blueprint is registered. In an application with several of them, a
    view that belongs to none passes the *prefix* of the URLs below the application's root.

    Args:
        job: The job that was submitted.
        prefix: The path before the job routes, where the application has several of them.

    Raises:
        RuntimeError: the application has no such routes, or several, and no *prefix* was named.
    """
    status_url, stream_url = _urls_of(job.job_id) if prefix is None else _urls_below(prefix, job.job_id)
    told = {"stage": "events", "async": True, "job_id": job.job_id, "status_url": status_url}
    response = answer_json(told | {"stream_url": stream_url}, 202)
    response.headers["Location"] = status_url
    response.headers["Retry-After"] = str(ceil(POLL_SECONDS))
    return response


def _urls_below(prefix: str, job_id: str) -> tuple[str, str]:
    status_url = f"{request.script_root}{prefix}/job/{job_id}"
    return status_url, f"{status_url}/stream"


def _urls_of(job_id: str) -> tuple[str, str]:
    """Ask the routing for the URLs of status and stream, with the variables that this request has in its own URL."""
    name = _job_blueprint()
    urls = []
    for endpoint in (f"{name}.show_job", f"{name}.follow_job"):
        names = {argument for rule in current_app.url_map.iter_rules(endpoint) for argument in rule.arguments}
        values = {argument: value for argument, value in (request.view_args or {}).items() if argument in names}
        urls.append(url_for(endpoint, **(values | {"job_id": job_id})))
    return urls[0], urls[1]


def _job_blueprint() -> str:
    """Find the blueprint of the routes of jobs: the one of this view, or else the only one."""
    found = current_app.extensions.get(EXTENSION, [])
    if request.blueprint in found:
        return str(request.blueprint)
    if len(found) != 1:
        names = ", ".join(found) or "none"
        raise RuntimeError(f"job_started needs prefix=, or exactly one blueprint with job routes; registered: {names}")
    return str(found[0])


def _remember(state: BlueprintSetupState) -> None:
    """Remember the name under which a blueprint with routes of jobs was registered."""
    state.app.extensions.setdefault(EXTENSION, []).append(f"{state.name_prefix}.{state.name}".lstrip("."))


def job_routes(
    jobs: Jobs,
    principal: Principal,
    *,
    url_prefix: str = PREFIX,
    dialect: Dialect = Dialect(),  # noqa: B008
) -> Blueprint:
    """Make ``GET`` and ``DELETE /job/<id>``, ``GET /job/<id>/result`` and ``GET /job/<id>/stream``.

    *principal* is called in each request and names its user. A job of another user is not found.

    Args:
        jobs: The jobs that the routes show.
        principal: A function that is called in each request and names its user. A job of another user is not found.
        url_prefix: The path before the routes.
        dialect: The style of the answers.
    """
    blueprint = guarded_blueprint("mesbatch_jobs", url_prefix, dialect)
    add_job_routes(blueprint, jobs, principal)
    return blueprint


def add_job_routes(blueprint: Blueprint, jobs: Jobs, principal: Principal) -> None:
    """Add the four routes of jobs to *blueprint*, whose prefix may have variables: the views pay no heed to them."""
    blueprint.record(_remember)

    @blueprint.get("/job/<job_id>", **OWN_OPTIONS)
    def show_job(job_id: str, **variables: Any) -> Response:
        negotiate(JSON)
        return answer_json(jobs.get(job_id, owner=name_principal(principal)).as_json())

    @blueprint.delete("/job/<job_id>", **OWN_OPTIONS)
    def cancel_job(job_id: str, **variables: Any) -> Response:
        negotiate(JSON)
        return answer_json(jobs.cancel(job_id, owner=name_principal(principal)).as_json(), 202)

    @blueprint.get("/job/<job_id>/result", **OWN_OPTIONS)
    def show_result(job_id: str, **variables: Any) -> Response:
        negotiate(JSON)
        offset, limit = read_count("offset"), read_count("limit")
        check_visible(jobs, job_id, name_principal(principal))
        return page(ResultReader(jobs.store, job_id), domain=request.args.get("domain", ""), offset=offset, limit=limit)

    @blueprint.get("/job/<job_id>/stream", **OWN_OPTIONS)
    def follow_job(job_id: str, **variables: Any) -> Response:
        mimetype = negotiate(NDJSON)
        first = read_count("from")
        check_visible(jobs, job_id, name_principal(principal))
        return name_lines(stream_job(jobs.store, job_id, from_=first), mimetype)

    for part, methods in (("", ("GET", "DELETE")), ("/result", ("GET",)), ("/stream", ("GET",))):
        refuse_other_methods(blueprint, f"/job/<job_id>{part}", *methods)

    @blueprint.route("/job/<path:job_id>", methods=list(METHODS), **OWN_OPTIONS)
    def find_no_job(job_id: str, **variables: Any) -> Response:
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
