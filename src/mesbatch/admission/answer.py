"""The three answers to a request: read now, as a job, or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mesbatch.renamed import Renamed

Code = Literal["BUSY", "KEY_LIMIT_EXCEEDED", "ANSWER_TOO_LARGE"]


@dataclass(frozen=True, slots=True)
class Accept:
    """Read now.

    Attributes:
        cacheable: True where the application may keep a complete answer.
        release: True where memory is given back afterwards (`mesbatch.memory.release`).
        streamed: True where the answer must be a stream, because the whole of it would not fit.
        warning: A sentence for the user, or None.
    """

    cacheable: bool = False
    release: bool = False
    streamed: bool = False
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Read as a job, in the memory of a worker."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Do not read.

    Attributes:
        reason: A sentence for the user.
        retry_after: Seconds; None means that asking again is useless.
        key_count: The number of keys, where that was the reason.
        limit: The largest number of keys.
        key_count_exact: False where the count ended with the refusal.
    """

    reason: str
    retry_after: float | None = None
    key_count: int | None = None
    limit: int | None = None
    key_count_exact: bool = True

    cid_count = Renamed("key_count")
    cid_count_exact = Renamed("key_count_exact")

    @property
    def code(self) -> Code:
        """Code by which clients tell refusals apart."""
        if self.retry_after is not None:
            return "BUSY"
        return "ANSWER_TOO_LARGE" if self.limit is None else "KEY_LIMIT_EXCEEDED"


Decision = Accept | Enqueue | Reject


def severity(decision: Decision) -> tuple[float, ...]:
    """Rank a decision by how harsh it is, for comparison.

    >>> severity(Accept()) < severity(Enqueue()) < severity(Reject("busy", 5.0)) < severity(Reject("too large"))
    True
    """
    match decision:
        case Accept(cacheable, release, streamed):
            return 0, streamed, not cacheable, release
        case Enqueue():
            return (1,)
        case Reject():
            return (3,) if decision.retry_after is None else (2, decision.retry_after)
