"""ADBC connections, whose rows never become Python objects."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import pyarrow as pa

from mesbatch.arrow.convert import Converter
from mesbatch.batch import Column, Row
from mesbatch.errors import ConnectionLost, DatabaseBusy, DatabaseTimeout, MesbatchError
from mesbatch.source.adbc import sqlite as of_sqlite
from mesbatch.source.adbc.checks import BatchChecks
from mesbatch.source.adbc.postgres import Plan, plan
from mesbatch.source.adbc.rows import ArrowRows, TupleRows
from mesbatch.source.dbapi import DbapiDriver
from mesbatch.source.key_forms import KeyedQuery, KeyForms
from mesbatch.source.postgres.explain import ExplainingDriver
from mesbatch.source.postgres.keys import PostgresKeys
from mesbatch.source.session import Params, Rows, Session
from mesbatch.source.sqlite.keys import SqliteKeys
from mesbatch.units import MiB

BATCH_BYTES = 2 * MiB  # the driver's own 16 MiB took 51 MiB at the peak, and smaller ones more hand-overs to a thread
STATES: dict[str, type[MesbatchError]] = {
    "08": ConnectionLost,
    "53300": DatabaseBusy,
    "55P03": DatabaseBusy,
    "57P": ConnectionLost,
    "57014": DatabaseTimeout,
}


class _PostgresKeys(PostgresKeys):
    """PostgreSQL's without temporary tables, which psycopg fills by COPY."""

    strategies = PostgresKeys.strategies - {"temporary-table"}

    def bound(self, query: KeyedQuery, keys: list[Any]) -> list[Any]:
        """Whole numbers of more than 64 bits, which Arrow's integers have not, as decimals."""
        fitting = super().bound(query, keys)
        return fitting if _are_short(fitting) else [Decimal(key) for key in fitting]

    def as_array(self, keys: list[Any]) -> Any:
        """As one bind; what Arrow's lists have not, whole numbers of more than 64 bits and UUIDs, as a literal."""
        if _are_short(keys) and not isinstance(keys[0], UUID):
            return super().as_array(keys)
        return f"{{{','.join(map(str, keys))}}}"


def _are_short(keys: list[Any]) -> bool:
    """True where none of *keys*, which ascend, is a whole number of more than 64 bits."""
    return not isinstance(keys[0], int) or (keys[0] >= -(2**63) and keys[-1] < 2**63)


def make_driver(connection: Any) -> AdbcDriver:
    """Make the driver for *connection*, by the database that it speaks to."""
    vendor = connection.adbc_get_info().get("vendor_name")
    return DRIVERS.get(vendor, AdbcDriver)()


class AdbcDriver(DbapiDriver):
    """An ADBC connection to a database that we know nothing else about."""

    dialect = "adbc"
    waits_for_fetch = True
    moves_between_threads = True
    max_binds = 32_766

    def __init__(self) -> None:
        self.paramstyle = "qmark"

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> Rows:  # type: ignore[override]
        cursor = session.connection.cursor()
        try:
            rows = self._start(cursor, session, sql, params, max_bytes)
        except BaseException:
            cursor.close()
            raise
        return _typed(rows, self.dialect) if session.columnar else TupleRows(rows, _cast_to_text)

    def _start(self, cursor: Any, session: Session, sql: str, params: Params, max_bytes: int) -> ArrowRows:
        """Give the record batches of *sql* as the driver has them, each of their values checked."""
        reader = self._reader(cursor, sql, params, max_bytes)
        columns = tuple(Column(name) for name in reader.schema.names)
        return ArrowRows(columns, reader.schema, map(BatchChecks(columns, texts=True).check, reader), cursor.close)

    def _reader(self, cursor: Any, sql: str, params: Params, max_bytes: int) -> pa.RecordBatchReader:
        cursor.adbc_statement.set_options(**self._options(max_bytes))
        cursor.execute(sql, _bound(params))
        return cursor.fetch_record_batch()

    def _options(self, max_bytes: int) -> dict[str, str]:
        return {}

    def columns_of(self, session: Session, sql: str, params: Params) -> tuple[Column, ...] | None:
        rows = self.execute(session, f"SELECT * FROM (\n{sql}\n) AS described LIMIT 0", params, BATCH_BYTES)
        rows.close()
        return rows.columns

    def meaning_of(self, error: BaseException) -> type[MesbatchError] | None:
        state = getattr(error, "sqlstate", None) or ""
        if isinstance(error, OSError) and "[libpq]" in str(error):  # in mid-stream an error has no state, only words
            if "canceling statement" in str(error):
                return DatabaseTimeout
            return None if "ERROR:" in str(error) else ConnectionLost
        return next((ours for start, ours in STATES.items() if state.startswith(start)), None)

    def interrupt(self, connection: Any) -> None:
        connection.adbc_cancel()


