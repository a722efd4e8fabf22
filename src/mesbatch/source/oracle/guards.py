"""Dates of Oracle that Python has not: named by an expression that the database works out for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mesbatch.batch import Column, Row, quoted
from mesbatch.errors import UnencodableValue
from mesbatch.source.session import Params, Rows

MICROS = 6  # digits of a second's fraction that Python has
DATES = frozenset({"date", "timestamp", "timestamp_tz", "timestamp_ltz"})
TOO_EARLY = "{} < DATE '0001-01-01'"
TOO_FINE = "TO_CHAR({}, 'FF9') NOT LIKE '%000'"
FETCH_ROWS = 1_000


def fine_columns(columns: Sequence[Column]) -> dict[int, Column]:
    """Find the timestamps that may be finer than a microsecond, by their positions from 1."""
    return {
        number: column
        for number, column in enumerate(columns, 1)
        if column.type in DATES and column.type != "date" and (column.scale or 0) > MICROS
    }


def with_guard(sql: str, columns: dict[int, Column]) -> str:
    """Add a column to *sql*: the number of the first of *columns* whose value the driver would cut, or 0."""
    return f"SELECT mesbatch_rows.*, {_guard(TOO_FINE, columns)} AS mesbatch_guard FROM (\n{sql}\n) mesbatch_rows"


class GuardedRows:
    """*rows* of `with_guard` without that column; a value finer than a microsecond is refused."""

    def __init__(self, rows: Rows) -> None:
        self.columns, self.close = rows.columns[:-1], rows.close
        self._rows = rows
        self._taken = 0

    def fetch(self, size: int) -> list[Row]:
        """Take at most *size* rows.

        Raises:
            UnencodableValue: one of them holds a value that the driver has cut.
        """
        rows = self._rows.fetch(size)
        if any(row[-1] for row in rows):
            position, number = next((position, int(row[-1])) for position, row in enumerate(rows, 1) if row[-1])
            raise _refusal(self.columns[number - 1], self._taken + position, "a part of a microsecond")
        self._taken += len(rows)
        return [row[:-1] for row in rows]


def find_early_date(connection: Any, sql: str, params: Params, columns: Sequence[Column]) -> UnencodableValue | None:
    """Find the first value of *sql* that lies before the year 1."""
    dates = {number: column for number, column in enumerate(columns, 1) if column.type in DATES}
    if not dates:
        return None
    row = 0
    with connection.cursor() as cursor:
        cursor.arraysize = FETCH_ROWS
        cursor.execute(f"SELECT {_guard(TOO_EARLY, dates)} FROM (\n{sql}\n)", params or {})
        for row, (number,) in enumerate(cursor, 1):
            if number:
                return _refusal(dates[int(number)], row, "a date before the year 1")
    return None


def _guard(condition: str, columns: dict[int, Column]) -> str:
    cases = " ".join(
        f"WHEN {condition.format(quoted(column.name))} THEN {number}" for number, column in columns.items()
    )
    return f"CASE {cases} ELSE 0 END"


def _refusal(column: Column, row: int, kind: str) -> UnencodableValue:
    return UnencodableValue(
        f"column {column.name!r} of row {row:,}: {kind} has no form in Python: read it as text, {column.as_text}"
    )
