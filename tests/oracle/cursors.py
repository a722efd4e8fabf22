"""A statement in a session: its rows, one response at a time, and its faults."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any

from tests.oracle.columns import Column
from tests.oracle.database import Database
from tests.oracle.dialect import Translated
from tests.oracle.failures import NO_MORE_ROWS, Cancelled, Gone, OraError
from tests.oracle.faults import Fault
from tests.oracle.lobs import Lobs
from tests.oracle.packets import Wire
from tests.oracle.protocol import LOBS, Message
from tests.oracle.replies import Ending, row_header
from tests.oracle.values import NULL, Encoder, make_encoder

Row = tuple[Any, ...]
LOOK_SECONDS = 0.02  # seconds after which a session that hears no break looks for its client again


@dataclass
class Cursor:
    """The state of a statement between two calls; *ahead* holds rows that came from SQLite and were not sent."""

    id: int
    sql: str
    statement: Translated
    fault: Fault | None = None
    columns: list[Column] = field(default_factory=list)
    bind_types: list[tuple[int, int, int, bytes | None]] = field(default_factory=list)
    source: sqlite3.Cursor | None = None
    ahead: list[Row] = field(default_factory=list)
    sent: int = 0
    described: bool = False
    defined: bool = True  # False until the client has said in which form it wants LOBs
    _encoders: list[Encoder] | None = None

    def begin(self, database: Database, binds: Sequence[Any]) -> None:
        """Run the query, and look at one row for the types of expressions."""
        self.source = database.query(self.statement, binds)
        self.ahead = database.fetch(self.source, 1)
        self.sent = 0
        if not self.columns:
            self.columns = database.describe(self.statement, self.source, self.ahead[0] if self.ahead else None)
            self.defined = not any(column.type in LOBS for column in self.columns)

    def define(self, types: Sequence[int]) -> None:
        """Take the types that the client names; only LONG instead of a LOB changes the bytes that are sent."""
        for column, wanted in zip(self.columns, types):
            if column.type in LOBS:
                column.fetch_as = type(column.type)(wanted)
        self.defined, self._encoders = True, None

    def take(self, database: Database, wanted: int) -> tuple[list[Row], OraError | None]:
        """The next rows, and their ending: no more rows, or the error that was planned."""
        missing = wanted - len(self.ahead)
        more = database.fetch(self.source, missing) if self.source is not None and missing > 0 else []
        rows = self.ahead + more
        self.ahead, rows = rows[wanted:], rows[:wanted]
        fault = self.fault
        if fault is not None and fault.kind == "fail" and self.sent + len(rows) > fault.after:
            return rows[: max(0, fault.after - self.sent)], OraError(fault.code, "as the test asked for")
        return rows, OraError(NO_MORE_ROWS, "no data found") if len(rows) < wanted else None

    def encode(self, rows: list[Row], lobs: Lobs) -> bytes:
        """Encode *rows* column by column, which is twice as fast as row by row."""
        if self._encoders is None:
            self._encoders = [self._encoder(column, lobs) for column in self.columns]
        columns = [map(encode, values) for encode, values in zip(self._encoders, zip(*rows))]
        return b"".join(chain.from_iterable(zip(repeat(bytes((Message.ROW,)), len(rows)), *columns)))

    def _encoder(self, column: Column, lobs: Lobs) -> Encoder:
        if column.fetch_as in LOBS:
            return lambda value: NULL if value in (None, "", b"") else lobs.locate(value)
        return make_encoder(column.fetch_as, column.chars)


def answer_rows(
    cursor: Cursor, wanted: int, database: Database, wire: Wire, lobs: Lobs, ending: Ending
) -> tuple[bytes, int]:
    """The answer to a fetch of *wanted* rows, and the number of rows in it.

    Raises:
        Gone: the fault of the cursor has cut the connection.
        Cancelled: the client broke off while we waited.
    """
    if not wanted:
        return ending.error(cursor=cursor.id, rows=cursor.sent), 0
    _wait(cursor.fault, wire)
    rows, end = cursor.take(database, wanted)
    before, cursor.sent = cursor.sent, cursor.sent + len(rows)
    out = row_header(len(cursor.columns), wanted) + cursor.encode(rows, lobs)
    fault = cursor.fault
    if fault is not None and fault.kind in ("drop", "reset") and cursor.sent >= fault.after:
        share = min(1.0, (fault.after - before) / max(1, len(rows)))
        data = wire.frame(out)
        wire.send(data[: int(0.98 * share * len(data))])
        wire.close(reset=fault.kind == "reset")
        raise Gone
    return out + ending.error(end, cursor.id, cursor.sent), len(rows)


def _wait(fault: Fault | None, wire: Wire) -> None:
    if fault is not None and fault.kind == "delay" and wire.has_input(fault.seconds):
        raise Cancelled
    if fault is not None and fault.kind == "deaf":
        be_silent(wire, fault.seconds)


def be_silent(wire: Wire, seconds: float) -> None:
    """Neither send nor read, until the time is over or the client has hung up."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if wire.is_closed():
            raise Gone
        time.sleep(LOOK_SECONDS)
