"""A database of our own connecting, read through ADBC where that gives the very types that tuples would."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from mesbatch.arrow.convert import is_numeric
from mesbatch.arrow.types import arrow_type
from mesbatch.batch import Column
from mesbatch.errors import SchemaChanged
from mesbatch.source.adbc.driver import AdbcDriver, describe_field
from mesbatch.source.session import Params, Rows, Session

# A value of each type from which ADBC's SQLite driver tells it: it goes by the first rows, whatever is declared.
EXAMPLES = {pa.int64(): "0", pa.string(): "''", pa.binary(): "x'00'", pa.float64(): "0.5"}


def open_postgres(url: str, sql: str) -> Session | None:
    """A session for *sql*; None where ADBC gives another type than psycopg's tuples would, as for json and interval.

    An error of the connection or the statement is None, too: the other way then raises it.
    """
    import adbc_driver_postgresql.dbapi

    with suppress(Exception):
        connection = adbc_driver_postgresql.dbapi.connect(url, autocommit=True)
        try:
            if (driver := _postgres_driver(connection, sql)) is not None:
                return Session(driver, connection, True, connection.close, connection.close)
        except BaseException:
            connection.close()
            raise
        connection.close()
    return None


def open_sqlite(path: str, sql: str) -> Session | None:
    """A session for *sql*; None where a column's declared type leaves open what its values are."""
    columns = _declared(path, sql) if path else ()
    types = [arrow_type(column, "sqlite") for column in columns]
    if not columns or not all(
        type_ in EXAMPLES and not _has_numeric_affinity(column) for type_, column in zip(types, columns)
    ):
        return None
    import adbc_driver_sqlite.dbapi

    connection = adbc_driver_sqlite.dbapi.connect(f"file:{quote(path)}?mode=ro", autocommit=True)
    return Session(_SqliteDriver(connection, columns), connection, True, connection.close, connection.close)


class _PostgresDriver(AdbcDriver):
    """ADBC's PostgreSQL for a statement of the schema *given*, whose numerics the server writes as text.

    ADBC would write them itself, from their digits in fours: 0.45 us each, a quarter of a row of 14 columns.
    """

    def __init__(self, connection: Any, given: pa.Schema) -> None:
        super().__init__(connection)
        self._given = given

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> Rows:  # type: ignore[override]
        return super().execute(session, self.with_text(sql), params, max_bytes)

    def with_text(self, sql: str) -> str:
        columns = ", ".join(_quoted(f.name) + ("::text" if is_numeric(f.type) else "") for f in self._given)
        return f"SELECT {columns} FROM (\n{sql}\n) AS mesbatch_rows"

    def _schema_of(self, reader: pa.RecordBatchReader) -> pa.Schema:
        return self._given

    def _checked(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """*batch* with the types that ADBC has for numerics: text with their name."""
        columns = [
            pa.ExtensionArray.from_storage(field.type, column) if is_numeric(field.type) else column
            for field, column in zip(self._given, batch.columns)
        ]
        return super()._checked(pa.RecordBatch.from_arrays(columns, schema=self._given))


class _SqliteDriver(AdbcDriver):
    """ADBC's SQLite, given an example of each column before the first row."""

    def __init__(self, connection: Any, columns: tuple[Column, ...]) -> None:
        super().__init__(connection)
        self._columns = columns

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> Rows:  # type: ignore[override]
        examples = ", ".join(
            f"{EXAMPLES[arrow_type(column, 'sqlite')]} AS {_quoted(column.name)}" for column in self._columns
        )
        rows = self._start(session, f"SELECT {examples} UNION ALL SELECT * FROM (\n{sql}\n)", params, max_bytes)
        self._check(rows.schema)
        first = rows.fetch(1)
        rows.push_back(first.slice(1))
        return rows

    def _check(self, given: pa.Schema) -> None:
        """Within its first rows ADBC takes a wider type where one value has it."""
        for column, type_ in zip(self._columns, given.types):
            expected = arrow_type(column, "sqlite")
            if type_ != expected:
                raise SchemaChanged(
                    f"column {column.name!r} is declared as {column.type}, which is {expected}; a value among the "
                    f"first rows fits only {type_}"
                )


def _postgres_driver(connection: Any, sql: str) -> AdbcDriver | None:
    """The driver that reads *sql*; None where ADBC's types are others than those of tuples."""
    with connection.cursor() as cursor:
        given = cursor.adbc_execute_schema(sql)
        numeric = [is_numeric(field.type) for field in given]
        for field, is_text in zip(given, numeric):
            if not is_text and arrow_type(describe_field(field), "postgres") != field.type:
                return None
        if any(numeric):
            driver = _PostgresDriver(connection, given)
            with suppress(Exception):  # two columns of one name, or a statement that no other can hold
                cursor.adbc_execute_schema(driver.with_text(sql))
                return driver
    return AdbcDriver(connection)


def _declared(path: str, sql: str) -> tuple[Column, ...]:
    """The columns of *sql* with their declared types; none where apsw is not installed, or the statement is wrong."""
    with suppress(Exception):
        import apsw

        from mesbatch.source.sqlite.driver import ApswDriver

        connection = apsw.Connection(path, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            driver = ApswDriver()
            return driver.columns_of(Session(driver, connection, True), sql, None) or ()
        finally:
            connection.close()
    return ()


def _has_numeric_affinity(column: Column) -> bool:
    """Of NUMERIC affinity: its integers would lose digits in a double, and no one would be told."""
    return arrow_type(column, "sqlite") == pa.float64() and not any(
        word in (column.type or "") for word in ("real", "floa", "doub")
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
