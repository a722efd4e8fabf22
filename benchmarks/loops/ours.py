"""The same work through mesbatch."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apsw
import psycopg

from benchmarks.loops import mysql
from benchmarks.ours import GROUPS_MAX_BYTES
from mesbatch.batch import Batch
from mesbatch.group.by_key import group_by_key, iter_groups
from mesbatch.group.fold import fold
from mesbatch.keys.choose import Order, StrategyName
from mesbatch.read.reader import BatchReader, read_sql_iter
from mesbatch.sink.ndjson import ndjson_groups
from mesbatch.sink.ndjson_by_key import ndjson_by_key

Rows = list[tuple[Any, ...]]
KEY = "CONTAINERID"


def scan(database: str, table: str, driver: str) -> Iterator[Rows]:
    with _scanned(database, table, driver) as reader:
        for batch in reader:
            yield batch.rows


def arrow_scan(database: str, table: str) -> Iterator[Any]:
    """Read record batches, by URL."""
    url = database if "://" in database else f"sqlite:///{database}"
    with read_sql_iter(f"select * from {table}", url) as reader:
        yield from reader.arrow()


def keyed(database: str, table: str, driver: str, keys: Iterable[str], **how: Any) -> Iterator[Rows]:
    with _keyed(database, table, driver, keys, **how) as reader:
        for batch in reader:
            yield batch.rows


def groups(database: str, table: str, driver: str, keys: Iterable[str]) -> Iterator[Rows]:
    with _keyed(database, table, driver, keys) as reader:
        for _, rows in iter_groups(reader, KEY):
            yield rows


def spilled_groups(database: str, table: str, driver: str, keys: Iterable[str]) -> Iterator[Rows]:
    with (
        _keyed(database, table, driver, keys, order="any") as reader,
        group_by_key(reader, KEY, max_bytes=GROUPS_MAX_BYTES) as grouped,
    ):
        yield from grouped.values()


def folded(database: str, table: str, driver: str, keys: Iterable[str]) -> Iterator[range]:
    """Count the rows of each work centre; yields as many things as there were rows."""
    with _keyed(database, table, driver, keys) as reader:
        counts = fold(reader, _count_work_centres, dict)
    yield range(sum(counts.values()))


def trace(
    database: str, table: str, driver: str, keys: Iterable[str], order: Order = "key", **how: Any
) -> Iterator[bytes]:
    with _keyed(database, table, driver, keys, order=order, **how) as reader:
        yield from ndjson_groups(iter_groups(reader, KEY, order=order), reader.description)


def unordered_groups(database: str, table: str, driver: str) -> Iterator[Rows]:
    with (
        _scanned(database, table, driver) as reader,
        group_by_key(reader, KEY, max_bytes=GROUPS_MAX_BYTES) as grouped,
    ):
        yield from grouped.values()


def lines_by_key(database: str, table: str, driver: str) -> Iterator[bytes]:
    """Write rows in any order, encoded once, as NDJSON."""
    yield from ndjson_by_key(_scanned(database, table, driver), KEY, max_bytes=GROUPS_MAX_BYTES)


def keyed_lines_by_key(database: str, table: str, driver: str, keys: Iterable[str]) -> Iterator[bytes]:
    """Write the rows of keys as one statement gives them, in any order, as NDJSON gathered by key on disk."""
    reader = _keyed(database, table, driver, keys, strategy="temporary-table", order="any")
    yield from ndjson_by_key(reader, KEY, max_bytes=GROUPS_MAX_BYTES)


def grouped_scan(database: str, table: str, driver: str) -> Iterator[bytes]:
    """Write rows in any order, grouped on disk, as NDJSON."""
    with (
        _scanned(database, table, driver) as reader,
        group_by_key(reader, KEY, max_bytes=GROUPS_MAX_BYTES) as grouped,
    ):
        yield from ndjson_groups(grouped.items(), reader.description)


def _scanned(database: str, table: str, driver: str) -> BatchReader:
    return read_sql_iter(f"select * from {table}", _connect(database, driver))


def _keyed(
    database: str,
    table: str,
    driver: str,
    keys: Iterable[str],
    strategy: StrategyName = "auto",
    order: Order = "key",
    parallel: int = 1,
) -> BatchReader:
    sql = f"select * from {table} where CONTAINERID in (:keys)"
    connect = _connect(database, driver)
    return read_sql_iter(sql, connect, keys=keys, key=KEY, strategy=strategy, order=order, parallel=parallel)


def _connect(database: str, driver: str) -> Callable[[], Any]:
    match driver:
        case "psycopg":
            return lambda: psycopg.connect(database)
        case "pymysql" | "MySQLdb" | "mysql.connector" | "mariadb":
            return lambda: mysql.connect(database, driver)
        case "apsw":
            return lambda: apsw.Connection(database, flags=apsw.SQLITE_OPEN_READONLY)
        case _:
            return lambda: sqlite3.connect(database, check_same_thread=False)


def _count_work_centres(counts: dict[str, int], batch: Batch) -> dict[str, int]:
    for row in batch.rows:
        counts[row[2]] = counts.get(row[2], 0) + 1
    return counts
