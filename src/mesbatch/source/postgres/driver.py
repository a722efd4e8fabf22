"""PostgreSQL through psycopg 3, which streams in two ways and leaves the transaction whole in only one of them."""

from __future__ import annotations

import os
import socket
from contextlib import closing, suppress
from itertools import count
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from mesbatch.batch import Column, Row
from mesbatch.errors import (
    ConnectionClosed,
    ConnectionLost,
    DatabaseBusy,
    DatabaseTimeout,
    InvalidText,
    MesbatchError,
    SnapshotTooOld,
)
from mesbatch.source.dbapi import DbapiDriver
from mesbatch.source.key_forms import KeyForms
from mesbatch.source.postgres.loaders import prepare
from mesbatch.source.postgres.named import NamedRows
from mesbatch.source.postgres.psycopg_keys import PsycopgKeys
from mesbatch.source.postgres.stream import StreamedRows
from mesbatch.source.session import Params, Rows, Session

SQLSTATES: dict[str, type[MesbatchError]] = {  # https://www.postgresql.org/docs/current/errcodes-appendix.html
    "08": ConnectionLost,  # connection exceptions
    "53300": DatabaseBusy,  # too_many_connections
    "55P03": DatabaseBusy,  # lock_not_available
    "57P01": ConnectionLost,  # admin_shutdown
    "57P02": ConnectionLost,  # crash_shutdown
    "57P03": DatabaseBusy,  # cannot_connect_now: it is starting
    "57014": DatabaseTimeout,  # query_canceled
    "22021": InvalidText,  # character_not_in_repertoire: the server itself checks what it sends to a client in UTF-8
    "40001": SnapshotTooOld,  # serialization_failure
    "72000": SnapshotTooOld,  # snapshot_too_old
}

_numbers = count()  # named cursors of one connection need different names


class PsycopgDriver(DbapiDriver):
    """psycopg 3: streamed on our own connections, a named cursor on the caller's.

    In the text format: the binary one is no faster for any type but bytea, takes twice as long for numeric, and has no
    loader for money, tsvector, xml and others.
    """

    dialect = "postgres"
    # The server of a stream sends on while we work, into the socket's buffers: a thread that fetched ahead of them took
    # 1.4 times as long for keys, groups and NDJSON, since both sides of it need the interpreter.
    waits_for_fetch = False
    max_binds = 65_535  # the protocol counts parameters in 16 bits
    keys: KeyForms = PsycopgKeys()
    shares_snapshots = True
    moves_between_threads = True

    def __init__(self, connection: Any = None) -> None:
        self.paramstyle = "pyformat"

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> Rows:  # type: ignore[override]
        if not session.owned:
            return self._named_cursor(session, sql, params)
        rows = StreamedRows(session, sql, params)
        try:  # a stream of no rows has no columns
            rows.columns = self.columns_of(session, sql, params) or () if rows.ended else describe(rows.cursor)
            return rows
        except BaseException:
            rows.close()
            raise

    def _named_cursor(self, session: Session, sql: str, params: Params) -> NamedRows:
        connection = session.connection
        # Without a transaction around it a cursor must be WITH HOLD: the server then keeps the result, not we.
        alone = connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE
        cursor = connection.cursor(f"mesbatch_{next(_numbers)}", row_factory=tuple_row, withhold=alone)
        try:
            prepare(cursor, session)
            cursor.execute(sql, params)
            return NamedRows(cursor, describe(cursor))
        except BaseException:
            cursor.close()
            raise

    def columns_of(self, session: Session, sql: str, params: Params) -> tuple[Column, ...] | None:
        with _described(session.connection, sql, params) as cursor:
            return describe(cursor)

    def cost_of(self, session: Session, sql: str, params: Params) -> float | None:
        ((plan,),) = self.fetch_all(session, f"EXPLAIN (FORMAT JSON) {sql}", params)
        return float(plan[0]["Plan"]["Total Cost"])

    def fetch_all(self, session: Session, sql: str, params: Params) -> list[Row]:
        with session.connection.cursor(row_factory=tuple_row) as cursor:
            prepare(cursor, session)
            rows: list[Row] = cursor.execute(sql, params).fetchall()
            return rows

    def begin_snapshot(self, session: Session, snapshot: str | None) -> str | None:
        connection = session.connection
        begin = (
            "BEGIN" if connection.autocommit else "SET TRANSACTION"
        )  # psycopg itself begins where it does not commit itself
        connection.execute(f"{begin} ISOLATION LEVEL REPEATABLE READ")
        if snapshot is None:
            return str(connection.execute("SELECT pg_export_snapshot()").fetchone()[0])
        connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        return snapshot

    def meaning_of(self, error: BaseException) -> type[MesbatchError] | None:
        if not isinstance(error, psycopg.Error):
            return None
        if error.sqlstate is not None:
            return SQLSTATES.get(error.sqlstate) or SQLSTATES.get(error.sqlstate[:2])
        if isinstance(error, psycopg.OperationalError):
            return ConnectionClosed if "the connection is closed" in str(error) else ConnectionLost
        return None

    def is_transient(self, error: BaseException) -> bool:
        return self.meaning_of(error) in {ConnectionClosed, ConnectionLost, DatabaseBusy, SnapshotTooOld}

    def interrupt(self, connection: Any) -> None:
        with suppress(Exception):
            connection.cancel_safe(timeout=1.0)
            return
        # A server that cannot be reached cannot cancel either: the reader is woken by the end of its socket.
        with socket.socket(fileno=os.dup(connection.pgconn.socket)) as wire:
            wire.shutdown(socket.SHUT_RDWR)


def describe(cursor: Any) -> tuple[Column, ...]:
    """The columns of a psycopg cursor, with PostgreSQL's own names of the types."""
    types = cursor.connection.adapters.types
    columns = []
    for column in cursor.description or ():
        known = types.get(column.type_code)
        name = known.name if known else None
        if known is not None and column.type_code == known.array_oid:
            name = f"{name}[]"
        columns.append(Column(column.name, name, column.display_size, column.precision, column.scale))
    return tuple(columns)


def _described(connection: Any, sql: str, params: Params) -> Any:
    """A cursor that knows the columns of *sql*, planned but not run."""
    cursor = connection.cursor(row_factory=tuple_row)
    try:
        cursor.execute(f"SELECT * FROM (\n{sql}\n) AS described LIMIT 0", params)
    except BaseException:
        cursor.close()
        raise
    return closing(cursor)
