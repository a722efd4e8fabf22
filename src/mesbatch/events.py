"""What a hook hears: one frozen event for each thing that happened to a read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BatchRead:
    """A batch is on its way to the consumer; *nbytes* is what its rows hold in memory, estimated from samples."""

    rows: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class FetchOverBudget:
    """A batch is larger than *max_bytes* although each of its rows fits; it is delivered all the same."""

    rows: int
    nbytes: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class StrategyChosen:
    """*strategy* brings *keys* keys into statements; *one_statement* says why there may be only one of these."""

    strategy: str
    keys: int
    one_statement: str | None = None


@dataclass(frozen=True, slots=True)
class PartRead:
    """All rows of the keys from *first* to *last* were delivered."""

    first: Any
    last: Any
    keys: int


@dataclass(frozen=True, slots=True)
class PartRetried:
    """Reading the keys from *first* to *last* failed for the *attempt*-th time and begins again on a new connection."""

    first: Any
    last: Any
    attempt: int
    error: Exception


@dataclass(frozen=True, slots=True)
class PartFailed:
    """The keys from *first* to *last* are given up; the read goes on without them, as ``on_failure="partial"`` asked.

    *keys_read* of the same part were delivered before.
    """

    first: Any
    last: Any
    keys: int
    error: Exception
    keys_read: int = 0


Event = BatchRead | FetchOverBudget | StrategyChosen | PartRead | PartRetried | PartFailed
Hook = Callable[[Event], None]
