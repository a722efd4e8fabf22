"""MySQL and MariaDB through their four drivers, each by its unbuffered cursor."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from datetime import date, datetime
from importlib import import_module
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
from mesbatch.source.mysql.columns import column_of
from mesbatch.source.mysql.errors import REPEATED_NAME, meaning_of, number_of
from mesbatch.source.mysql.keys import MysqlKeys
from mesbatch.source.mysql.rows import UnbufferedRows
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
            rows.columns = self.columns(cursor)
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


class PymysqlDriver(MysqlDriver):
    """pymysql, in pure Python. Another statement takes the rest of an unbuffered result away, with a warning."""

    def cursor(self, connection: Any) -> Any:
        return connection.cursor(import_module("pymysql.cursors").SSCursor)

    def columns(self, cursor: Any) -> tuple[Column, ...]:
        fields = cursor._result.fields
        return tuple(
            column_of(field.name, field.type_code, field.flags, field.length, field.scale, field.charsetnr)
            for field in fields
        )

    def is_ours(self, cursor: Any) -> bool:
        return cursor.connection._result is cursor._result

    def forget(self, cursor: Any) -> None:
        """Without this its finaliser, and the result's, would read on from a connection that has ended."""
        result, cursor.connection = cursor._result, None
        if result is not None:
            result.unbuffered_active, result.connection = False, None

    def file_number(self, connection: Any) -> int:
        return int(connection._sock.fileno())


class MysqldbDriver(MysqlDriver):
    """mysqlclient, over the C library. It tells nothing of a connection in which another thread waits."""

    def __init__(self, connection: Any = None) -> None:
        super().__init__(connection)
        self._file_number = -1
        with suppress(Exception):  # of a connection that is closed
            self._file_number = int(connection.fileno())

    def file_number(self, connection: Any) -> int:
        try:
            return int(connection.fileno())
        except Exception as error:
            if "another thread" in str(error):
                return self._file_number
            raise

    def cursor(self, connection: Any) -> Any:
        return connection.cursor(import_module("MySQLdb.cursors").SSCursor)

    def start(self, cursor: Any, sql: str, params: Params) -> None:
        """Execute *sql*; dates that Python does not have come as MySQL writes them, where the driver gives None."""
        connection = cursor.connection
        converter = connection.converter
        connection.converter = {**converter, **dict.fromkeys((7, 12), _moment), 10: _date}
        try:
            super().start(cursor, sql, params)
        finally:
            connection.converter = converter

    def columns(self, cursor: Any) -> tuple[Column, ...]:
        return tuple(
            column_of(name, code, flags, length, scale)
            for (name, code, _, length, _, scale, _), flags in zip(cursor.description, cursor.description_flags)
        )


class ConnectorDriver(MysqlDriver):
    """mysql-connector-python. Its binds are looked for inside quotes, too, so values are put into the text here."""

    def __init__(self, connection: Any = None) -> None:
        super().__init__(connection)
        self.paramstyle = "verbatim"

    def cursor(self, connection: Any) -> Any:
        from mesbatch.source.mysql.connector import unbuffered_cursor

        return unbuffered_cursor(connection)

    def start(self, cursor: Any, sql: str, params: Params) -> None:
        from mesbatch.source.mysql.connector import with_values

        cursor.execute(with_values(cursor, sql, params) if params else sql)

    def columns(self, cursor: Any) -> tuple[Column, ...]:
        return tuple(
            column_of(name, code, flags, charset=charset) for name, code, *_, flags, charset in cursor.description
        )

    def thread_id(self, connection: Any) -> int:
        return int(connection.connection_id)

    def fetch(self, cursor: Any, size: int) -> list[Row]:
        connection = cursor._connection
        converter = connection.converter
        connection.converter = cursor.exact_converter
        try:
            rows: list[Row] = cursor.fetchmany(size)
            return rows
        finally:
            connection.converter = converter

    def has_ended(self, cursor: Any) -> bool:
        return bool(cursor.has_ended)

    def drain(self, cursor: Any) -> None:
        while not cursor.has_ended and cursor.fetchmany(DRAINED_ROWS):
            pass
        cursor.close()

    def file_number(self, connection: Any) -> int:
        return int(connection._socket.sock.fileno())


class MariadbDriver(MysqlDriver):
    """mariadb, MariaDB's own, over the C library; of dates that Python does not have it gives None."""

    def __init__(self, connection: Any = None) -> None:
        super().__init__(connection)
        self.paramstyle = "qmark_pyformat"

    def cursor(self, connection: Any) -> Any:
        return connection.cursor(buffered=False, named_tuple=False, dictionary=False)

    def columns(self, cursor: Any) -> tuple[Column, ...]:
        return tuple(
            column_of(name, code, flags, length, scale)
            for name, code, _, length, _, scale, _, flags, *_ in cursor.description
        )

    def thread_id(self, connection: Any) -> int:
        return int(connection.thread_id)

    def has_ended(self, cursor: Any) -> bool:
        """Ask the server for an error of the statement, since the driver takes one, and a lost connection, for the end.

        Raises:
            The driver's error: there was one.
        """
        connection = cursor.connection
        cursor.close()
        with closing(self.cursor(connection)) as other:
            other.execute("SHOW ERRORS")
            errors = other.fetchall()
        for _, number, message in errors[:1]:
            failure = import_module("mariadb").OperationalError(message)
            failure.errno = number
            raise failure
        return True

    def file_number(self, connection: Any) -> int:
        return int(connection._get_socket())  # the socket that `connection.socket` makes of it would close it


def _date(text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:  # such as 0000-00-00
        return text


def _moment(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text
