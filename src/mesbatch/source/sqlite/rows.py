"""The rows of a SQLite cursor, of which some may hold text that is no UTF-8."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

from mesbatch.batch import Column, Row
from mesbatch.errors import RowTooLarge, UnencodableValue
from mesbatch.source.session import OnInvalidText, Params
from mesbatch.source.texts import RawText, decode_row
from mesbatch.units import format_bytes

LIMIT_LENGTH = 0  # SQLITE_LIMIT_LENGTH: the largest value or row in bytes, looked at whenever a value is read
MAX_LENGTH = 1_000_000_000  # SQLITE_MAX_LENGTH
TOO_BIG = 18  # SQLITE_TOOBIG

RawRows = Callable[[int], Generator[Row]]  # the rows from a position on, whose texts are `RawText`


class SqliteRows:
    """The rows of *cursor* by iteration, which is 10 % faster than ``fetchmany``.

    A value above *max_bytes* is refused by SQLite itself, before it is copied. The limit belongs to the connection, so
    it stands only while we fetch. From the first row on whose text is no UTF-8, *raw_rows* gives the rows.
    """

    def __init__(
        self,
        cursor: Any,
        columns: tuple[Column, ...],
        max_bytes: int,
        raw_rows: RawRows,
        on_invalid_text: OnInvalidText,
    ) -> None:
        self.columns = columns
        self._cursor, self._max_bytes = cursor, min(max_bytes, MAX_LENGTH)
        self._raw_rows, self._on_invalid_text = raw_rows, on_invalid_text
        self._taken = 0  # rows
        self._raw: Generator[Row] | None = None
        self._refusal: UnencodableValue | None = None  # of the row after those that were given out
        connection = cursor.connection
        self._limit = connection.setlimit if isinstance(connection, sqlite3.Connection) else connection.limit

    def fetch(self, size: int) -> list[Row]:
        """Take at most *size* rows.

        Raises:
            RowTooLarge: SQLite refused a value for its size.
            UnencodableValue: the text of the next row is no UTF-8; the next call goes on after it.
        """
        refusal, self._refusal = self._refusal, None
        if refusal is not None:
            raise refusal
        with self._limited():
            rows: list[Row] = []
            if self._raw is None:
                try:
                    rows.extend(islice(self._cursor, size))
                    return rows
                except Exception as error:
                    if not is_invalid_text(error):
                        raise
                    self._raw = self._raw_rows(self._taken + len(rows))
                finally:
                    self._taken += len(rows)
            return self._decode(self._raw, rows, size - len(rows))

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()
        self._cursor.close()

    def _decode(self, raw: Iterator[Row], rows: list[Row], size: int) -> list[Row]:
        """Add the next *size* rows of *raw* to *rows*, or those before one that is refused."""
        for row in islice(raw, size):
            self._taken += 1
            try:
                rows.append(decode_row(row, self.columns, self._taken, self._on_invalid_text))
            except UnencodableValue as refusal:
                if not rows:
                    raise
                self._refusal = refusal
                break
        return rows

    @contextmanager
    def _limited(self) -> Iterator[None]:
        before = self._limit(LIMIT_LENGTH, self._max_bytes)
        try:
            yield
        except Exception as error:
            if result_code(error) == TOO_BIG:
                limit = format_bytes(self._max_bytes)
                raise RowTooLarge(
                    f"a value alone is larger than max_bytes={limit}: raise it, or leave the column out"
                ) from error
            raise
        finally:
            with suppress(Exception):  # closed in the middle of a fetch, by a signal that ends the process
                self._limit(LIMIT_LENGTH, before)


def is_invalid_text(error: Exception) -> bool:
    """Tell whether *error* is that of sqlite3 or apsw for a text that is no UTF-8."""
    return isinstance(error, UnicodeDecodeError) or "Could not decode to UTF-8" in str(error)


def result_code(error: BaseException) -> int:
    """Find SQLite's primary result code behind an error of sqlite3 or apsw; 0 where there is none."""
    code = getattr(error, "sqlite_errorcode", None) or getattr(error, "result", None) or 0
    return code & 0xFF


def raw_rows_of_sqlite3(cursor: Any) -> Generator[Row]:
    """Read the rest of *cursor*, which stands on the row that it could not decode."""
    connection = cursor.connection
    while True:
        before, connection.text_factory = connection.text_factory, RawText
        try:
            row = next(cursor, None)
        finally:
            connection.text_factory = before
        if row is None:
            return
        yield row


def raw_rows_of_apsw(
    connection: Any, sql: str, params: Params, columns: Sequence[Column], start: int
) -> Generator[Row]:
    """Read the rows of *sql* from the *start*-th on: apsw has no way to give the bytes of a text but a cast.

    As long as the first cursor is open, the transaction that it reads in is the same.
    """
    names = [f"c{number}" for number in range(len(columns))]
    terms = ", ".join(
        f"typeof({name}) = 'text', CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END"
        for name in names
    )
    cursor = connection.cursor()
    try:
        cursor.exec_trace = cursor.row_trace = None
        cursor.execute(
            f"WITH mesbatch_rows({', '.join(names)}) AS (\n{sql}\n) SELECT {terms} FROM mesbatch_rows "
            f"LIMIT -1 OFFSET {start}",
            params,
        )
        for pairs in cursor:
            yield tuple(RawText(value) if is_text else value for is_text, value in zip(pairs[::2], pairs[1::2]))
    finally:
        cursor.close()
