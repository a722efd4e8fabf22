"""Oracle through python-oracledb, whose defaults cost ten times the round trips or all of the memory."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from mesbatch.batch import Column, Row
from mesbatch.errors import (
    ConnectionClosed,
    ConnectionLost,
    DatabaseBusy,
    DatabaseTimeout,
    MesbatchError,
    SnapshotTooOld,
)
from mesbatch.source.dbapi import DbapiDriver, describe
from mesbatch.source.session import Params, Rows, Session

FETCH_ROWS = 500  # rows taken from the driver's array at a time: 0.82 us a row, and half the memory of the whole array
ARRAY_ROWS = 1_000  # client CPU per row is flat from here on, memory is linear in it
LOB_ARRAY_ROWS = 10  # inline LOBs peak at three times the array times the LOB's size
ERROR_CODES: dict[str, type[MesbatchError]] = {
    "DPY-1001": ConnectionClosed,  # not connected to the database
    "DPY-4011": ConnectionLost,  # the database or network closed the connection
    "DPY-4024": DatabaseTimeout,  # call timeout exceeded
    "DPY-4005": DatabaseBusy,  # no connection in the pool within its wait
    "DPY-6005": ConnectionLost,  # cannot connect
    "ORA-00028": ConnectionLost,  # the session was killed
    "ORA-01013": DatabaseTimeout,  # cancelled
    "ORA-01555": SnapshotTooOld,
    "ORA-02396": ConnectionLost,  # idle for too long
    "ORA-03113": ConnectionLost,
    "ORA-03114": ConnectionLost,
    "ORA-12516": DatabaseBusy,
    "ORA-12519": DatabaseBusy,
}


class OracleRows:
    """Rows of an Oracle cursor: at most 500 a call, out of an array that the budget has sized."""

    def __init__(self, cursor: Any, columns: tuple[Column, ...]) -> None:
        self.columns = columns
        self._cursor = cursor

    def fetch(self, size: int) -> list[Row]:
        rows: list[Row] = self._cursor.fetchmany(min(size, FETCH_ROWS))
        return rows

    def close(self) -> None:
        self._cursor.close()


class OracleDriver(DbapiDriver):
    """python-oracledb in thin mode."""

    name = "oracle"
    max_binds = 1_000  # ORA-01795: an IN list holds no more; an array bind does
    padded_types = frozenset({"char", "nchar"})
    moves_between_threads = True

    def __init__(self) -> None:
        self.paramstyle = "named"

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> Rows:  # type: ignore[override]
        if session.columnar and (rows := self._record_batches(session, sql, params, max_bytes)) is not None:
            return rows
        cursor = session.connection.cursor()
        try:
            cursor.arraysize = ARRAY_ROWS
            cursor.execute(sql) if params is None else cursor.execute(sql, params)
            columns = _columns(cursor)
            cursor.arraysize = array_rows(columns, max_bytes)
            return OracleRows(cursor, columns)
        except BaseException:
            cursor.close()
            raise

    def _record_batches(self, session: Session, sql: str, params: Params, max_bytes: int) -> Rows | None:
        from mesbatch.source.oracle_arrow import fetch_record_batches

        columns = self._columns_with(session, sql, params) if params else self.columns_of(session, sql, None)
        if columns is None:
            return None
        return fetch_record_batches(session.connection, sql, params, columns, array_rows(columns, max_bytes))

    def _columns_with(self, session: Session, sql: str, params: Params) -> tuple[Column, ...] | None:
        """The columns of a statement with binds, which a server may want to see before it describes anything."""
        with session.connection.cursor() as cursor, suppress(Exception):  # two columns of one name; the read tells
            cursor.execute(f"SELECT * FROM (\n{sql}\n) WHERE 1 = 0", params)
            return _columns(cursor)
        return None

    def columns_of(self, session: Session, sql: str, params: Params) -> tuple[Column, ...] | None:
        with session.connection.cursor() as cursor:
            cursor.parse(sql)
            return _columns(cursor)

    def begin_snapshot(self, session: Session, snapshot: str | None) -> str | None:
        self.run(session, "SET TRANSACTION READ ONLY")
        return None

    def meaning_of(self, error: BaseException) -> type[MesbatchError] | None:
        return ERROR_CODES.get(getattr(error.args[0], "full_code", "") if error.args else "")

    def is_transient(self, error: BaseException) -> bool:
        return self.meaning_of(error) in {ConnectionClosed, ConnectionLost, DatabaseBusy, SnapshotTooOld}

    def interrupt(self, connection: Any) -> None:
        if connection.is_healthy():  # cancel() on a dead session kills the interpreter
            connection.cancel()


def _columns(cursor: Any) -> tuple[Column, ...]:
    describe(cursor.description)
    return tuple(
        Column(
            info.name,
            info.type_code.name.removeprefix("DB_TYPE_").lower(),
            info.internal_size,
            info.precision or None,
            info.scale,
        )
        for info in cursor.description
    )


def array_rows(columns: tuple[Column, ...], max_bytes: int) -> int:
    """How many rows the driver may fetch in one round trip: a third of the budget by the declared widths."""
    if any(column.type in {"clob", "nclob", "blob"} for column in columns):
        return LOB_ARRAY_ROWS
    width = sum(50 + (column.width or 0) for column in columns)
    return max(100, min(ARRAY_ROWS, max_bytes // 3 // width))
