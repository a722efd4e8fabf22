"""Blueprint whose views answer every error with a problem."""

from __future__ import annotations

import re
import sys
from http import HTTPStatus
from logging import getLogger
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response as WerkzeugResponse

from mesbatch.adapters.flask.answers import problem, respond
from mesbatch.adapters.http.answers import answer_problem
from mesbatch.adapters.http.options import Dialect
from mesbatch.problem import Problem

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OWN_OPTIONS: dict[str, Any] = {"provide_automatic_options": False}  # `refuse_other_methods` answers OPTIONS, too
SYNC_WORKER = "gunicorn.workers.sync"  # loaded by gunicorn only where its workers are of that class

_logger = getLogger(__name__)


def guarded_blueprint(name: str, url_prefix: str, dialect: Dialect) -> Blueprint:
    """Make a blueprint that never answers with HTML, and that warns where gunicorn's workers would cut streams."""
    blueprint = Blueprint(name, __name__, url_prefix=url_prefix)

    def answer(error: Exception) -> WerkzeugResponse:
        return _answer_http(error, dialect) if isinstance(error, HTTPException) else problem(error, dialect=dialect)

    blueprint.register_error_handler(Exception, answer)
    blueprint.record_once(lambda state: warn_of_sync_worker())
    return blueprint


def refuse_other_methods(blueprint: Blueprint, rule: str, *allowed: str) -> None:
    """Answer methods of *rule* that are not *allowed*: Flask answers them with HTML before it asks a blueprint."""
    others = [method for method in METHODS if method not in {*allowed, "HEAD"}]

    def refuse(**variables: Any) -> Response:
        error = MethodNotAllowed([*allowed, "OPTIONS"], f"this takes {' or '.join(allowed)}, not {request.method}")
        if request.method != "OPTIONS":
            raise error
        return Response(headers={name: value for name, value in error.get_headers() if name == "Allow"})

    endpoint = "other_methods_of_" + re.sub(r"\W+", "_", rule)
    blueprint.add_url_rule(rule, endpoint, refuse, methods=others, **OWN_OPTIONS)


def _answer_http(error: HTTPException, dialect: Dialect) -> WerkzeugResponse:
    """Answer an error of werkzeug, such as one of a principal, with its description and headers as a problem."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if error.response is not None or status < HTTPStatus.BAD_REQUEST:  # an answer of the application's own; a redirect
        return error.get_response()
    code = re.sub(r"\W+", "_", error.name).upper()
    response = respond(answer_problem(Problem(int(status), code, error.description or error.name), dialect), dialect)
    for name, value in error.get_headers():
        if name != "Content-Type":
            response.headers.add(name, value)
    return response


def warn_of_sync_worker() -> None:
    """Warn under gunicorn's sync workers: with a timeout of 5 s, 58 % of a healthy stream of 10 s arrived."""
    if SYNC_WORKER in sys.modules:
        _logger.warning(
            "gunicorn's sync worker cuts every stream at its timeout and serves nobody meanwhile: "
            "use --worker-class gthread --threads 4"
        )
