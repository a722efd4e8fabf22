"""The rows of an Oracle cursor, whose array is sized by the budget and by what its rows turn out to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mesbatch.batch import Column, Row, measure_rows
from mesbatch.source.oracle.columns import LONG_TYPES
from mesbatch.source.oracle.lobs import LobReader

FETCH_ROWS = 500  # rows taken from the driver's array at a time: 0.82 us a row, and half the memory of the whole array
ARRAY_ROWS = 1_000  # client CPU per row is flat from here on, memory is linear in it
FIRST_ARRAY_ROWS = 100  # at least, whatever the widths say: real values are mostly far below them
LOB_ARRAY_ROWS = 100  # of locators, whose LOBs are read one by one
HUGE_ARRAY_ROWS = 10  # where a value may be a LOB, or is kept like one
HUGE = 8_000  # a declared width from here on promises nothing
VALUE_BYTES = 50  # an object's head, or a small value
COPIES = 3  # of an inline LOB are alive at once: packets, the driver's value and ours
SAMPLED_ROWS = 4


class OracleRows:
    """At most 500 rows a call, out of an array that the driver fills in one round trip.

    *share* is what the driver may hold, asked anew before each fetch. *row_bytes* is what a row of this statement
    holds, as far as it is known by now.
    """

    def __init__(
        self,
        cursor: Any,
        columns: tuple[Column, ...],
        share: Callable[[], int],
        lobs: LobReader | None = None,
        row_bytes: float | None = None,
    ) -> None:
        self.columns = columns
        self._cursor, self._share, self._lobs = cursor, share, lobs
        self._inline = lobs is not None and lobs.policy == "inline"
        self._waiting: Sequence[Row] = ()  # fetched, their LOBs not yet read
        self.row_bytes = row_bytes
        self._until_adapted = 0  # rows
        cursor.arraysize = self._first_array() if row_bytes is None else array_rows(share(), row_bytes)

    def fetch(self, size: int) -> list[Row]:
        if self._lobs is not None and not self._inline:
            return self._fetch_by_locator(size, self._lobs)
        rows: list[Row] = self._cursor.fetchmany(min(size, FETCH_ROWS))
        if rows:
            if self._lobs is not None:
                self._lobs.check(rows)
            self._until_adapted -= len(rows)
            if self._until_adapted <= 0:
                self._adapt(rows)
        return rows

    def close(self) -> None:
        self._waiting = ()
        self._cursor.close()

    def _fetch_by_locator(self, size: int, lobs: LobReader) -> list[Row]:
        if not self._waiting:
            self._waiting = self._cursor.fetchmany(min(size, LOB_ARRAY_ROWS))
        rows, count = lobs.read_rows(self._waiting[:size], self._share())
        self._waiting = self._waiting[count:]
        return rows

    def _adapt(self, rows: list[Row]) -> None:
        """Size the next array by the last rows of this one."""
        sample = rows[:: -(-len(rows) // SAMPLED_ROWS)]
        self.row_bytes = measure_rows(sample) / len(sample) * (COPIES if self._inline else 1)
        self._cursor.arraysize = self._until_adapted = array_rows(self._share(), self.row_bytes)

    def _first_array(self) -> int:
        share = self._share()
        if self._lobs is not None:
            inline = share // (COPIES * self._lobs.limit * len(self._lobs.columns))
            return max(1, min(LOB_ARRAY_ROWS, inline)) if self._inline else LOB_ARRAY_ROWS
        return rows_by_width(self.columns, share)


def rows_by_width(columns: Sequence[Column], share: int, most: int = ARRAY_ROWS) -> int:
    """The rows that the driver may fetch in one round trip before any is seen, by their declared widths."""
    widths = [HUGE if column.type in LONG_TYPES else column.width or 0 for column in columns]
    at_least = FIRST_ARRAY_ROWS if max(widths, default=0) < HUGE else HUGE_ARRAY_ROWS
    return max(at_least, min(most, share // sum(VALUE_BYTES + width for width in widths)))


def array_rows(share: int, row_bytes: float) -> int:
    """The rows that the driver may fetch in one round trip."""
    return max(1, min(ARRAY_ROWS, int(share / row_bytes)))
