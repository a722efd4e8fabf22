"""Failures on purpose: a source of batches and a DB-API connection that fail at the n-th call, once or for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from threading import Lock
from typing import Any, Self

from mesbatch.batch import Batch, Row


class InjectedFault(ConnectionError):
    """What fails on purpose unless you name another error; to mesbatch, a connection that went away."""


class Faults:
    """Counts calls, and makes some of them fail: from the *fail_at*-th on, *times* of them (None: for ever).

    Calls are counted from 1; without *fail_at* none fails. *error* makes what is raised, such as your driver's own
    ``OperationalError``. Several threads may share one.

    >>> faults = Faults(fail_at=2)
    >>> faults.step()
    >>> faults.step()
    Traceback (most recent call last):
    mesbatch.testing.faults.InjectedFault: call 2 fails on purpose
    >>> faults.step()
    >>> faults.calls, faults.failures
    (3, 1)
    """

    def __init__(
        self, fail_at: int | None = None, times: int | None = 1, error: Callable[[str], Exception] = InjectedFault
    ) -> None:
        self.fail_at, self.times, self.error = fail_at, times, error
        self.calls = self.failures = 0
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"Faults(fail_at={self.fail_at}, times={self.times})"

    def step(self) -> None:
        """A call is about to be made: count it, or raise in its place."""
        with self._lock:
            self.calls += 1
            due = self.fail_at is not None and self.calls >= self.fail_at
            if not due or (self.times is not None and self.failures >= self.times):
                return
            self.failures += 1
            call = self.calls
        raise self.error(f"call {call:,} fails on purpose")


def each_fault(times: int | None = 1, error: Callable[[str], Exception] = InjectedFault) -> Iterator[Faults]:
    """`Faults` at call 1, 2, 3 ... until one is not met any more: every point at which your code can be hurt.

    >>> for faults in each_fault():
    ...     source = FaultySource([Batch(("n",), [(1,)]), Batch(("n",), [(2,)])], faults)
    ...     try:
    ...         print(faults.fail_at, sum(batch.num_rows for batch in source.batches()))
    ...     except InjectedFault as error:
    ...         print(error)
    call 1 fails on purpose
    call 2 fails on purpose
    call 3 fails on purpose
    4 2
    """
    for n in count(1):
        faults = Faults(n, times, error)
        yield faults
        if not faults.failures:
            return


class FaultySource:
    """*batches*, as a source that `read_sql_iter` and `Trace` take; each batch, and the end, is a call that may fail.

    Holds all batches. Every call of `batches` begins at the first one again, and calls are counted over all of them.

    >>> from mesbatch import read_sql_iter
    >>> source = FaultySource([Batch(("n",), [(1,)]), Batch(("n",), [(2,)])], Faults(fail_at=2))
    >>> reader = read_sql_iter("made up", source)
    >>> next(reader).rows
    [(1,)]
    >>> next(reader)
    Traceback (most recent call last):
    mesbatch.testing.faults.InjectedFault: call 2 fails on purpose
    ...
    >>> reader.manifest.status
    'failed'
    """

    def __init__(self, batches: Iterable[Batch], faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self._batches = tuple(batches)

    def batches(self) -> Iterator[Batch]:
        for batch in self._batches:
            self.faults.step()
            yield batch
        self.faults.step()


class FaultyConnect:
    """A function that connects by *connect*; connecting, executing, fetching and committing are calls that may fail.

    It counts connections, so that a test can say that none is left. mesbatch reads from them by the standard's own
    methods, with question marks for binds; the keys of a keyed read that failed are read again on a new one.

    >>> import sqlite3
    >>> from mesbatch import read_sql_iter
    >>> connect = FaultyConnect(lambda: sqlite3.connect(":memory:"), Faults(fail_at=3))
    >>> list(read_sql_iter("select 1", connect))
    Traceback (most recent call last):
    mesbatch.testing.faults.InjectedFault: call 3 fails on purpose
    >>> connect.alive
    0
    """

    def __init__(self, connect: Callable[[], Any], faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.opened = self.closed = 0
        self._connect = connect

    @property
    def alive(self) -> int:
        """Connections that nobody closed."""
        return self.opened - self.closed

    def __call__(self) -> Any:
        self.faults.step()
        self.opened += 1
        return FaultyConnection(self._connect(), self.faults, on_close=self.note_close)

    def note_close(self) -> None:
        """A connection was closed for the first time."""
        self.closed += 1


class FaultyConnection:
    """An open DB-API *connection*, whose cursors fail where *faults* says; the rest is the connection's own.

    *on_close* is called when it is closed for the first time.
    """

    def __init__(
        self, connection: Any, faults: Faults | None = None, on_close: Callable[[], None] = lambda: None
    ) -> None:
        self.faults = faults or Faults()
        self._connection, self._on_close = connection, on_close
        self._open = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> Self:
        self._connection.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        handled = self._connection.__exit__(*error)
        if getattr(self._connection, "closed", False):  # psycopg's ends with its block, sqlite3's does not
            self.close()
        return handled

    def cursor(self, *arguments: Any, **options: Any) -> FaultyCursor:
        return FaultyCursor(self._connection.cursor(*arguments, **options), self.faults)

    def execute(self, *arguments: Any, **options: Any) -> FaultyCursor:
        """The short form that sqlite3 and psycopg have; it must not get around the faults."""
        self.faults.step()
        return FaultyCursor(self._connection.execute(*arguments, **options), self.faults)

    def commit(self) -> None:
        self.faults.step()
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()
        if self._open:
            self._open = False
            self._on_close()


class FaultyCursor:
    """A DB-API *cursor* of which every execute and every fetch may fail; a row of an iteration is a fetch."""

    def __init__(self, cursor: Any, faults: Faults) -> None:
        self._cursor, self._faults = cursor, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def execute(self, *arguments: Any, **options: Any) -> Any:
        return self._called("execute", *arguments, **options)

    def executemany(self, *arguments: Any, **options: Any) -> Any:
        return self._called("executemany", *arguments, **options)

    def fetchone(self) -> Any:
        return self._called("fetchone")

    def fetchmany(self, *arguments: Any, **options: Any) -> Any:
        return self._called("fetchmany", *arguments, **options)

    def fetchall(self) -> Any:
        return self._called("fetchall")

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        self._faults.step()
        row: Row = next(self._cursor)
        return row

    def close(self) -> None:
        self._cursor.close()

    def _called(self, name: str, *arguments: Any, **options: Any) -> Any:
        self._faults.step()
        result = getattr(self._cursor, name)(*arguments, **options)
        return self if result is self._cursor else result  # as execute returns its own cursor
