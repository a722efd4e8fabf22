"""The four routes of jobs, and the 202 that points to them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, request, url_for
from flask.blueprints import BlueprintSetupState

from mesbatch.adapters.flask.answers import read_request, respond
from mesbatch.adapters.flask.guarded import METHODS, OWN_OPTIONS, guarded_blueprint, refuse_other_methods
from mesbatch.adapters.http.answers import answer_job
from mesbatch.adapters.http.job_routes import PREFIX, JobRoutes
from mesbatch.adapters.http.options import Dialect
from mesbatch.adapters.http.request import Principal
from mesbatch.errors import InvalidJobId
from mesbatch.jobs import Job, Jobs

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
    urls = urls_of(job.job_id) if prefix is None else _urls_below(prefix, job.job_id)
    return respond(answer_job(job, *urls), Dialect())


def _urls_below(prefix: str, job_id: str) -> tuple[str, str]:
    status_url = f"{request.script_root}{prefix}/job/{job_id}"
    return status_url, f"{status_url}/stream"


def urls_of(job_id: str) -> tuple[str, str]:
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
    add_job_routes(blueprint, jobs, principal, dialect)
    return blueprint


def add_job_routes(blueprint: Blueprint, jobs: Jobs, principal: Principal, dialect: Dialect) -> None:
    """Add the four routes of jobs to *blueprint*, whose prefix may have variables: the views pay no heed to them."""
    blueprint.record(_remember)
    routes = JobRoutes(jobs, dialect)

    @blueprint.get("/job/<job_id>", **OWN_OPTIONS)
    def show_job(job_id: str, **variables: Any) -> Response:
        return respond(routes.show(read_request(principal), job_id), dialect)

    @blueprint.delete("/job/<job_id>", **OWN_OPTIONS)
    def cancel_job(job_id: str, **variables: Any) -> Response:
        return respond(routes.cancel(read_request(principal), job_id), dialect)

    @blueprint.get("/job/<job_id>/result", **OWN_OPTIONS)
    def show_result(job_id: str, **variables: Any) -> Response:
        return respond(routes.result(read_request(principal), job_id), dialect)

    @blueprint.get("/job/<job_id>/stream", **OWN_OPTIONS)
    def follow_job(job_id: str, **variables: Any) -> Response:
        return respond(routes.follow(read_request(principal), job_id), dialect)

    for part, methods in (("", ("GET", "DELETE")), ("/result", ("GET",)), ("/stream", ("GET",))):
        refuse_other_methods(blueprint, f"/job/<job_id>{part}", *methods)

    @blueprint.route("/job/<path:job_id>", methods=list(METHODS), **OWN_OPTIONS)
    def find_no_job(job_id: str, **variables: Any) -> Response:
        """Refuse an id with a slash in it, which Flask would answer with HTML of its own."""
        raise InvalidJobId(f"{job_id[:60]!r} is no job id, nor a part of a job")

    blueprint.before_app_request(jobs.attend)
