"""A DB-API driver that nobody knows: its cursors hold whole results, and nothing of it can be interrupted."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Mapping
from typing import Any


class BufferingConnection:
    """A connection to the SQLite file *path*, whose binds are written in *style*, and no other.

    *streams* takes the buffer away; *refused* are words that it takes in no statement; *seconds* is what each
    statement takes; *collation* is that of all its comparisons.
    """

    def __init__(
        self, path: str, style: str = "format", *, streams: bool = False, refused: str = "", seconds: float = 0.0
    ) -> None:
        self.real = sqlite3.connect(path, check_same_thread=False)
        self.style, self.streams, self.refused, self.seconds = style, streams, refused, seconds
        self.statements: list[str] = []

    def cursor(self) -> BufferingCursor:
        return BufferingCursor(self)

    def commit(self) -> None:
        self.real.commit()

    def rollback(self) -> None:
        self.real.rollback()

    def close(self) -> None:
        self.real.close()


class BufferingCursor:
    """A cursor that fetches all rows before it gives the first."""

    def __init__(self, connection: BufferingConnection) -> None:
        self._connection, self._cursor = connection, connection.real.cursor()
        self._rows: list[Any] | None = None

    @property
    def description(self) -> Any:
        return self._cursor.description

    def execute(self, sql: str, params: Any = ()) -> None:
        connection = self._connection
        connection.statements.append(sql)
        if connection.refused and re.search(connection.refused, sql):
            raise sqlite3.OperationalError(f"refused: {connection.refused}")
        time.sleep(connection.seconds)
        self._cursor.execute(_with_question_marks(sql, connection.style, params), params)
        self._rows = None if connection.streams else self._cursor.fetchall()

    def fetchmany(self, size: int) -> list[Any]:
        if self._rows is None:
            return self._cursor.fetchmany(size)
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    def close(self) -> None:
        self._rows = None
        self._cursor.close()


def _with_question_marks(sql: str, style: str, params: Any) -> str:
    """*sql* as SQLite takes it; a bind in another style stays, and is an error there."""
    if style == "qmark":
        return sql
    if style == "named" or (style == "pyformat" and isinstance(params, Mapping)):
        return re.sub(r"%\((\w+)\)s", r":\1", sql)
    return re.sub(r"%(s|%)", lambda found: "?" if found[1] == "s" else "%", sql)
