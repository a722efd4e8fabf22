"""The three answers to a request: read now, as a job, or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mesbatch.renamed import Renamed

Code = Literal["BUSY", "KEY_LIMIT_EXCEEDED", "ANSWER_TOO_LARGE"]


@dataclass(frozen=True, slots=True)
class Accept:
    """Read now.

    *cacheable*: the application may keep a complete answer. *release*: memory is given back afterwards
    (`mesbatch.memory.release`). *streamed*: the answer must be a stream, because the whole of it would not fit.
    *warning* is for the user.
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
    """Do not read. *retry_after* is in seconds; None means that asking again is useless.

    *key_count* and *limit* are set where the number of keys was the reason; *key_count_exact* is False where the count
    ended with the refusal.
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
