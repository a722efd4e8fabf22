"""A SQLite file read through ADBC, as long as its values are of the types that its columns declare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from mesbatch.arrow.convert import Converter
from mesbatch.arrow.types import arrow_type
from mesbatch.batch import Column, quoted
from mesbatch.errors import SchemaChanged
from mesbatch.source.adbc.checks import BatchChecks
from mesbatch.source.adbc.driver import AdbcSqliteDriver
from mesbatch.source.adbc.rows import ArrowRows
from mesbatch.source.session import Params, Rows, Session

# A value of each type that a declaration proves, from which ADBC tells the type: it goes by the first rows. BLOB proves
# nothing, since SQLite keeps there whatever comes; nor does NUMERIC, whose integers would lose digits in a double.
EXAMPLES = {pa.int64(): "0", pa.string(): "''", pa.float64(): "0.5"}
_REAL = ("real", "floa", "doub")
# Parts of a plan in which a column may have other values than its declared type says: several SELECTs give it, or a
# table that is no table.
_UNPROVED = re.compile("COMPOUND|UNION|MERGE|EXCEPT|INTERSECT|VIRTUAL TABLE")
ROWS_AT_ONCE = 1_000


def declared_columns(path: str, sql: str) -> tuple[Column, ...]:
    """Describe the columns of *sql* where all of them are declared as a type that proves what they hold.

    apsw tells them; without it, or for a statement that is wrong, there is nothing, too.
    """
    with suppress(Exception):
        session = _open_by_apsw(path)
        try:
            columns = session.driver.columns_of(session, sql, None) or ()
            plan = session.connection.execute(f"EXPLAIN QUERY PLAN {sql}")
            if all(map(_is_proof, columns)) and not any(_UNPROVED.search(detail) for *_, detail in plan):
                return columns
        finally:
            session.close()
    return ()


class AdbcFileDriver(AdbcSqliteDriver):
    """ADBC's SQLite on the file at *path*, given an example of each of *columns* before the first row.

    Where a value is of another type than its column declares, the rows come as tuples, which say so or take it.
    """

    def __init__(self, path: str, columns: tuple[Column, ...]) -> None:
        super().__init__()
        self._path, self._columns = path, columns
        types = [arrow_type(column, "sqlite") for column in columns]
        self._schema = pa.schema([(column.name, type_) for column, type_ in zip(columns, types)])

    def connect(self) -> Any:
        import adbc_driver_sqlite.dbapi

        return adbc_driver_sqlite.dbapi.connect(f"file:{quote(self._path)}?mode=ro", autocommit=True)

    def execute(self, session: Session, sql: str, params: Params, max_bytes: int) -> Rows:  # type: ignore[override]
        examples = ", ".join(f"{EXAMPLES[field.type]} AS {quoted(field.name)}" for field in self._schema)
        cursor = session.connection.cursor()
        try:
            reader = self._reader(cursor, f"SELECT {examples} UNION ALL SELECT * FROM (\n{sql}\n)", params, max_bytes)
            if reader.schema.types != self._schema.types:  # a wider type, which a value among the first rows has
                cursor.close()
                return self._by_tuples(sql, params, max_bytes)
            checks = BatchChecks(self._columns, texts=True)
            batches = map(checks.check, self._explained(reader, sql, params, max_bytes))
            return ArrowRows(self._columns, self._schema, batches, cursor.close)
        except BaseException:
            cursor.close()
            raise

    def _explained(
        self, reader: pa.RecordBatchReader, sql: str, params: Params, max_bytes: int
    ) -> Iterator[pa.RecordBatch]:
        """Give the batches of *reader* without the examples; a later value of another type is told with its row."""
        rows = -1  # the examples
        try:
            for batch in reader:
                ours = batch.slice(1) if rows < 0 else batch
                rows += batch.num_rows
                yield pa.RecordBatch.from_arrays(ours.columns, schema=self._schema)
        except OSError as error:
            if "Type mismatch" not in str(error):
                raise
            self._find_misfit(sql, params, max_bytes, rows)
            raise SchemaChanged(f"after row {rows:,} a value is of another type than its column declares") from error

    def _find_misfit(self, sql: str, params: Params, max_bytes: int, rows: int) -> None:
        """Raise SchemaChanged for the first value after *rows* rows that does not fit, if it is still there."""
        converter = Converter(self._columns, "sqlite")
        tuples = self._by_tuples(f"SELECT * FROM (\n{sql}\n) LIMIT -1 OFFSET {rows}", params, max_bytes)
        converter.skip(rows)
        try:
            for some in iter(partial(tuples.fetch, ROWS_AT_ONCE), []):
                converter.from_rows(some)
        finally:
            tuples.close()

    def _by_tuples(self, sql: str, params: Params, max_bytes: int) -> Rows:
        session = _open_by_apsw(self._path)
        rows = session.execute(sql, params, max_bytes)
        return _ClosingRows(rows, session)


class _ClosingRows:
    """Rows that close their session, too."""

    def __init__(self, rows: Rows, session: Session) -> None:
        self.columns, self.fetch = rows.columns, rows.fetch
        self._rows, self._session = rows, session

    def close(self) -> None:
        self._rows.close()
        self._session.close()


def _open_by_apsw(path: str) -> Session:
    import apsw

    from mesbatch.source.sqlite.driver import ApswDriver

    connection = apsw.Connection(path, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    return Session(ApswDriver(), connection, True, connection.close, connection.close)


def _is_proof(column: Column) -> bool:
    """Tell if a declaration leaves one type of values, but for those that a value cannot be changed into."""
    type_ = arrow_type(column, "sqlite")
    return type_ in EXAMPLES and (type_ != pa.float64() or any(word in (column.type or "") for word in _REAL))
