"""The rows of an unbuffered cursor, as long as they are ours."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Protocol

from mesbatch.batch import Column, Row
from mesbatch.errors import ReadInterrupted
from mesbatch.source.session import Session


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
        self._open, self._ended = True, False

    def fetch(self, size: int) -> list[Row]:
        if self._ended:
            return []
        self._check(ours=self._driver.is_ours(self._cursor))
        rows = self._driver.fetch(self._cursor, size)
        if len(rows) < size:
            self._check(ours=self._driver.has_ended(self._cursor))  # asked once: there the cursor may be closed
            self._ended = True
        return rows

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
