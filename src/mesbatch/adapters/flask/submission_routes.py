"""Blueprint of a route that takes requests, and of the routes of the jobs that they become."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from mesbatch.adapters.flask.answers import read_request, respond
from mesbatch.adapters.flask.guarded import OWN_OPTIONS, guarded_blueprint, refuse_other_methods
from mesbatch.adapters.flask.job_views import add_job_routes, urls_of
from mesbatch.adapters.http.request import Principal
from mesbatch.adapters.http.submission import Submission


def submission_blueprint(
    name: str, url_prefix: str, endpoint: str, route: Submission, principal: Principal
) -> Blueprint:
    """Make the blueprint *name* of ``POST /<endpoint>``, which *route* answers, and of the routes of its jobs."""
    blueprint = guarded_blueprint(name, url_prefix, route.dialect)

    def submit(**variables: Any) -> Response:
        return respond(route.answer(read_request(principal), urls_of), route.dialect)

    blueprint.add_url_rule(f"/{endpoint}", endpoint, submit, methods=["POST"], **OWN_OPTIONS)
    refuse_other_methods(blueprint, f"/{endpoint}", "POST")
    add_job_routes(blueprint, route.jobs, principal, route.dialect)
    return blueprint
