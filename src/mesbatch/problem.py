"""What an error is to a client: status, a code, a stable type (RFC 9457), and never any SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from mesbatch.errors import (
    BodyTooLarge,
    ConnectionLost,
    DatabaseBusy,
    DatabaseTimeout,
    InvalidDomain,
    InvalidJobId,
    InvalidKey,
    InvalidPage,
    InvalidRequest,
    JobNotComplete,
    JobNotFound,
    LimiterBusy,
    LimiterUnavailable,
    MesbatchError,
    NoPrincipal,
    NotAcceptable,
    NoWorker,
    PermitTooLarge,
    ResultExpired,
    ResultStoreFull,
    StatementError,
    StoreUnavailable,
    UnknownProfile,
)

RETRY_SECONDS = 5.0  # a server that restarts, or a permit, is back by then

_KNOWN: dict[type[BaseException], tuple[HTTPStatus, str]] = {
    InvalidKey: (HTTPStatus.BAD_REQUEST, "INVALID_PARAMS"),
    InvalidDomain: (HTTPStatus.BAD_REQUEST, "INVALID_PARAMS"),
    InvalidPage: (HTTPStatus.BAD_REQUEST, "INVALID_PARAMS"),
    InvalidRequest: (HTTPStatus.BAD_REQUEST, "INVALID_PARAMS"),
    UnknownProfile: (HTTPStatus.BAD_REQUEST, "INVALID_PROFILE"),
    NoPrincipal: (HTTPStatus.UNAUTHORIZED, "NO_PRINCIPAL"),
    InvalidJobId: (HTTPStatus.NOT_FOUND, "JOB_NOT_FOUND"),
    JobNotFound: (HTTPStatus.NOT_FOUND, "JOB_NOT_FOUND"),
    ResultExpired: (HTTPStatus.NOT_FOUND, "JOB_RESULT_EXPIRED"),
    JobNotComplete: (HTTPStatus.CONFLICT, "JOB_NOT_COMPLETE"),
    NotAcceptable: (HTTPStatus.NOT_ACCEPTABLE, "NOT_ACCEPTABLE"),
    BodyTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "BODY_TOO_LARGE"),
    PermitTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "ANSWER_TOO_LARGE"),
    LimiterBusy: (HTTPStatus.SERVICE_UNAVAILABLE, "BUSY"),
    NoWorker: (HTTPStatus.SERVICE_UNAVAILABLE, "BUSY"),
    DatabaseTimeout: (HTTPStatus.GATEWAY_TIMEOUT, "DATABASE_TIMEOUT"),
}
_BUSY = (DatabaseBusy, ConnectionLost, StoreUnavailable, LimiterUnavailable, ResultStoreFull)


@dataclass(frozen=True, slots=True)
class Problem:
    """*status*, *code* and *detail* of a refusal or failure; *retry_after* in seconds, where asking again may help."""

    status: int
    code: str
    detail: str
    retry_after: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def members(self) -> dict[str, Any]:
        """The members of the problem, with *error* and *code*, which older clients read.

        >>> Problem(404, "JOB_NOT_FOUND", "there is no job x").members()["type"]
        'urn:mesbatch:problem:job-not-found'
        """
        return {
            "type": problem_type(self.code),
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "error": self.detail,
            "code": self.code,
            **self.more,
        }


def problem_type(code: str) -> str:
    """The name of a kind of problem, the same for ever.

    >>> problem_type("CID_LIMIT_EXCEEDED")
    'urn:mesbatch:problem:cid-limit-exceeded'
    """
    return f"urn:mesbatch:problem:{code.lower().replace('_', '-')}"


def problem_of(error: BaseException) -> Problem:
    """What a client may know of *error*: our own words, and only the first line, as drivers quote the SQL below it.

    >>> problem_of(JobNotFound("there is no job x")).status, problem_of(KeyError("select 1")).detail
    (404, 'the read failed: KeyError')
    """
    kind = type(error)
    status, code = _KNOWN.get(kind, (HTTPStatus.INTERNAL_SERVER_ERROR, _code(kind)))
    if isinstance(error, _BUSY):
        status = HTTPStatus.SERVICE_UNAVAILABLE
    busy = status is HTTPStatus.SERVICE_UNAVAILABLE
    return Problem(int(status), code, tell(error), getattr(error, "retry_after", RETRY_SECONDS) if busy else None)


def tell(error: BaseException, failed: str = "read") -> str:
    """Return words for *error* that hold nothing of the database; *failed* names what failed."""
    if isinstance(error, MesbatchError) and not isinstance(error, StatementError):
        return str(error).partition("\n")[0]
    return f"the {failed} failed: {type(error).__name__}"


def _code(kind: type[BaseException]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).upper()
