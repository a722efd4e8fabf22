"""Connections to a SQLite file that fail where `mesbatch.testing` says, and that count their calls."""

from __future__ import annotations

import sqlite3
from typing import Any

from mesbatch import testing


class Faults(testing.FaultyConnect):
    """A function that connects to the file *path*; from the *fail_at*-th row on, *times* of them fail (None: for ever).

    Its connections are sqlite3's own class, and the calls that count are the rows that they give out. With *plain* they
    are of no known driver, and all calls count.
    """

    def __init__(self, path: object, fail_at: int | None = None, times: int | None = 1, *, plain: bool = False) -> None:
        self.path, self.plain = str(path), plain
        faults = testing.Faults(fail_at, times, lambda _: sqlite3.OperationalError("injected"))
        super().__init__(lambda: PlainConnection(sqlite3.connect(self.path, check_same_thread=False)), faults)

    def __call__(self) -> Any:
        if self.plain:
            return super().__call__()
        self.opened += 1
        return sqlite3.connect(self.path, factory=_factory(self), check_same_thread=False)

    @property
    def calls(self) -> int:
        return self.faults.calls

    @property
    def failures(self) -> int:
        return self.faults.failures


def _factory(connect: Faults) -> type[sqlite3.Connection]:
    class Cursor(sqlite3.Cursor):
        def __next__(self) -> Any:
            row = super().__next__()
            connect.faults.step()
            return row

    class Connection(sqlite3.Connection):
        was_closed = False

        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def close(self) -> None:
            super().close()
            if not self.was_closed:
                self.was_closed = True
                connect.note_close()

    return Connection


class PlainConnection:
    """A DB-API connection of no known driver, with the methods of the standard and no others."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.real = connection
        self.fetches: list[int] = []  # how many rows each fetch asked for

    def cursor(self) -> PlainCursor:
        return PlainCursor(self.real.cursor(), self.fetches)

    def commit(self) -> None:
        self.real.commit()

    def rollback(self) -> None:
        self.real.rollback()

    def close(self) -> None:
        self.real.close()


class PlainCursor:
    """A cursor with the methods of the standard and no others."""

    def __init__(self, cursor: sqlite3.Cursor, fetches: list[int]) -> None:
        self._cursor, self._fetches = cursor, fetches

    @property
    def description(self) -> Any:
        return self._cursor.description

    def execute(self, sql: str, params: Any = ()) -> None:
        self._cursor.execute(sql, params)

    def fetchmany(self, size: int) -> list[Any]:
        self._fetches.append(size)
        return self._cursor.fetchmany(size)

    def close(self) -> None:
        self._cursor.close()
