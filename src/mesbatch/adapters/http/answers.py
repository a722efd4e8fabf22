"""Answers as plain objects, and those without rows: problems, refusals and small JSON objects."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import msgspec

from mesbatch.adapters.http.body import ReadBody
from mesbatch.adapters.http.encoding import Encoding
from mesbatch.adapters.http.options import Dialect
from mesbatch.adapters.http.request import JSON
from mesbatch.admission.answer import Reject
from mesbatch.admission.http import POLL_SECONDS, PROBLEM_TYPE, http_answer
from mesbatch.jobs import Job
from mesbatch.problem import Problem, problem_of, problem_type
from mesbatch.sink.stream import ByteStream
from mesbatch.store.stored_lines import Steps
from mesbatch.trace.words import TRACE_WORDS, Words

SERVER_ERROR = 500

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer that an adapter gives to its framework: a status, headers and a body.

    The body is bytes, a stream of stored ones, a read that has not begun, or None for a head alone. *encoding* is the
    compression that its headers promise, and *whole* says that a client cannot tell a cut body from a whole one: over
    HTTP/1.0, where no chunk is the last, it has to have a length.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | ByteStream | Steps | ReadBody | None = b""
    encoding: Encoding | None = None
    whole: bool = False

    def close(self) -> None:
        """Give back what a body holds that will not be sent; may be called twice."""
        if self.body is not None and not isinstance(self.body, bytes):
            self.body.close()


def answer_error(error: Exception, dialect: Dialect) -> Answer:
    """Answer a request that failed with *error*: a problem with a stable ``type``, without any SQL or traceback.

    An error with status 500 is logged with its traceback.
    """
    found = problem_of(error)
    if found.status == SERVER_ERROR:
        _logger.error("a request failed", exc_info=error)
    return answer_problem(found, dialect)


def answer_refusal(decision: Reject, dialect: Dialect) -> Answer:
    """Answer a request that admission refused: 413, or 503 with a ``Retry-After`` that differs between clients."""
    found = http_answer(decision, jitter=random.random())
    answer = _problem_body(_in_words(found.problem or {}, dialect.words), found.status, dialect)
    answer.headers.update({name: value for name, value in found.headers.items() if name != "Content-Type"})
    return answer


def answer_problem(found: Problem, dialect: Dialect) -> Answer:
    """Write *found* as an answer."""
    answer = _problem_body(found.members(), found.status, dialect)
    if found.retry_after is not None:
        answer.headers["Retry-After"] = str(ceil(found.retry_after * (1 + random.random())))
    return answer


def answer_json(members: Any, status: int = 200, mimetype: str = JSON) -> Answer:
    """Write *members* as JSON that no cache may keep."""
    return Answer(status, {"Content-Type": mimetype, "Cache-Control": "no-store"}, msgspec.json.encode(members))


def answer_job(job: Job, status_url: str, stream_url: str, words: Words = TRACE_WORDS) -> Answer:
    """Answer 202: the read goes on as *job*, which these URLs show."""
    of_trace = {} if words.stage is None else {"stage": words.stage}
    told = {"async": True, "job_id": job.job_id, "status_url": status_url, "stream_url": stream_url}
    answer = answer_json(of_trace | told, 202)
    answer.headers["Location"] = status_url
    answer.headers["Retry-After"] = str(ceil(POLL_SECONDS))
    return answer


def _in_words(members: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """Name the members of a refusal for its keys in *words*."""
    code = words.key_limit if members.get("code") == "KEY_LIMIT_EXCEEDED" else members.get("code", "")
    names = {"key_count": words.key_count, "key_count_exact": f"{words.key_count}_exact"}
    found = {names.get(name, name): value for name, value in members.items()}
    return found | {"code": code, "type": problem_type(code)}


def _problem_body(members: Mapping[str, Any] | None, status: int, dialect: Dialect) -> Answer:
    if dialect.envelope is None:
        return answer_json(members, status, PROBLEM_TYPE)
    return answer_json(dialect.envelope(members or {}), status)
