"""Events of a read, which hooks hear: one frozen object for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BatchRead:
    """Delivery of a batch to the consumer; *nbytes* are the bytes of its rows in memory, estimated from samples."""

    rows: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class FetchOverBudget:
    """Delivery of a batch that is larger than *max_bytes*, although each of its rows fits."""

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
    """Delivery of the last row of the keys from *first* to *last*."""

    first: Any
    last: Any
    keys: int


@dataclass(frozen=True, slots=True)
class PartRetried:
    """Failure number *attempt* of the keys from *first* to *last*, which are read again on a new connection."""

    first: Any
    last: Any
    attempt: int
    error: Exception


@dataclass(frozen=True, slots=True)
class PartFailed:
    """Loss of the keys from *first* to *last*; the read goes on without them, as ``on_failure="partial"`` asked.

    *keys_read* keys of the same part were delivered before.
    """

    first: Any
    last: Any
    keys: int
    error: Exception
    keys_read: int = 0


@dataclass(frozen=True, slots=True)
class KeyRefused(PartFailed):
    """Loss of one key, of whose rows one holds a value that cannot be given; the other keys of its part go on."""


Event = BatchRead | FetchOverBudget | StrategyChosen | PartRead | PartRetried | PartFailed
Hook = Callable[[Event], None]
