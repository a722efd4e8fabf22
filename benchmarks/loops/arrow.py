"""Libraries that give Arrow record batches: ADBC, connectorx, arrow-odbc and duckdb, as their users call them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import orjson
import pyarrow as pa

from benchmarks.loops.places import KEYS_PER_QUERY, adbc, is_postgres, odbc, selects
from mesbatch.units import MiB

ROWS = 5_000
Batches = Iterator[pa.RecordBatch]


def adbc_scan(database: str, table: str, hint: int | None = None) -> Batches:
    with adbc(database) as cursor:
        if hint:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(hint)})
        cursor.execute(f"select * from {table}")
        yield from cursor.fetch_record_batch()


def adbc_keyed(database: str, table: str, keys: list[str]) -> Batches:
    with adbc(database) as cursor:
        for sql in selects(table, keys):
            cursor.execute(sql)
            yield from cursor.fetch_record_batch()


def connectorx_scan(database: str, table: str) -> Batches:
    import connectorx as cx

    sql = f"select * from {table}"
    yield from cx.read_sql(_connectorx_url(database), sql, return_type="arrow_stream", batch_size=ROWS)


def connectorx_keyed(database: str, table: str, keys: list[str]) -> Batches:
    import connectorx as cx

    for sql in selects(table, keys):
        yield from cx.read_sql(_connectorx_url(database), sql, return_type="arrow").to_batches()


def odbc_scan(database: str, table: str) -> Batches:
    return _odbc(database, f"select * from {table}")


def odbc_keyed(database: str, table: str, keys: list[str]) -> Batches:
    for sql in selects(table, keys):
        yield from _odbc(database, sql)


def duckdb_scan(database: str, table: str) -> Batches:
    """Read by ADBC, through duckdb."""
    yield from _duckdb(adbc_scan(database, table, hint=MiB if is_postgres(database) else None), "select * from read")


def duckdb_keyed(database: str, table: str, keys: list[str]) -> Batches:
    """Read the whole table, of which duckdb keeps the rows whose key is wanted."""
    sql = "select read.* from read semi join wanted on read.CONTAINERID = wanted.key"
    batches = adbc_scan(database, table, hint=MiB if is_postgres(database) else None)
    yield from _duckdb(batches, sql, wanted=pa.table({"key": keys}))


def lines(keyed: str, **arguments: Any) -> Iterator[bytes]:
    """Write dictionaries of each IN list by key, one line a key, through orjson; *keyed* names a function above."""
    read: Callable[..., Batches] = globals()[keyed]
    keys = sorted(arguments.pop("keys"))
    for start in range(0, len(keys), KEYS_PER_QUERY):
        batches = read(**arguments, keys=keys[start : start + KEYS_PER_QUERY])
        rows = [row for batch in batches for row in batch.to_pylist()]
        rows.sort(key=_key)
        for cid, records in groupby(rows, _key):
            line = {"key": cid, "rows": list(records)}
            yield orjson.dumps(line, default=float, option=orjson.OPT_APPEND_NEWLINE)


def _key(row: dict[str, Any]) -> str:
    key: str = next(iter(row.values()))
    return key


def _connectorx_url(database: str) -> str:
    return database if is_postgres(database) else f"sqlite://{database}"


def _odbc(database: str, sql: str) -> Batches:
    from arrow_odbc import read_arrow_batches_from_odbc

    # Texts are declared without a width, and every buffer has the largest one's: 20 KB, the longest remark.
    yield from read_arrow_batches_from_odbc(
        sql, odbc(database), batch_size=ROWS, max_bytes_per_batch=64 * MiB, max_text_size=20_000
    )


def _duckdb(batches: Batches, sql: str, **tables: Any) -> Batches:
    import duckdb

    first = next(batches)
    read = pa.RecordBatchReader.from_batches(first.schema, (batch for some in ([first], batches) for batch in some))
    with duckdb.connect() as connection:
        for name, table in {"read": read, **tables}.items():
            connection.register(name, table)
        yield from connection.sql(sql).fetch_record_batch(ROWS)
