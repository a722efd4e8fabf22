"""Oracle through python-oracledb, whose defaults cost ten times the round trips or all of the memory."""

from __future__ import annotations

import gc
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from socket import SHUT_RDWR, socket
from typing import Any, Literal

from mesbatch.batch import Column
from mesbatch.errors import (
    ConnectionClosed,
    ConnectionLost,
    DatabaseBusy,
    MesbatchError,
    SnapshotTooOld,
    StatementError,
    UnencodableValue,
)
from mesbatch.source.dbapi import DbapiDriver
from mesbatch.source.key_forms import KeyForms
from mesbatch.source.oracle import errors as oracle_errors
from mesbatch.source.oracle.columns import LOB_TYPES, Texts, describe_columns, type_handler
from mesbatch.source.oracle.guards import GuardedRows, find_early_date, fine_columns, with_guard
from mesbatch.source.oracle.keys import OracleKeys
from mesbatch.source.oracle.lobs import INLINE_LIMIT, Loan, LobPolicy, LobReader, lob_columns
from mesbatch.source.oracle.rows import ARRAY_ROWS, OracleRows, array_rows, rows_by_width
from mesbatch.source.oracle.texts import CheckedTexts, NamedFailures, find_refusal, naming
from mesbatch.source.session import Params, Rows, Session, Source

Numbers = Literal["exact", "driver"]
NLS_SORT = "SELECT value FROM nls_session_parameters WHERE parameter = 'NLS_SORT'"


@dataclass(frozen=True)
class FetchModes:
    """Choices of fetching values, the same for all statements of a source. See `OracleSource`."""

    lobs: LobPolicy = "whole"
    lob_limit: int | None = None
    strip_char: bool = False
    numbers: Numbers = "exact"


