"""The rows of an unbuffered cursor, as long as they are ours."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Protocol

from mesbatch.batch import Column, Row
from mesbatch.errors import ReadInterrupted, StatementError
from mesbatch.source.session import Session

MAY_BE_BYTES = frozenset({None, "binary", "varbinary", "blob", "bit", "geometry", "json"})


class Cursors(Protocol):
    """The part of a driver that knows its unbuffered cursors; see `MysqlDriver`."""

    def fetch(self, cursor: Any, size: int) -> list[Row]: ...
    def has_ended(self, cursor: Any) -> bool: ...
    def is_ours(self, cursor: Any) -> bool: ...
    def drain(self, cursor: Any) -> None: ...
    def forget(self, cursor: Any) -> None: ...


class UnbufferedRows:
    """Rows from the wire. Left early, the caller's connection is read to their end, and our own is ended.

    Another statement of the caller may take the rest of them: then the read ends with an error, never short.
    """

    columns: tuple[Column, ...] = ()

    def __init__(self, session: Session, driver: Cursors, cursor: Any) -> None:
        self._session, self._driver, self._cursor = session, driver, cursor
        self._unseen: list[int] = []  # columns that hold no bytes, and had only NULLs yet
        self._open, self._ended = True, False

    def describe(self, columns: tuple[Column, ...]) -> None:
        self.columns = columns
        self._unseen = [at for at, column in enumerate(columns) if column.type not in MAY_BE_BYTES]

    def fetch(self, size: int) -> list[Row]:
        if self._ended:
            return []
        self._check(ours=self._driver.is_ours(self._cursor))
        rows = self._driver.fetch(self._cursor, size)
        if len(rows) < size:
            self._check(ours=self._driver.has_ended(self._cursor))  # asked once: there the cursor may be closed
            self._ended = True
        if self._unseen:
            self._unseen = [at for at in self._unseen if not self._has_value(rows, at)]
        return rows

    def _has_value(self, rows: list[Row], at: int) -> bool:
        """Look at the first value of a column, which for all of the connection's values tells if they are decoded."""
        value = next((row[at] for row in rows if row[at] is not None), None)
        if isinstance(value, bytes | bytearray):
            raise decoding_is_off(type(value), self.columns[at].type)
        return value is not None

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        if self._session.owned and not self._ended:
            # The cursor goes first: mariadb frees a result after its connection by reading on from the next one.
            self._session.cut()
            self._driver.forget(self._cursor)
            self._session.close(spent=True)
        else:
            with suppress(Exception):  # such as a connection that was lost, or is the caller's other statement's
                self._driver.drain(self._cursor)
            self._driver.forget(self._cursor)

    def _check(self, *, ours: bool) -> None:
        if not ours:
            raise ReadInterrupted(
                "another statement ran on this connection between two batches, and took the rest of the result away: "
                "read on a connection of its own, such as that of a URL"
            )


def decoding_is_off(given: type, kind: str | None) -> StatementError:
    """The error for a connection that gives *given* for values of type *kind*, which no longer tell what they are."""
    return StatementError(
        f"this connection gives {given.__name__} for {kind}: connect without use_unicode=False or raw=True"
    )