class AdbcPostgresDriver(ExplainingDriver, AdbcDriver):
    """PostgreSQL; *given* is a statement's plan that is known already."""

    dialect = "postgres"
    keys: KeyForms = _PostgresKeys()

    def __init__(self, given: tuple[str, Plan] | None = None) -> None:
        super().__init__()
        self.paramstyle = "numeric_dollar"
        self._known = given
        self._checks_texts: bool | None = None

    def _start(self, cursor: Any, session: Session, sql: str, params: Params, max_bytes: int) -> ArrowRows:
        if self._known is None or self._known[0] != sql:  # the next thousand keys of a read have the same text
            self._known = sql, plan(sql, cursor.adbc_execute_schema(sql))
        planned = self._known[1]
        checks = BatchChecks(planned.columns, texts=self._has_odd_texts(session))  # asked before the rows come
        reader = self._reader(cursor, planned.sql, params, max_bytes)
        batches = (checks.check(_with_types(batch, planned.schema)) for batch in reader)
        return ArrowRows(planned.columns, planned.schema, batches, cursor.close)

    def _options(self, max_bytes: int) -> dict[str, str]:
        # The driver then reserves up to twice as much.
        return {"adbc.postgresql.batch_size_hint_bytes": str(max(1, min(BATCH_BYTES, max_bytes // 8)))}

    def fetch_all(self, session: Session, sql: str, params: Params) -> list[Row]:
        with session.connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})  # there is no COPY of an EXPLAIN
            cursor.execute(sql, _bound(params))
            return list(map(tuple, cursor.fetchall()))

    def _has_odd_texts(self, session: Session) -> bool:
        """Tell if the server does not promise UTF-8."""
        if self._checks_texts is None:
            encoding = self.fetch_all(session, "SELECT current_setting('server_encoding')", None)
            self._checks_texts = encoding == [("SQL_ASCII",)]
        return self._checks_texts


class AdbcSqliteDriver(AdbcDriver):
    """SQLite, whose types are those of the first rows; values of other types would be changed, and are refused."""

    dialect = "sqlite"
    keys: KeyForms = SqliteKeys()

    def _start(self, cursor: Any, session: Session, sql: str, params: Params, max_bytes: int) -> ArrowRows:
        def schema_of(text: str) -> pa.Schema:
            with session.connection.cursor() as other:
                return self._reader(other, text, params, 1).schema

        names = of_sqlite.names_of(schema_of, sql)
        reader = self._reader(cursor, of_sqlite.with_classes(sql, len(names)), params, max_bytes)
        columns = tuple(map(Column, names))
        schema = pa.schema([(name, field.type) for name, field in zip(names, reader.schema)])
        classes = of_sqlite.ClassChecks(columns, exact=not session.columnar)
        checks = BatchChecks(columns, texts=True)
        batches: Iterator[pa.RecordBatch] = (
            checks.check(pa.RecordBatch.from_arrays(classes.check(batch), schema=schema))
            for batch in classes.explained(reader)
        )
        return ArrowRows(columns, schema, batches, cursor.close)

    def _options(self, max_bytes: int) -> dict[str, str]:
        return of_sqlite.options(max_bytes)


DRIVERS: dict[str, type[AdbcDriver]] = {"PostgreSQL": AdbcPostgresDriver, "SQLite": AdbcSqliteDriver}


def _bound(params: Params) -> Any:
    """Give *params* as ADBC takes them; with a UUID as a row of Arrow, since older pyarrows do not know its values."""
    if params is None:
        return None
    values = tuple(params)
    if not any(isinstance(value, UUID) for value in values):
        return values
    return pa.RecordBatch.from_arrays(list(map(_array, values)), list(map(str, range(len(values)))))


def _array(value: Any) -> pa.Array:
    if isinstance(value, UUID):
        return pa.ExtensionArray.from_storage(pa.uuid(), pa.array([value.bytes], pa.binary(16)))
    return pa.array([value])


def _cast_to_text(column: Column) -> str:
    return f"read it as text, {column.as_text}"


def _typed(rows: ArrowRows, dialect: str) -> ArrowRows:
    """Give *rows* the types that the database declares: numerics are text until here."""
    converter = Converter(rows.columns, dialect)
    schema = converter.prepare(rows.schema)
    batches = map(converter.from_batch, iter(partial(rows.fetch, 0), None))
    return ArrowRows(rows.columns, schema, batches, rows.close)


def _with_types(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Give *batch* with numerics as the text that ADBC's own type of them is."""
    arrays = [
        pa.ExtensionArray.from_storage(field.type, array) if array.type != field.type else array
        for field, array in zip(schema, batch.columns)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
