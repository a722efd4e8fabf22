"""DuckDB through its own Python connection, which holds one result at a time."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import count
from typing import Any

from mesbatch.batch import Column, Row
from mesbatch.errors import (
    ConnectionClosed,
    DatabaseTimeout,
    MesbatchError,
    ReadInterrupted,
    StatementError,
    UnencodableValue,
)
from mesbatch.source.dbapi import DbapiDriver
from mesbatch.source.duckdb.guards import guard
from mesbatch.source.duckdb.keys import DuckdbKeys
from mesbatch.source.key_forms import KeyForms
from mesbatch.source.refusal import refuse
from mesbatch.source.session import Params, Session

ERRORS: dict[str, type[MesbatchError]] = {
    "InterruptException": DatabaseTimeout,
    "ConnectionException": ConnectionClosed,
}

END = -1
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_numbers = count()  # the results of one connection need different marks


class DuckdbRows:
    """The rows of the result that the connection holds, as long as it is ours.

    ``cursor()`` would be another connection, outside of the caller's transaction, so the rows come from the connection
    itself. There any other statement replaces the result: its rows, or its end, would come for ours. So our statement
    has one column more, whose name no other has: it is `END` in one last row, and in others the number of the first
    column whose value the client would change, or 0.
    """

    def __init__(self, connection: Any, columns: tuple[Column, ...], mark: str) -> None:
        self.columns = columns
        self._connection, self._mark = connection, mark
        self._open, self._ended = True, False
        self._waiting: list[Row] = []  # fetched, from one on that cannot be given
        self._taken = 0

    def fetch(self, size: int) -> list[Row]:
        """Take at most *size* rows.

        Raises:
            ReadInterrupted: another statement has taken the place of the result.
            UnencodableValue: the next row has a value that the client would change; the next call goes on after it.
        """
        if not self._waiting:
            self._waiting = self._fetch(size)
        rows, self._waiting = self._waiting, []
        if any(row[-1] for row in rows):
            position = next(position for position, row in enumerate(rows) if row[-1])
            rows, self._waiting = rows[:position], rows[position:]
            if not rows:
                raise self._refusal(self._waiting.pop(0))
        self._taken += len(rows)
        return [row[:-1] for row in rows]

    def _refusal(self, row: Row) -> UnencodableValue:
        self._taken += 1
        *values, number = row
        column = self.columns[number - 1]
        refusal = refuse(column, self._taken, None, "an infinity, a month, a nanosecond or another age")
        refusal.row, refusal.goes_on = tuple(values), True
        return refusal

    def _fetch(self, size: int) -> list[Row]:
        if self._ended:
            return []
        self._check()
        rows: list[Row] = self._connection.fetchmany(size)
        self._check()
        if not rows:
            raise ReadInterrupted(
                "the result was ended on the connection, by complete() or abort(), before its last row"
            )
        if rows[-1][-1] == END:
            self._ended = True
            rows.pop()
        return rows

    def close(self) -> None:
        if self._open:
            self._open = False
            if self._is_ours():  # also at its end: DuckDB knows that only once it has given no rows
                with suppress(AttributeError):  # before DuckDB 2 a result that is left hinders nobody
                    self._connection.abort()

    def _check(self) -> None:
        if not self._is_ours():
            raise ReadInterrupted(
                "another statement ran on this DuckDB connection between two batches, and took the place of the "
                "result: read on a connection of its own, such as con.cursor()"
            )

    def _is_ours(self) -> bool:
        description = self._connection.description
        return bool(description) and description[-1][0] == self._mark


class DuckdbDriver(DbapiDriver):
    """A database inside this process, which streams a result to the one connection that asked for it."""

    dialect = "duckdb"
    keys: KeyForms = DuckdbKeys()
    waits_for_fetch = False
    moves_between_threads = True

    def __init__(self, connection: Any = None) -> None:
        self.paramstyle = "qmark_dollar"

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> DuckdbRows:  # type: ignore[override]
        _check_is_free(session)
        columns = self.columns_of(session, sql, params) or ()
        mark = f"mesbatch_mark_{next(_numbers)}"
        names = [f"c{number}" for number in range(len(columns))]
        ours = f"FROM (\n{sql}\n) AS mesbatch_rows({', '.join(names)})"
        last = ", ".join(["NULL"] * len(columns))
        marked = f'SELECT *, {guard(columns, names)} AS "{mark}" {ours} UNION ALL SELECT {last}, {END}'
        _execute(session, marked, params)
        return DuckdbRows(session.connection, columns, mark)

    def columns_of(self, session: Session, sql: str, params: Params) -> tuple[Column, ...] | None:
        described = _execute(session, f"DESCRIBE {sql}", params).fetchall()
        return tuple(_column(name, kind) for name, kind, *_ in described)

    def run(self, session: Session, sql: str) -> None:
        _execute(session, sql, None)

    def begin_snapshot(self, session: Session, snapshot: str | None) -> str | None:
        self.run(session, "BEGIN TRANSACTION")
        return None

    def meaning_of(self, error: BaseException) -> type[MesbatchError] | None:
        return ERRORS.get(type(error).__name__)

    def is_transient(self, error: BaseException) -> bool:
        return False  # what fails in a database inside this process fails again

    def interrupt(self, connection: Any) -> None:
        connection.interrupt()


def _execute(session: Session, sql: str, params: Params) -> Any:
    connection = session.connection
    return connection.execute(sql) if params is None else connection.execute(sql, params)


def _check_is_free(session: Session) -> None:
    """Raise StatementError while the caller's own result on the connection is not at its end: ours would replace it."""
    try:
        session.connection.sql("SELECT 1").fetchall()
    except Exception as error:
        if type(error).__name__ != "ResourceInUseException":
            raise
        raise StatementError(
            "the DuckDB connection holds a result that was not fetched to its end, which this read would replace: "
            "fetch it first, or read on con.cursor()"
        ) from error


def _column(name: str, kind: str) -> Column:
    if match := _DECIMAL.fullmatch(kind):
        return Column(name, "decimal", None, int(match[1]), int(match[2]))
    return Column(name, kind.lower())
