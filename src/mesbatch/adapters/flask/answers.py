"""Answers without rows: problems, refusals and small JSON objects."""

from __future__ import annotations

import logging
import random
from math import ceil
from typing import Any

import msgspec
from flask import Response

from mesbatch.adapters.flask.options import Dialect
from mesbatch.admission.answer import Reject
from mesbatch.admission.http import PROBLEM_TYPE, http_answer
from mesbatch.problem import Problem, problem_of

JSON = "application/json"
SERVER_ERROR = 500

_logger = logging.getLogger(__name__)


def problem(error: Exception, *, dialect: Dialect = Dialect()) -> Response:  # noqa: B008  # frozen
    """Answer a request that failed with *error*: a problem with a stable ``type``, without any SQL or traceback.

    An error with status 500 is logged with its traceback.

    Args:
        error: The exception.
        dialect: The style of the answer.
    """
    found = problem_of(error)
    if found.status == SERVER_ERROR:
        _logger.error("a request failed", exc_info=error)
    return answer_problem(found, dialect)


def rejected(decision: Reject, *, dialect: Dialect = Dialect()) -> Response:  # noqa: B008
    """Answer a request that admission refused: 413, or 503 with a ``Retry-After`` that differs between clients.

    Args:
        decision: The refusal.
        dialect: The style of the answer.
    """
    answer = http_answer(decision, jitter=random.random())
    response = _body(answer.problem, answer.status, dialect)
    response.headers.update({name: value for name, value in answer.headers.items() if name != "Content-Type"})
    return response


def answer_problem(found: Problem, dialect: Dialect) -> Response:
    """Write *found* as a response."""
    response = _body(found.members(), found.status, dialect)
    if found.retry_after is not None:
        response.headers["Retry-After"] = str(ceil(found.retry_after * (1 + random.random())))
    return response


def answer_json(members: Any, status: int = 200) -> Response:
    """Write *members* as JSON that no cache may keep."""
    response = Response(msgspec.json.encode(members), status, mimetype=JSON)
    response.headers["Cache-Control"] = "no-store"
    return response


def _body(members: Any, status: int, dialect: Dialect) -> Response:
    if dialect.envelope is None:
        response = answer_json(members, status)
        response.mimetype = PROBLEM_TYPE
        return response
    return answer_json(dialect.envelope(members), status)
