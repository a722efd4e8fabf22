"""Connections of any DB-API driver that fail as `Faults` says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

from mesbatch.batch import Row
from mesbatch.testing.faults import Faults

__tracebackhide__ = True  # pytest shows the lines of the user's test, and none of ours


class FaultyConnect:
    """A function that connects by *connect*; connecting, executing, fetching and committing are calls that may fail.

    It counts connections, so that a test can check that none is left. mesbatch reads from them by the standard's own
    methods, with question marks for binds; the keys of a keyed read that failed are read again on a new one.

    Args:
        connect: A function that opens a DB-API connection.
        faults: The calls that fail; None lets none fail.

    >>> import sqlite3
    >>> from mesbatch import read_sql_iter
    >>> from mesbatch.testing import Faults
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
        """The number of connections that nobody closed."""
        return self.opened - self.closed

    def __call__(self) -> Any:
        self.faults.step()
        connection = self._connect()
        self.opened += 1
        return FaultyConnection(connection, self.faults, on_close=self.note_close)

    def note_close(self) -> None:
        """Count a connection that was closed for the first time."""
        self.closed += 1


class FaultyConnection:
    """An open DB-API connection whose cursors fail on purpose; the rest is the connection's own.

    Args:
        connection: The connection.
        faults: The calls that fail; None lets none fail.
        on_close: A function that is called when it is closed for the first time.

    >>> import sqlite3
    >>> from mesbatch.testing import Faults
    >>> con = FaultyConnection(sqlite3.connect(":memory:"), Faults(fail_at=2))
    >>> cursor = con.cursor()
    >>> _ = cursor.execute("select 1")
    >>> cursor.fetchone()
    Traceback (most recent call last):
    mesbatch.testing.faults.InjectedFault: call 2 fails on purpose
    >>> con.close()
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
        """Execute by the short form of sqlite3 and psycopg, which must not get around the faults."""
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
    """A DB-API cursor whose every execute and every fetch may fail; each row of an iteration is a fetch.

    Args:
        cursor: The cursor.
        faults: The calls that fail.

    >>> import sqlite3
    >>> from mesbatch.testing import Faults
    >>> con = sqlite3.connect(":memory:")
    >>> FaultyCursor(con.cursor(), Faults(fail_at=1)).execute("select 1")
    Traceback (most recent call last):
    mesbatch.testing.faults.InjectedFault: call 1 fails on purpose
    >>> con.close()
    """

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
