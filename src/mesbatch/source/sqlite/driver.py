"""SQLite through the standard library's sqlite3, and through apsw where that is what the caller has."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing
from functools import partial
from typing import Any

from mesbatch.batch import Column, Row
from mesbatch.errors import ConnectionClosed, DatabaseBusy, DatabaseTimeout, MesbatchError, RowTooLarge
from mesbatch.source.dbapi import DbapiDriver, describe
from mesbatch.source.key_forms import KeyForms
from mesbatch.source.session import Params, Session
from mesbatch.source.sqlite.keys import SqliteKeys
from mesbatch.source.sqlite.rows import (
    MAX_LENGTH,
    TOO_BIG,
    SqliteRows,
    raw_rows_of_apsw,
    raw_rows_of_sqlite3,
    result_code,
)
from mesbatch.sql.query import find_order_by

RESULT_CODES: dict[int, type[MesbatchError]] = {  # https://www.sqlite.org/rescode.html
    5: DatabaseBusy,  # SQLITE_BUSY
    6: DatabaseBusy,  # SQLITE_LOCKED
    9: DatabaseTimeout,  # SQLITE_INTERRUPT
    TOO_BIG: RowTooLarge,
}


class SqliteDriver(DbapiDriver):
    """A database inside this process: the common part of sqlite3 and apsw."""

    dialect = "sqlite"
    keys: KeyForms = SqliteKeys()
    waits_for_fetch = False
    max_binds = 32_766  # SQLITE_MAX_VARIABLE_NUMBER
    bounded_values = True

    def __init__(self, connection: Any = None) -> None:
        self.paramstyle = "qmark"

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> SqliteRows:  # type: ignore[override]
        cursor = session.connection.cursor()
        try:
            bound = () if params is None else params
            columns = self._start(cursor, sql, bound)
            raw_rows = partial(self._raw_rows, cursor, sql, bound, columns)
            return SqliteRows(cursor, columns, max_bytes, raw_rows, session.on_invalid_text)
        except BaseException:
            cursor.close()
            raise

    def _start(self, cursor: Any, sql: str, params: Any) -> tuple[Column, ...]:
        cursor.row_factory = None  # the caller's own may make objects that are no tuples
        cursor.execute(sql, params)
        return describe(cursor.description)

    def _raw_rows(
        self, cursor: Any, sql: str, params: Params, columns: tuple[Column, ...], start: int
    ) -> Generator[Row]:
        """Read the rows of *cursor* from the *start*-th on, with their texts as bytes."""
        return raw_rows_of_sqlite3(cursor)

    def columns_of(self, session: Session, sql: str, params: Params) -> tuple[Column, ...] | None:
        """A derived table would give repeated names a number each, so it is used only where a LIMIT stands already."""
        text = f"SELECT * FROM (\n{sql}\n) LIMIT 0" if find_order_by(sql).is_limited else f"{sql}\nLIMIT 0"
        rows = self.execute(session, text, params, MAX_LENGTH)
        rows.close()
        return rows.columns

    def fetch_all(self, session: Session, sql: str, params: Params) -> list[Row]:
        with closing(session.connection.cursor()) as cursor:
            self._start(cursor, sql, () if params is None else params)
            rows: list[Row] = cursor.fetchall()
            return rows

    def begin_snapshot(self, session: Session, snapshot: str | None) -> str | None:
        self.run(session, "BEGIN")
        return None

    def meaning_of(self, error: BaseException) -> type[MesbatchError] | None:
        if "closed" in str(error) and type(error).__name__ in {"ProgrammingError", "ConnectionClosedError"}:
            return ConnectionClosed
        return RESULT_CODES.get(result_code(error))

    def is_transient(self, error: BaseException) -> bool:
        # The code is the library's word; an OperationalError without one came from something that stands before it.
        return result_code(error) in {5, 6, 10} or (
            isinstance(error, sqlite3.OperationalError) and not result_code(error)
        )

    def interrupt(self, connection: Any) -> None:
        connection.interrupt()


class ApswDriver(SqliteDriver):
    """apsw: the same SQLite, 1.7 times as fast, and it knows the declared types of columns."""

    def _start(self, cursor: Any, sql: str, params: Any) -> tuple[Column, ...]:
        described: list[tuple[Any, ...]] = []

        def remember(cursor: Any, statement: str, bindings: Any) -> bool:
            described.extend(cursor.get_description())  # later it is gone when the result has no rows
            return True

        cursor.exec_trace, cursor.row_trace = remember, None
        cursor.execute(sql, params)
        describe(described or None)
        return tuple(Column(name, *_declared(declared)) for name, declared in described)

    def _raw_rows(
        self, cursor: Any, sql: str, params: Params, columns: tuple[Column, ...], start: int
    ) -> Generator[Row]:
        return raw_rows_of_apsw(cursor.connection, sql, params, columns, start)


def _declared(text: str | None) -> tuple[str | None, int | None, int | None, int | None]:
    """Type, width, precision and scale of a declaration such as ``VARCHAR(16)`` or ``NUMERIC(12, 3)``."""
    if not text:
        return None, None, None, None
    name, _, numbers = text.lower().rstrip(") ").partition("(")
    sizes = [int(number) for number in numbers.split(",") if number.strip().isdigit()]
    if name.strip() in {"numeric", "number", "decimal"}:
        return name.strip(), None, *(*sizes, None, None)[:2]  # type: ignore[return-value]
    return name.strip(), sizes[0] if sizes else None, None, None
