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
from mesbatch.errors import ConnectionClosed, ConnectionLost, MesbatchError
from mesbatch.source.key_forms import KeyForms
from mesbatch.source.postgres.errors import meaning_of_sqlstate
from mesbatch.source.postgres.loaders import prepare
from mesbatch.source.postgres.named import NamedRows
from mesbatch.source.postgres.psycopg_keys import PsycopgKeys
from mesbatch.source.postgres.server import ServerDriver, is_declarable
from mesbatch.source.postgres.stream import StreamedRows
from mesbatch.source.session import Params, Rows, Session

_numbers = count()  # named cursors of one connection need different names


class PsycopgDriver(ServerDriver):
    """psycopg 3: streamed on our own connections, a named cursor on the caller's.

    With a libpq before 17 there are named cursors only: it hands over a stream row by row, which took 1.7 times as long
    as a named cursor in round trips of 500 rows (1.8 times as long with psycopg's implementation in C).

    In the text format: the binary one is no faster for any type but bytea, takes twice as long for numeric, and has no
    loader for money, tsvector, xml and others.
    """

    keys: KeyForms = PsycopgKeys()

    def __init__(self, connection: Any = None) -> None:
        self.paramstyle = "pyformat"
        # The server of a stream sends on while we work, into the socket's buffers: a thread that fetched ahead of them
        # took 1.4 times as long for keys, groups and NDJSON, since both sides of it need the interpreter.
        self.waits_for_fetch = not psycopg.capabilities.has_stream_chunked()

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> Rows:  # type: ignore[override]
        if not session.owned or not psycopg.capabilities.has_stream_chunked():
            if not is_declarable(sql):
                return super().execute(session, sql, params, max_bytes)
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
        alone = connection.autocommit and self.is_idle(connection)
        if alone and session.owned:
            connection.execute("BEGIN")
        # Without a transaction around it a cursor must be WITH HOLD: the server then keeps the result, not we.
        hold = alone and not session.owned
        cursor = connection.cursor(f"mesbatch_{next(_numbers)}", row_factory=tuple_row, withhold=hold)
        try:
            prepare(cursor, session, columnar=session.columnar)
            cursor.execute(sql, params)
            return NamedRows(cursor, describe(cursor), connection.rollback if alone and session.owned else None)
        except BaseException:
            cursor.close()
            if alone and session.owned:
                connection.rollback()
            raise

    def columns_of(self, session: Session, sql: str, params: Params) -> tuple[Column, ...] | None:
        with _described(session.connection, sql, params) as cursor:
            return describe(cursor)

    def fetch_all(self, session: Session, sql: str, params: Params) -> list[Row]:
        with session.connection.cursor(row_factory=tuple_row) as cursor:
            prepare(cursor, session, columnar=False)
            rows: list[Row] = cursor.execute(sql, params).fetchall()
            return rows

    def meaning_of(self, error: BaseException) -> type[MesbatchError] | None:
        if not isinstance(error, psycopg.Error):
            return None
        if error.sqlstate is not None:
            return meaning_of_sqlstate(error.sqlstate)
        if isinstance(error, psycopg.OperationalError):
            return ConnectionClosed if "the connection is closed" in str(error) else ConnectionLost
        return None

    def is_idle(self, connection: Any) -> bool:
        return bool(connection.info.transaction_status == TransactionStatus.IDLE)

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
