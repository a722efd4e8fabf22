"""Problems that clients see of errors: a status, a code, a stable type (RFC 9457), and never any SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from mesbatch.errors import (
    AnswerTooLarge,
    BodyTooLarge,
    DatabaseTimeout,
    InvalidDomain,
    InvalidKey,
    InvalidPage,
    InvalidRequest,
    JobNotComplete,
    JobNotFound,
    LeaseHeld,
    LimiterBusy,
    MesbatchError,
    NoPrincipal,
    NotAcceptable,
    NotResumable,
    NoWorker,
    PermitLost,
    PermitTooLarge,
    ReadInterrupted,
    ResultChanged,
    ResultExpired,
    SnapshotTooOld,
    StatementError,
    UnknownProfile,
    UnsupportedMediaType,
)

RETRY_SECONDS = 5.0  # enough for a server to restart, or for a permit to come back

# Status and code of an error and of every class below it; a code of None means the name of the class itself. An error
# without an entry of its own or of a base is 503 where the same request may succeed later (`retryable`), else 500.
_TABLE: dict[type, tuple[HTTPStatus, str | None]] = {
    InvalidKey: (HTTPStatus.BAD_REQUEST, "INVALID_PARAMS"),
    InvalidDomain: (HTTPStatus.BAD_REQUEST, "INVALID_PARAMS"),
    InvalidPage: (HTTPStatus.BAD_REQUEST, "INVALID_PARAMS"),
    InvalidRequest: (HTTPStatus.BAD_REQUEST, "INVALID_PARAMS"),
    UnknownProfile: (HTTPStatus.BAD_REQUEST, "INVALID_PROFILE"),
    NoPrincipal: (HTTPStatus.UNAUTHORIZED, None),
    JobNotFound: (HTTPStatus.NOT_FOUND, "JOB_NOT_FOUND"),
    ResultExpired: (HTTPStatus.NOT_FOUND, "JOB_RESULT_EXPIRED"),
    JobNotComplete: (HTTPStatus.CONFLICT, None),
    NotAcceptable: (HTTPStatus.NOT_ACCEPTABLE, None),
    UnsupportedMediaType: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, None),
    BodyTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, None),
    AnswerTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, None),
    PermitTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "ANSWER_TOO_LARGE"),
    LimiterBusy: (HTTPStatus.SERVICE_UNAVAILABLE, "BUSY"),
    NoWorker: (HTTPStatus.SERVICE_UNAVAILABLE, "BUSY"),
    DatabaseTimeout: (HTTPStatus.GATEWAY_TIMEOUT, None),
    # Retryable, and no 503: these end a read or a job that had begun, while the service itself is not busy.
    SnapshotTooOld: (HTTPStatus.INTERNAL_SERVER_ERROR, None),
    ReadInterrupted: (HTTPStatus.INTERNAL_SERVER_ERROR, None),
    PermitLost: (HTTPStatus.INTERNAL_SERVER_ERROR, None),
    LeaseHeld: (HTTPStatus.INTERNAL_SERVER_ERROR, None),
    NotResumable: (HTTPStatus.INTERNAL_SERVER_ERROR, None),
    ResultChanged: (HTTPStatus.INTERNAL_SERVER_ERROR, None),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Status, code and detail of a refusal or failure; *retry_after*, in seconds, where asking again may help."""

    status: int
    code: str
    detail: str
    retry_after: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def members(self) -> dict[str, Any]:
        """Write the members of the problem, with *error* and *code*, which older clients read.

        >>> Problem(404, "JOB_NOT_FOUND", "there is no job x").members()["type"]
        'urn:mesbatch:problem:job-not-found'
        """
        return {
            "type": problem_type(self.code),
            "title": _title(self.status),
            "status": self.status,
            "detail": self.detail,
            "error": self.detail,
            "code": self.code,
            **self.more,
        }


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # an application's own
        return f"Status {status}"


def problem_type(code: str) -> str:
    """Name a kind of problem; the name never changes.

    >>> problem_type("KEY_LIMIT_EXCEEDED")
    'urn:mesbatch:problem:key-limit-exceeded'
    """
    return f"urn:mesbatch:problem:{code.lower().replace('_', '-')}"


def problem_of(error: BaseException) -> Problem:
    """Describe *error* for a client: in our own words, and only their first line, as drivers quote SQL below it.

    >>> problem_of(JobNotFound("there is no job x")).status, problem_of(KeyError("select 1")).detail
    (404, 'the read failed: KeyError')
    """
    status, code = _status_and_code(type(error))
    busy = status is HTTPStatus.SERVICE_UNAVAILABLE
    return Problem(int(status), code, tell(error), getattr(error, "retry_after", RETRY_SECONDS) if busy else None)


def tell(error: BaseException, failed: str = "read") -> str:
    """Describe *error* in words that hold nothing of the database; *failed* names what failed."""
    if isinstance(error, MesbatchError) and error.for_client is not None:
        return error.for_client
    if isinstance(error, MesbatchError) and not isinstance(error, StatementError):
        return str(error).partition("\n")[0]
    return f"the {failed} failed: {type(error).__name__}"


def _status_and_code(kind: type[BaseException]) -> tuple[HTTPStatus, str]:
    retryable = issubclass(kind, MesbatchError) and kind.retryable
    unlisted = HTTPStatus.SERVICE_UNAVAILABLE if retryable else HTTPStatus.INTERNAL_SERVER_ERROR
    status, code = next((_TABLE[base] for base in kind.__mro__ if base in _TABLE), (unlisted, None))
    return status, code or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).upper()
