"""Any DB-API 2.0 driver, read with nothing but the standard's own methods."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any

from mesbatch.batch import Column, Row
from mesbatch.errors import MesbatchError, StatementError
from mesbatch.source.buffering import BufferWatch
from mesbatch.source.key_forms import KeyForms
from mesbatch.source.paramstyle import paramstyle_of
from mesbatch.source.session import Params, Session
from mesbatch.source.tuples import as_tuples

TRANSIENT = {"OperationalError", "InterfaceError"}  # DB-API's names for "the database", as opposed to "the statement"


class CursorRows:
    """The rows of a DB-API cursor, by ``fetchmany``; *watch* looks at the memory once the first ones are there."""

    def __init__(self, cursor: Any, columns: tuple[Column, ...], watch: BufferWatch | None = None) -> None:
        self.columns = columns
        self._cursor, self._watch = cursor, watch

    def fetch(self, size: int) -> list[Row]:
        rows = self._cursor.fetchmany(size)
        if self._watch is not None:
            self._watch.look()
            self._watch = None
        return as_tuples(rows, self.columns)

    def close(self) -> None:
        self._cursor.close()


class DbapiDriver:
    """A driver that we know nothing else about than what DB-API asks of all, and the base of those that we do."""

    dialect = "dbapi"
    waits_for_fetch = True
    keys: KeyForms = KeyForms()
    max_binds = 1_000  # the strictest limit among the databases that we know
    bounded_values = False
    shares_snapshots = False
    moves_between_threads = False
    waits_for_goodbye = False
    cuts_borrowed = True

    def __init__(self, connection: Any = None) -> None:
        self.paramstyle = paramstyle_of(connection)

    def as_read(self, session: Session, sql: str) -> str:
        return sql

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> CursorRows:
        watch = BufferWatch(max_bytes)
        cursor = session.connection.cursor()
        try:
            cursor.execute(sql) if params is None else cursor.execute(sql, params)
            return CursorRows(cursor, describe(cursor.description), watch)
        except BaseException:
            cursor.close()
            raise

    def columns_of(self, session: Session, sql: str, params: Params) -> tuple[Column, ...] | None:
        """The columns of no rows: not every database takes a WITH, an ORDER BY or two equal names in a derived table.

        A keyed statement comes with ``IN (NULL)``, so that it has no rows by itself.
        """
        try:
            return self._described(session, f"SELECT * FROM (\n{sql}\n) mesbatch WHERE 1=0", params)
        except Exception as error:  # noqa: BLE001  # the driver's, whatever it is
            first = error
        if session.owned:
            with suppress(Exception):  # the error may have spoilt the transaction
                session.connection.rollback()
        try:
            return self._described(session, sql, params)
        except Exception:  # noqa: BLE001  # such as that of a spoilt transaction
            raise first from None

    def _described(self, session: Session, sql: str, params: Params) -> tuple[Column, ...]:
        with closing(session.connection.cursor()) as cursor:
            cursor.execute(sql) if params is None else cursor.execute(sql, params)
            return describe(cursor.description)

    def cost_of(self, session: Session, sql: str, params: Params) -> float | None:
        return None

    def estimate(self, session: Session, sql: str, params: Params) -> int | None:
        return None

    def fetch_all(self, session: Session, sql: str, params: Params) -> list[Row]:
        with closing(session.connection.cursor()) as cursor:
            cursor.execute(sql) if params is None else cursor.execute(sql, params)
            return as_tuples(cursor.fetchall(), describe(cursor.description))

    def run(self, session: Session, sql: str) -> None:
        with closing(session.connection.cursor()) as cursor:
            cursor.execute(sql)

    def begin_snapshot(self, session: Session, snapshot: str | None) -> str | None:
        raise StatementError("consistent=True needs a database whose snapshots we know: SQLite, PostgreSQL or Oracle")

    def meaning_of(self, error: BaseException) -> type[MesbatchError] | None:
        return None

    def is_transient(self, error: BaseException) -> bool:
        return isinstance(error, OSError) or not TRANSIENT.isdisjoint(cls.__name__ for cls in type(error).__mro__)

    def interrupt(self, connection: Any) -> None:
        connection.cancel()

    def interrupt_session(self, session: Session) -> None:
        self.interrupt(session.connection)

    def cut(self, connection: Any) -> None:
        from socket import SHUT_RDWR, socket  # only a read that does not stop otherwise needs it

        with socket(fileno=os.dup(connection.fileno())) as wire:
            wire.shutdown(SHUT_RDWR)


def describe(description: Sequence[Sequence[Any]] | None) -> tuple[Column, ...]:
    """The columns of a cursor's description, by name only: what the types mean differs from driver to driver.

    Raises:
        StatementError: the statement returned no rows, not even none of them.
    """
    if description is None:
        raise StatementError("the statement returns no rows: only queries can be read")
    return tuple(Column(str(name)) for name, *_ in description)