class OracleDriver(DbapiDriver):
    """One session's driver: *modes* and *loan* are those of its connection."""

    dialect = "oracle"
    max_binds = 1_000  # ORA-01795: an IN list holds no more; an array bind does
    keys: KeyForms = OracleKeys()
    moves_between_threads = True
    waits_for_goodbye = True

    def __init__(self, connection: Any = None, modes: FetchModes = FetchModes(), loan: Loan | None = None) -> None:
        self.paramstyle = "named"
        self._modes, self._loan = modes, loan
        self._last: tuple[str, OracleRows] | None = None  # the text of a statement, and what its rows were like

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> Rows:  # type: ignore[override]
        if session.columnar and (batches := self._record_batches(session, sql, params, max_bytes)) is not None:
            return batches
        find = partial(self._find_refusal, session, sql, params, max_bytes)
        with naming(find):
            rows = self._guarded(session, sql, params, max_bytes)
        return CheckedTexts(rows) if session.careful else NamedFailures(rows, find)

    def _guarded(self, session: Session, sql: str, params: Params, max_bytes: int) -> Rows:
        """Give the rows as tuples; a timestamp that may be finer than Python's is looked at by the database."""
        texts: Texts = "escape" if session.careful else session.on_invalid_text
        rows = self._tuples(session, sql, params, max_bytes, texts)
        if not (fine := fine_columns(rows.columns)):
            return rows
        rows.close()
        return GuardedRows(self._tuples(session, with_guard(sql, fine), params, max_bytes, texts))

    def _find_refusal(
        self, session: Session, sql: str, params: Params, max_bytes: int, error: Exception
    ) -> UnencodableValue | None:
        """Find the value that the driver has failed on with *error*, by another reading of the statement."""
        if isinstance(error, UnicodeDecodeError):
            return find_refusal(CheckedTexts(self._tuples(session, sql, params, max_bytes, "escape")))
        columns = self._columns_without_rows(session, sql, params)
        return None if columns is None else find_early_date(session.connection, sql, params, columns)

    def _tuples(self, session: Session, sql: str, params: Params, max_bytes: int, texts: Texts) -> OracleRows:
        cursor = self._cursor(session, texts)
        try:
            marked, share = self._marked(sql), session.share or (lambda: max_bytes // 3)
            row_bytes = self._row_bytes_of(marked)
            if row_bytes is not None:  # the first rows then come with the answer, a round trip earlier
                cursor.prefetchrows = array_rows(share(), row_bytes)
            cursor.execute(marked) if params is None else cursor.execute(marked, params)
            columns = describe_columns(cursor)
            rows = OracleRows(cursor, columns, share, self._lob_reader(columns, max_bytes), row_bytes)
            self._last = marked, rows
            return rows
        except BaseException:
            cursor.close()
            raise

    def _record_batches(self, session: Session, sql: str, params: Params, max_bytes: int) -> Rows | None:
        """Fetch the driver's own record batches; None where only tuples keep the values, or their modes, exact."""
        if self._modes.strip_char or session.careful or session.on_invalid_text != "raise":
            return None
        columns = self._columns_without_rows(session, sql, params)
        if columns is None or fine_columns(columns) or any(column.type in LOB_TYPES for column in columns):
            return None
        from mesbatch.source.oracle.record_batches import BATCH_ROWS, fetch_record_batches

        size = rows_by_width(columns, max_bytes // 3, BATCH_ROWS)
        find = partial(self._find_refusal, session, sql, params, max_bytes)
        return fetch_record_batches(session, sql, params, columns, size, find)

    def _columns_without_rows(self, session: Session, sql: str, params: Params) -> tuple[Column, ...] | None:
        """The columns of a statement with binds, which a server may want to see before it describes anything."""
        with self._cursor(session) as cursor, suppress(Exception):  # two columns of one name; the read tells
            cursor.execute(f"SELECT * FROM (\n{sql}\n) WHERE 1 = 0", params or {})
            return describe_columns(cursor)
        return None

    def columns_of(self, session: Session, sql: str, params: Params) -> tuple[Column, ...] | None:
        """The columns, of a session that sorts text as Python does.

        Raises:
            StatementError: it sorts by the rules of a language, which would tear keys apart.
        """
        with self._cursor(session) as cursor:
            cursor.parse(self._marked(sql))
            columns = describe_columns(cursor)
        with session.connection.cursor() as cursor:
            (order,) = cursor.execute(NLS_SORT).fetchone()
        if order != "BINARY":
            raise StatementError(
                f"keys need NLS_SORT=BINARY, this session has {order}: ALTER SESSION SET NLS_SORT=BINARY"
            )
        return columns

    def begin_snapshot(self, session: Session, snapshot: str | None) -> str | None:
        self.run(session, "SET TRANSACTION READ ONLY")
        session.is_snapshot = True
        return None

    def meaning_of(self, error: BaseException) -> type[MesbatchError] | None:
        return oracle_errors.meaning_of(error)

    def is_transient(self, error: BaseException) -> bool:
        return self.meaning_of(error) in {ConnectionClosed, ConnectionLost, DatabaseBusy, SnapshotTooOld}

    def interrupt(self, connection: Any) -> None:
        if connection.is_healthy():  # cancel() on a dead session kills the interpreter
            connection.cancel()

    def cut(self, connection: Any) -> None:
        """Shut the socket, which the driver does not give out: what waits for an answer then fails.

        Nothing of the driver is called, so a dead session does no harm. In thick mode there is no socket to be found.
        """
        with suppress(OSError):
            if (wire := _find_socket(connection)) is not None:
                wire.shutdown(SHUT_RDWR)

    def _cursor(self, session: Session, texts: Texts = "raise") -> Any:
        cursor = session.connection.cursor()
        modes = self._modes
        cursor.outputtypehandler = type_handler(
            inline_lobs=modes.lobs == "inline",
            strip_char=modes.strip_char,
            texts=texts,
            exact_numbers=modes.numbers == "exact" or session.columnar,  # Arrow has the declared types
        )
        cursor.arraysize = ARRAY_ROWS  # the driver's own arrays do not grow later
        return cursor

    def _row_bytes_of(self, marked: str) -> float | None:
        """The bytes of a row where the same text ran before, as for the next thousand keys of a read."""
        return self._last[1].row_bytes if self._last is not None and self._last[0] == marked else None

    def _marked(self, sql: str) -> str:
        """*sql* with a text of its own in the driver's cache, which keeps there how LOBs were fetched.

        The driver does not notice that a statement wants them otherwise than whoever ran it before on this connection,
        and takes the bytes of one kind for the other.
        """
        return f"{sql}\n/* mesbatch, LOBs {'inline' if self._modes.lobs == 'inline' else 'by locator'} */"

    def _lob_reader(self, columns: tuple[Column, ...], max_bytes: int) -> LobReader | None:
        modes = self._modes
        found = lob_columns(columns, modes.lobs)
        if not found:
            return None
        limit = modes.lob_limit or (min(INLINE_LIMIT, max_bytes) if modes.lobs == "inline" else max_bytes)
        return LobReader(modes.lobs, limit, found, self._loan.lend if self._loan else None)


def pool_source(pool: Any) -> Source:
    """The connections of an oracledb pool; they go back to it, or out of it once they are spent."""
    label = "the oracledb pool"

    def open_session() -> Session:
        with oracle_errors.explained(label):
            connection = pool.acquire()
        return Session(OracleDriver(), connection, True, connection.close, lambda: pool.drop(connection))

    return Source(open_session, True, label)


def _find_socket(connection: Any) -> socket | None:
    """A connection holds a protocol, that a transport, and that the socket: no more steps are looked at."""
    found = [getattr(connection, "_impl", None)]
    for _ in range(3):
        found = gc.get_referents(*found)
        for held in found:
            if isinstance(held, socket):
                return held
        found = [held for held in found if type(held).__module__.partition(".")[0] == "oracledb"]
    return None
