"""Decisions in HTTP: status, headers and the members of a problem (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from mesbatch.admission.answer import Accept, Decision, Enqueue, Reject
from mesbatch.problem import Problem

POLL_SECONDS = 2.0  # until a client looks at a job for the first time
PROBLEM_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, headers and, for a refusal, the members of its problem.

    Attributes:
        status: 200, 202, 413 or 503.
        headers: Headers, such as ``Retry-After``.
        problem: Members of the problem; None where nothing was refused.

    >>> HttpAnswer(202).status
    202
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    problem: Mapping[str, Any] | None = None


def http_answer(decision: Decision, *, jitter: float) -> HttpAnswer:
    """Answer *decision* with 200, 202, 413 or 503; the adapter adds headers of its own, such as ``Location``.

    ``Retry-After`` is in whole seconds.

    Args:
        decision: The decision of a policy.
        jitter: A random number from 0 to 1. It makes a refused client wait up to twice as long, so that clients do not
            all come back at once.

    >>> answer = http_answer(Reject("not enough memory at the moment", retry_after=5.0), jitter=0.5)
    >>> answer.status, answer.headers["Retry-After"], answer.problem["code"]
    (503, '8', 'BUSY')
    """
    match decision:
        case Accept():
            return HttpAnswer(200)
        case Enqueue():
            return HttpAnswer(202, {"Retry-After": str(ceil(POLL_SECONDS))})
        case Reject():
            return _refusal(decision, jitter)


def _refusal(decision: Reject, jitter: float) -> HttpAnswer:
    headers = {"Content-Type": PROBLEM_TYPE}
    if decision.retry_after is None:
        return HttpAnswer(413, headers, _problem(413, decision))
    headers["Retry-After"] = str(ceil(decision.retry_after * (1 + jitter)))
    return HttpAnswer(503, headers, _problem(503, decision))


def _problem(status: int, decision: Reject) -> dict[str, Any]:
    """Write the members of RFC 9457, and `error` and `code`, which older clients read."""
    counts = {"key_count": decision.key_count, "limit": decision.limit}
    known: dict[str, Any] = {name: value for name, value in counts.items() if value is not None}
    if not decision.key_count_exact:
        known["key_count_exact"] = False
    return Problem(status, decision.code, decision.reason, more=known).members()
