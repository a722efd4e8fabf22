"""The rows of a named cursor of psycopg, fetched in round trips."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesbatch.batch import Column, Row
from mesbatch.source.postgres.refusal import is_of_loading, load_until_refused, refusal_of


class NamedRows:
    """The rows of *cursor*; after one that cannot be loaded the others of its round trip still come.

    *end* ends the transaction that was begun for them.
    """

    def __init__(self, cursor: Any, columns: tuple[Column, ...], end: Callable[[], object] | None = None) -> None:
        self.columns = columns
        self._cursor, self._end = cursor, end
        self._rows = 0  # given out before
        self._at = self._fetched = 0  # of the last round trip, where a row of it could not be loaded

    def fetch(self, size: int) -> list[Row]:
        """At most *size* rows.

        Raises:
            UnencodableValue: the next row has a value that cannot be loaded; the next call goes on after it.
        """
        if self._at < self._fetched:
            rows = self._load_or_refuse(size)
        else:
            try:
                rows = self._cursor.fetchmany(size)
            except Exception as error:
                if not is_of_loading(error):
                    raise
                self._at, self._fetched = 0, self._cursor.pgresult.ntuples
                rows = self._load_or_refuse(size)
        self._rows += len(rows)
        return rows

    def close(self) -> None:
        self._cursor.close()
        if self._end is not None:
            self._end()

    def _load_or_refuse(self, size: int) -> list[Row]:
        rows = load_until_refused(self._cursor._tx, self._at, min(self._fetched, self._at + size))
        self._at += len(rows)
        if rows:
            return rows
        error = refusal_of(self._cursor._tx, self._at, self.columns, self._rows + 1)
        self._at += 1
        self._rows += 1
        raise error
