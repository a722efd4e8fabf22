"""Any database through pyodbc: a driver of which nothing more is known than that its cursors can be cancelled."""

from __future__ import annotations

from typing import Any

from mesbatch.batch import Column
from mesbatch.errors import ConnectionLost, DatabaseTimeout, MesbatchError
from mesbatch.source.buffering import BufferWatch
from mesbatch.source.dbapi import CursorRows, DbapiDriver, describe
from mesbatch.source.session import Params, Session

SQLSTATES: dict[str, type[MesbatchError]] = {  # https://learn.microsoft.com/sql/odbc/reference/appendixes
    "08": ConnectionLost,  # connection exceptions
    "HYT00": DatabaseTimeout,  # timeout expired
    "HYT01": DatabaseTimeout,  # connection timeout expired
    "HY008": DatabaseTimeout,  # operation cancelled
    "57014": DatabaseTimeout,  # PostgreSQL's query_canceled
    "57P01": ConnectionLost,  # PostgreSQL's admin_shutdown
    "57P02": ConnectionLost,  # PostgreSQL's crash_shutdown
}


class _OdbcRows(CursorRows):
    """The rows of a cursor that is among *running* while it is open."""

    def __init__(self, cursor: Any, columns: tuple[Column, ...], watch: BufferWatch, running: set[Any]) -> None:
        super().__init__(cursor, columns, watch)
        self._running = running

    def close(self) -> None:
        self._running.discard(self._cursor)
        super().close()


class OdbcDriver(DbapiDriver):
    """pyodbc. ODBC drivers that hold a whole result are told by `UnboundedDriver`, as with any unknown driver.

    Psqlodbc does so without ``UseDeclareFetch=1`` in the connection string.
    """

    dialect = "odbc"

    def __init__(self, connection: Any = None) -> None:
        super().__init__(connection)
        self._running: set[Any] = set()  # cursors, which know nothing of weak references

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> CursorRows:
        watch = BufferWatch(max_bytes)
        cursor = session.connection.cursor()
        self._running.add(cursor)
        try:
            cursor.execute(sql) if params is None else cursor.execute(sql, params)
            return _OdbcRows(cursor, describe(cursor.description), watch, self._running)
        except BaseException:
            self._running.discard(cursor)
            cursor.close()
            raise

    def meaning_of(self, error: BaseException) -> type[MesbatchError] | None:
        if type(error).__module__ != "pyodbc" or not error.args:
            return None
        state = str(error.args[0])
        return SQLSTATES.get(state) or SQLSTATES.get(state[:2])

    def interrupt(self, connection: Any) -> None:
        for cursor in list(self._running):
            cursor.cancel()
