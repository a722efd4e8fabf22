"""ADBC connections, whose rows never become Python objects."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mesbatch.arrow.convert import Converter
from mesbatch.arrow.types import AWARE, TIMESTAMP
from mesbatch.batch import Column
from mesbatch.errors import (
    ConnectionLost,
    DatabaseBusy,
    DatabaseTimeout,
    MesbatchError,
    SchemaChanged,
    UnencodableValue,
)
from mesbatch.source.adbc.rows import ArrowRows, TupleRows
from mesbatch.source.dbapi import DbapiDriver
from mesbatch.source.key_forms import KeyForms
from mesbatch.source.postgres.keys import PostgresKeys
from mesbatch.source.session import Params, Rows, Session
from mesbatch.source.sqlite.keys import SqliteKeys
from mesbatch.units import MiB

BATCH_BYTES = 2 * MiB  # the driver's own 16 MiB took 51 MiB at the peak, and smaller ones more hand-overs to a thread
SQLITE_ROWS = 4_096
SQLITE_ROW_BYTES = 2_048  # SQLite's batches are counted in rows: up to this width they keep to their share
STATES: dict[str, type[MesbatchError]] = {
    "08": ConnectionLost,
    "53300": DatabaseBusy,
    "55P03": DatabaseBusy,
    "57P": ConnectionLost,
    "57014": DatabaseTimeout,
}
# Far below 4713 BC, PostgreSQL's first day, and above where its infinities end up.
EARLIEST = {TIMESTAMP: -(10**18), AWARE: -(10**18), pa.date32(): -(10**9)}
COUNTS = {TIMESTAMP: pa.int64(), AWARE: pa.int64(), pa.date32(): pa.int32()}
DIALECTS = {"PostgreSQL": "postgres", "SQLite": "sqlite"}


class _PostgresKeys(PostgresKeys):
    """PostgreSQL's without temporary tables, which psycopg fills by COPY."""

    strategies = PostgresKeys.strategies - {"temporary-table"}


KEYS: dict[str, KeyForms] = {"postgres": _PostgresKeys(), "sqlite": SqliteKeys()}


class AdbcDriver(DbapiDriver):
    """One kind of ADBC connection; *connection* tells which database it speaks to."""

    waits_for_fetch = True
    moves_between_threads = True

    def __init__(self, connection: Any) -> None:
        self.dialect = DIALECTS.get(connection.adbc_get_info().get("vendor_name"), "adbc")
        self.keys = KEYS.get(self.dialect, KeyForms())
        self.paramstyle = "numeric_dollar" if self.dialect == "postgres" else "qmark"
        self.max_binds = 32_766

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> Rows:  # type: ignore[override]
        rows = self._start(session, sql, params, max_bytes)
        return rows if session.columnar else TupleRows(rows)

    def _start(self, session: Session, sql: str, params: Params, max_bytes: int) -> ArrowRows:
        cursor = session.connection.cursor()
        try:
            cursor.adbc_statement.set_options(**self._options(max_bytes))
            cursor.execute(sql, None if params is None else tuple(params))
            reader = cursor.fetch_record_batch()
            given = self._schema_of(reader)
            columns = tuple(map(describe_field, given))
            converter = Converter(columns, self.dialect)
            batches = map(self._checked, reader)
            return ArrowRows(columns, converter.prepare(given), map(converter.from_batch, batches), cursor.close)
        except BaseException:
            cursor.close()
            raise

    def _schema_of(self, reader: pa.RecordBatchReader) -> pa.Schema:
        """The schema of the batches that `_checked` gives."""
        return reader.schema

    def _checked(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return _finite(batch) if self.dialect == "postgres" else batch

    def _options(self, max_bytes: int) -> dict[str, str]:
        match self.dialect:
            case "postgres":  # which then reserves up to twice as much
                return {"adbc.postgresql.batch_size_hint_bytes": str(max(1, min(BATCH_BYTES, max_bytes // 8)))}
            case "sqlite":
                rows = max(1, min(SQLITE_ROWS, max_bytes // 3 // SQLITE_ROW_BYTES))
                return {"adbc.sqlite.query.batch_rows": str(rows)}
        return {}

    def columns_of(self, session: Session, sql: str, params: Params) -> tuple[Column, ...] | None:
        rows = self._start(session, f"SELECT * FROM (\n{sql}\n) AS described LIMIT 0", params, BATCH_BYTES)
        rows.close()
        return rows.columns

    def cost_of(self, session: Session, sql: str, params: Params) -> float | None:
        return None

    def meaning_of(self, error: BaseException) -> type[MesbatchError] | None:
        state = getattr(error, "sqlstate", None) or ""
        if "Type mismatch in column" in str(error):  # of SQLite: its first batch decides
            return SchemaChanged
        if isinstance(error, OSError) and "[libpq]" in str(error):  # in mid-stream an error has no state, only words
            if "canceling statement" in str(error):
                return DatabaseTimeout
            return None if "ERROR:" in str(error) else ConnectionLost
        return next((ours for start, ours in STATES.items() if state.startswith(start)), None)

    def interrupt(self, connection: Any) -> None:
        connection.adbc_cancel()


def _finite(batch: pa.RecordBatch) -> pa.RecordBatch:
    """*batch*, whose times are all times: ADBC moves PostgreSQL's infinities to its own epoch, past the end of 64 bits.

    Raises:
        UnencodableValue: there is an infinity.
    """
    for name, column in zip(batch.schema.names, batch.columns):
        if column.type in EARLIEST and (pc.min(column.cast(COUNTS[column.type])).as_py() or 0) < EARLIEST[column.type]:
            raise UnencodableValue(f"column {name!r} holds an infinity, which no Arrow type of times has")
    return batch


def describe_field(field: pa.Field) -> Column:
    """A column as PostgreSQL describes it, by what ADBC tells of its type."""
    metadata = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    name = metadata.get("POSTGRESQL:type")
    if name is not None and name.startswith("_"):  # an array's type has its element's name
        name = f"{name[1:]}[]"
    modifier = int(metadata.get("POSTGRESQL:typmod", -1)) - 4  # of numeric(p, s): p in the upper bits, s in 11 lower
    if name != "numeric" or modifier < 0:
        return Column(field.name, name)
    return Column(field.name, name, None, modifier >> 16, (modifier & 0x7FF ^ 0x400) - 0x400)
