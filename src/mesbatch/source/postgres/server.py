"""PostgreSQL through any driver: the knowledge that belongs to the server."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import closing, suppress
from itertools import count
from typing import Any

from mesbatch.batch import Column, Row
from mesbatch.errors import ConnectionClosed, ConnectionLost, DatabaseBusy, ReadInterrupted, SnapshotTooOld
from mesbatch.source.postgres.explain import ExplainingDriver
from mesbatch.source.postgres.text_values import ReadRows
from mesbatch.source.session import Params, Rows, Session
from mesbatch.source.tuples import as_tuples
from mesbatch.sql.tokens import significant_tokens

DECLARABLE = frozenset({"SELECT", "WITH", "VALUES", "TABLE"})  # the others, such as SHOW, have small results

_numbers = count()  # the cursors of one connection need different names


class ServerDriver(ExplainingDriver):
    """The base of all drivers of PostgreSQL."""

    dialect = "postgres"
    max_binds = 65_535  # the protocol counts parameters in 16 bits
    shares_snapshots = True
    moves_between_threads = True

    def begin_snapshot(self, session: Session, snapshot: str | None) -> str | None:
        # A driver that does not commit by itself has begun the transaction already.
        begin = "BEGIN" if session.connection.autocommit else "SET TRANSACTION"
        self.run(session, f"{begin} ISOLATION LEVEL REPEATABLE READ")
        if snapshot is None:
            ((exported,),) = self.fetch_all(session, "SELECT pg_export_snapshot()", None)
            return str(exported)
        try:
            self.run(session, f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        except Exception as error:
            if self.meaning_of(error) is not None:
                raise
            raise ReadInterrupted(
                f"the snapshot that all of this read is to see is gone, with the connection that exported it: {error}; "
                "read again"
            ) from error
        return snapshot

    def is_transient(self, error: BaseException) -> bool:
        return self.meaning_of(error) in {ConnectionClosed, ConnectionLost, DatabaseBusy, SnapshotTooOld}

    @abstractmethod
    def is_idle(self, connection: Any) -> bool:
        """True while no transaction is open on *connection*."""


class DeclaredRows:
    """The rows of a cursor of the server's, fetched in round trips; *ending* is the statement that ends it."""

    def __init__(self, driver: DeclaringDriver, cursor: Any, name: str, ending: str) -> None:
        self._driver, self._cursor, self._name, self._ending = driver, cursor, name, ending
        self._open = True
        self.fetch(0)  # the description, without a row
        self.columns = driver.describe(cursor)

    def fetch(self, size: int) -> list[Row]:
        rows = self._driver.fetch_from(self._cursor, f"FETCH FORWARD {size} FROM {self._name}")
        return as_tuples(rows, self.columns) if rows else []

    def close(self) -> None:
        if self._open:
            self._open = False
            with suppress(Exception):  # a transaction that failed has ended its cursors
                self._cursor.execute(self._ending)
            self._cursor.close()


def is_declarable(sql: str) -> bool:
    """Return whether a cursor of the server can be declared for *sql*."""
    return significant_tokens(sql)[0].word in DECLARABLE or sql.lstrip().startswith("(")


class DeclaringDriver(ServerDriver):
    """The base of drivers that hold whole results by themselves: their rows come from cursors of the server."""

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> Rows:  # type: ignore[override]
        if not is_declarable(sql):
            return super().execute(session, sql, params, max_bytes)
        name, connection = f"mesbatch_{next(_numbers)}", session.connection
        hold, ending = "", f"CLOSE {name}"
        if connection.autocommit and self.is_idle(connection):
            if session.owned:
                self.run(session, "BEGIN")
                ending = "ROLLBACK"
            else:  # without a transaction around it the server must keep the whole result
                hold = " WITH HOLD"
        cursor = self.open_cursor(session)
        try:
            self.start(cursor, f"DECLARE {name} NO SCROLL CURSOR{hold} FOR {sql}", params)
            return ReadRows(DeclaredRows(self, cursor, name, ending), columnar=session.columnar)
        except BaseException:
            cursor.close()
            if ending == "ROLLBACK":
                with suppress(Exception):
                    self.run(session, ending)
            raise

    def columns_of(self, session: Session, sql: str, params: Params) -> tuple[Column, ...] | None:
        with closing(self.open_cursor(session)) as cursor:
            self.start(cursor, f"SELECT * FROM (\n{sql}\n) AS described LIMIT 0", params)
            return self.describe(cursor)

    def fetch_all(self, session: Session, sql: str, params: Params) -> list[Row]:
        with closing(self.open_cursor(session)) as cursor:
            self.start(cursor, sql, params)
            return as_tuples(list(cursor.fetchall()), self.describe(cursor))

    def start(self, cursor: Any, sql: str, params: Params) -> None:
        """Execute *sql*; neither driver takes two percent signs for one where nothing is bound."""
        if params is not None and not len(params):
            sql, params = sql.replace("%%", "%"), None
        cursor.execute(sql) if params is None else cursor.execute(sql, params)

    def fetch_from(self, cursor: Any, sql: str) -> list[Any]:
        """The rows of *sql*, a FETCH, whose values are the server's text unless they are plain ones."""
        cursor.execute(sql)
        return list(cursor.fetchall())

    def open_cursor(self, session: Session) -> Any:
        """A cursor that gives tuples."""
        return session.connection.cursor()

    @abstractmethod
    def describe(self, cursor: Any) -> tuple[Column, ...]:
        """The columns of what *cursor* ran, with PostgreSQL's own names of their types."""

    @abstractmethod
    def numbered(self, session: Session, sql: str, params: Params, mark: str) -> tuple[str, int]:
        """*sql* as PREPARE takes it, and the number of the bind whose value is *mark*."""
