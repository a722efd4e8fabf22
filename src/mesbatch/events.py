"""Events of a read, which hooks hear: one frozen object for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BatchRead:
    """Delivery of a batch to the consumer.

    Attributes:
        rows: The number of rows.
        nbytes: Bytes of the rows in memory, estimated from samples.

    >>> import sqlite3
    >>> from mesbatch import read_sql_iter
    >>> events = []
    >>> _ = list(read_sql_iter("select 1", sqlite3.connect(":memory:"), on_event=events.append))
    >>> [event.rows for event in events if isinstance(event, BatchRead)]
    [1]
    """

    rows: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class FetchOverBudget:
    """Delivery of a batch that is larger than *max_bytes*, although each of its rows fits.

    Attributes:
        rows: The number of rows.
        nbytes: Bytes of the rows in memory.
        max_bytes: Bytes of the budget.

    >>> def warn(event: Event) -> None:
    ...     if isinstance(event, FetchOverBudget):
    ...         print(f"{event.nbytes:,} of {event.max_bytes:,} bytes")
    >>> warn(FetchOverBudget(rows=100, nbytes=9_000_000, max_bytes=8_388_608))
    9,000,000 of 8,388,608 bytes
    """

    rows: int
    nbytes: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class StrategyChosen:
    """Choice of the way of keys into statements.

    Attributes:
        strategy: The name of the strategy.
        keys: The number of keys.
        one_statement: The reason why there may be only one statement; None where there may be several.

    >>> import sqlite3
    >>> from mesbatch import read_sql_iter
    >>> con, events = sqlite3.connect(":memory:"), []
    >>> _ = list(read_sql_iter("select 1 as n where n in (:keys)", con, keys=[1, 2], on_event=events.append))
    >>> [event.keys for event in events if isinstance(event, StrategyChosen)]
    [2]
    """

    strategy: str
    keys: int
    one_statement: str | None = None


@dataclass(frozen=True, slots=True)
class PartRead:
    """Delivery of the last row of a part.

    Attributes:
        first: The first key of the part.
        last: The last key of the part.
        keys: The number of its keys.

    >>> import sqlite3
    >>> from mesbatch import read_sql_iter
    >>> con, events = sqlite3.connect(":memory:"), []
    >>> _ = list(read_sql_iter("select 1 as n where n in (:keys)", con, keys=[1, 2], on_event=events.append))
    >>> [(event.first, event.last) for event in events if isinstance(event, PartRead)]
    [(1, 2)]
    """

    first: Any
    last: Any
    keys: int


@dataclass(frozen=True, slots=True)
class PartRetried:
    """Failure of a part, which is read again on a new connection.

    Attributes:
        first: The first key of the part.
        last: The last key of the part.
        attempt: The number of the failure, from 1.
        error: The failure.

    >>> event = PartRetried(first="a1", last="b2", attempt=1, error=ConnectionError("reset"))
    >>> f"{event.first} to {event.last}: {event.error}"
    'a1 to b2: reset'
    """

    first: Any
    last: Any
    attempt: int
    error: Exception


@dataclass(frozen=True, slots=True)
class PartFailed:
    """Loss of keys; the read goes on without them, as ``on_failure="partial"`` asked.

    Attributes:
        first: The first key that is lost.
        last: The last key that is lost.
        keys: The number of keys that are lost.
        error: The failure.
        keys_read: Keys of the same part that were delivered before.

    >>> event = PartFailed(first="a1", last="b2", keys=7, error=ConnectionError("reset"))
    >>> event.keys
    7
    """

    first: Any
    last: Any
    keys: int
    error: Exception
    keys_read: int = 0


@dataclass(frozen=True, slots=True)
class KeyRefused(PartFailed):
    """Loss of one key, of whose rows one holds a value that cannot be given; the other keys of its part go on.

    Attributes:
        first: The key.
        last: The key.
        keys: 1.
        error: The reason.
        keys_read: Keys of the same part that were delivered before.

    >>> isinstance(KeyRefused(first="a1", last="a1", keys=1, error=ValueError("no UTF-8")), PartFailed)
    True
    """


Event = BatchRead | FetchOverBudget | StrategyChosen | PartRead | PartRetried | PartFailed
Hook = Callable[[Event], None]
