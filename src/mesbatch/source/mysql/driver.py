"""MySQL and MariaDB through their four drivers, each by its unbuffered cursor."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from socket import SHUT_RDWR, socket
from typing import Any

from mesbatch.batch import Column, Row
from mesbatch.errors import (
    ConnectionClosed,
    ConnectionLost,
    DatabaseBusy,
    MesbatchError,
    SnapshotTooOld,
    StatementError,
)
from mesbatch.source.dbapi import DbapiDriver
from mesbatch.source.key_forms import KeyForms
from mesbatch.source.mysql.errors import REPEATED_NAME, meaning_of, number_of
from mesbatch.source.mysql.keys import MysqlKeys
from mesbatch.source.mysql.rows import UnbufferedRows, decoding_is_off
from mesbatch.source.session import Params, Session
from mesbatch.source.unwrap import unwrap
from mesbatch.sql.backslashes import without_backslashed_quotes
from mesbatch.sql.query import check_reads, find_order_by

DRAINED_ROWS = 1_000  # at once, of a result that nobody wants


class MysqlDriver(DbapiDriver):
    """The common part of the drivers: what the server knows.

    An unbuffered cursor takes rows from the wire as they are asked for. Nothing else can run on its connection
    meanwhile, and the server sends all rows: a result that is left early is read to its end on the caller's connection,
    and our own connection is ended.
    """

    dialect = "mysql"
    keys: KeyForms = MysqlKeys()
    waits_for_fetch = False  # the server sends on while we work, into the socket's buffers
    max_binds = 65_535  # of a prepared statement, which mariadb makes for dates and bytes
    moves_between_threads = True
    waits_for_goodbye = True  # a connection with rows on the way does not hear an orderly end
    cuts_borrowed = False

    def __init__(self, connection: Any = None) -> None:
        self.paramstyle = "pyformat"
        self.number: int | None = None  # the server's, asked now: a driver that waits in another thread does not tell
        with suppress(Exception):  # of a connection that is closed
            self.number = self.thread_id(connection)

    # -- the differences between drivers

    def cursor(self, connection: Any) -> Any:
        """An unbuffered cursor that gives tuples, whatever the connection's own cursors give."""
        raise NotImplementedError

    def columns(self, cursor: Any) -> tuple[Column, ...]:
        """The columns of an executed statement."""
        raise NotImplementedError

    def thread_id(self, connection: Any) -> int:
        """The server's number of the connection."""
        return int(connection.thread_id())

    def start(self, cursor: Any, sql: str, params: Params) -> None:
        """Execute *sql*."""
        cursor.execute(sql) if params is None else cursor.execute(sql, params)

    def fetch(self, cursor: Any, size: int) -> list[Row]:
        """At most *size* further rows, and fewer only at the end."""
        rows = cursor.fetchmany(size)
        return rows if type(rows) is list else list(rows)

    def has_ended(self, cursor: Any) -> bool:
        """True where a fetch that gave too few rows came to the end of its own result."""
        return True

    def is_ours(self, cursor: Any) -> bool:
        """True while the connection's result is still that of *cursor*."""
        return True

    def drain(self, cursor: Any) -> None:
        """Take what the server still sends for *cursor*, without keeping it."""
        cursor.close()

    def forget(self, cursor: Any) -> None:
        """Let go of *cursor*, whose connection has ended."""
        with suppress(Exception):
            cursor.close()

    # -- the same for all

    def as_read(self, session: Session, sql: str) -> str:
        ((modes,),) = self.fetch_all(session, "SELECT @@sql_mode", None)
        if not isinstance(modes, str):
            raise decoding_is_off(type(modes), "text")
        return check_reads(
            without_backslashed_quotes(
                sql, backslashes="NO_BACKSLASH_ESCAPES" not in modes, quoted_names="ANSI_QUOTES" in modes
            )
        )

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> UnbufferedRows:  # type: ignore[override]
        cursor = self.cursor(session.connection)
        try:
            self.start(cursor, sql, params)
        except BaseException:
            self.forget(cursor)
            raise
        rows = UnbufferedRows(session, self, cursor)
        try:
            if not cursor.description:
                raise StatementError("the statement returns no rows: only queries can be read")
            rows.describe(self.columns(cursor))
            return rows
        except BaseException:
            rows.close()
            raise

    def columns_of(self, session: Session, sql: str, params: Params) -> tuple[Column, ...] | None:
        """A derived table refuses repeated names, so it is used only where a LIMIT cannot follow.

        Where even that has repeated names, the statement itself tells them, with the rows that it gives for no key.
        """
        order = find_order_by(sql)
        if not (order.is_limited or order.is_locking):
            return self._described(session, f"{sql}\nLIMIT 0", params)
        try:
            return self._described(session, f"SELECT * FROM (\n{sql}\n) mesbatch_described\nLIMIT 0", params)
        except Exception as error:
            if number_of(error) != REPEATED_NAME:
                raise
        return self._described(session, sql, params)

    def _described(self, session: Session, sql: str, params: Params) -> tuple[Column, ...]:
        with closing(self.cursor(session.connection)) as cursor:
            self.start(cursor, sql, params)
            columns = self.columns(cursor)
            while self.fetch(cursor, DRAINED_ROWS):
                pass
        return columns

    def fetch_all(self, session: Session, sql: str, params: Params) -> list[Row]:
        with closing(self.cursor(session.connection)) as cursor:
            self.start(cursor, sql, params)
            rows = list(cursor.fetchall())
            self.has_ended(cursor)
            return rows

    def run(self, session: Session, sql: str) -> None:
        with closing(self.cursor(session.connection)) as cursor:
            self.start(cursor, sql, None)

    def begin_snapshot(self, session: Session, snapshot: str | None) -> str | None:
        self.run(session, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # of the next transaction only
        self.run(session, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
        return None

    def meaning_of(self, error: BaseException) -> type[MesbatchError] | None:
        return meaning_of(error)

    def is_transient(self, error: BaseException) -> bool:
        return isinstance(error, OSError) or meaning_of(error) in {
            ConnectionClosed, ConnectionLost, DatabaseBusy, SnapshotTooOld,
        }  # fmt: skip

    def interrupt_session(self, session: Session) -> None:
        """KILL QUERY by a second connection, for one that we opened: the caller's own is left to its statement."""
        if not session.owned:
            return
        if session.connect_again is None or self.number is None:
            self.cut(session.connection)
            return
        with closing(session.connect_again()) as other:
            self.run(Session(self, unwrap(other), owned=True), f"KILL QUERY {self.number}")

    def file_number(self, connection: Any) -> int:
        """The number of the connection's socket."""
        return int(connection.fileno())

    def cut(self, connection: Any) -> None:
        with socket(fileno=os.dup(self.file_number(connection))) as wire:
            wire.shutdown(SHUT_RDWR)
