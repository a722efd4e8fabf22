"""Connections to a SQLite file that fail at the n-th row, and that count what is asked of them."""

from __future__ import annotations

import sqlite3
from typing import Any


class Faults:
    """A function that connects; from the *fail_at*-th row on, *times* reads of a row fail (None: for ever).

    Rows are counted over all connections, from 1; so are statements, which never fail. *plain* gives connections of
    which only DB-API is known, the others are sqlite3's own class.
    """

    def __init__(self, path: object, fail_at: int | None = None, times: int | None = 1, *, plain: bool = False) -> None:
        self.path, self.fail_at, self.times, self.plain = str(path), fail_at, times, plain
        self.rows = self.failures = self.opened = self.closed = 0
        self.fetches: list[int] = []

    def __call__(self) -> Any:
        self.opened += 1
        connection = sqlite3.connect(self.path, factory=_factory(self), check_same_thread=False)
        return PlainConnection(self, connection) if self.plain else connection

    @property
    def alive(self) -> int:
        """Connections that nobody closed."""
        return self.opened - self.closed

    def step(self) -> None:
        """A row is about to be given out."""
        self.rows += 1
        due = self.fail_at is not None and self.rows >= self.fail_at
        if due and (self.times is None or self.failures < self.times):
            self.failures += 1
            raise sqlite3.OperationalError("injected")


def _factory(faults: Faults) -> type[sqlite3.Connection]:
    class Cursor(sqlite3.Cursor):
        def __next__(self) -> Any:
            row = super().__next__()
            faults.step()
            return row

    class Connection(sqlite3.Connection):
        was_closed = False

        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def close(self) -> None:
            super().close()
            faults.closed += not self.was_closed
            self.was_closed = True

    return Connection


class PlainConnection:
    """A DB-API connection of no known driver."""

    def __init__(self, faults: Faults, connection: sqlite3.Connection) -> None:
        self._faults, self._connection = faults, connection

    def cursor(self) -> PlainCursor:
        return PlainCursor(self._faults, self._connection.cursor())

    def commit(self) -> None:
        self._connection.commit()

    def rollback(self) -> None:
        self._connection.rollback()

    def close(self) -> None:
        self._connection.close()


class PlainCursor:
    """A cursor that can do what the standard asks, and nothing more."""

    def __init__(self, faults: Faults, cursor: Any) -> None:
        self._faults, self._cursor = faults, cursor

    @property
    def description(self) -> Any:
        return self._cursor.description

    def execute(self, sql: str, params: Any = ()) -> None:
        self._cursor.execute(sql, params)

    def fetchmany(self, size: int) -> list[Any]:
        self._faults.fetches.append(size)
        rows = []
        while len(rows) < size and (row := next(self._cursor, None)) is not None:
            rows.append(row)
        return rows

    def close(self) -> None:
        self._cursor.close()
