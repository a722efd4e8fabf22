"""Oracle through python-oracledb: bare ``fetchmany`` and Arrow loops, and the same work through mesbatch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import oracledb

from mesbatch import read_sql_iter
from mesbatch.demo.queries import JOBS_KEY, JOBS_SEPARATOR
from mesbatch.keys.choose import StrategyName
from mesbatch.trace.read import Trace
from tests.oracle.server import PASSWORD, USER
from tests.oracle.trace import oracle_queries

Rows = list[tuple[Any, ...]]
KEYS_PER_LIST = 1_000


def scan(database: str, sql: str, arraysize: int = 1_000) -> Iterator[Rows]:
    with oracledb.connect(user=USER, password=PASSWORD, dsn=database) as connection:
        yield from _fetched(connection, sql, None, arraysize)


def arrow(database: str, sql: str, size: int = 5_000) -> Iterator[range]:
    """Yield as many things as there were rows; none of them becomes a Python object."""
    with oracledb.connect(user=USER, password=PASSWORD, dsn=database) as connection:
        for frame in connection.fetch_df_batches(sql, size=size):
            yield range(frame.num_rows())


def in_lists(database: str, sql: str, keys: list[str], arraysize: int = 1_000) -> Iterator[Rows]:
    with oracledb.connect(user=USER, password=PASSWORD, dsn=database) as connection:
        yield from _in_lists(connection, sql, sorted(keys), arraysize)


def trace(database: str, keys: list[str], arraysize: int = 1_000) -> Iterator[Rows]:
    """Read all domains, one after the other."""
    ordered, wanted = sorted(keys), set(keys)
    with oracledb.connect(user=USER, password=PASSWORD, dsn=database) as connection:
        for query in oracle_queries().values():
            if query.separator is None:
                yield from _in_lists(connection, query.sql, ordered, arraysize)
                continue
            for rows in _fetched(connection, query.sql, None, arraysize):
                yield [row for row in rows if not wanted.isdisjoint((row[12] or "").split(JOBS_SEPARATOR))]


def our_scan(database: str, sql: str) -> Iterator[Rows]:
    with closing(_pool(database)) as pool, read_sql_iter(sql, pool) as reader:
        for batch in reader:
            yield batch.rows


def our_arrow(database: str, sql: str) -> Iterator[range]:
    with closing(_pool(database)) as pool, read_sql_iter(sql, pool) as reader:
        for batch in reader.arrow():
            yield range(batch.num_rows)


def our_keys(database: str, sql: str, keys: list[str], strategy: StrategyName = "auto") -> Iterator[Rows]:
    with closing(_pool(database)) as pool, read_sql_iter(sql, pool, keys=keys, strategy=strategy) as reader:
        for batch in reader:
            yield batch.rows


def our_trace(database: str, keys: list[str]) -> Iterator[Rows]:
    with closing(_pool(database)) as pool, Trace(oracle_queries()).read(pool, keys) as reader:
        for _, batch in reader:
            yield batch.rows


def sqlite_trace(database: str, keys: list[str]) -> Iterator[Rows]:
    """Read the expected rows from the file that the stand-in serves."""
    import sqlite3

    from mesbatch.demo.queries import KEY, QUERIES
    from mesbatch.trace.read import Query

    separated = {domain: JOBS_SEPARATOR if domain == "jobs" else None for domain in QUERIES}
    queries = {
        domain: Query(sql, JOBS_KEY if separated[domain] else KEY, separator=separated[domain])
        for domain, sql in QUERIES.items()
    }
    with closing(sqlite3.connect(database)) as con, Trace(queries).read(con, keys) as reader:
        for _, batch in reader:
            yield batch.rows


def _pool(database: str) -> Any:
    return oracledb.create_pool(user=USER, password=PASSWORD, dsn=database, min=0, max=2)


def _in_lists(connection: Any, sql: str, keys: list[str], arraysize: int) -> Iterator[Rows]:
    for start in range(0, len(keys), KEYS_PER_LIST):
        part = keys[start : start + KEYS_PER_LIST]
        marks = ", ".join(f":{i}" for i in range(len(part)))
        yield from _fetched(connection, sql.replace(":keys", marks), part, arraysize)


def _fetched(connection: Any, sql: str, binds: list[str] | None, arraysize: int) -> Iterator[Rows]:
    with connection.cursor() as cursor:
        cursor.arraysize = arraysize
        cursor.execute(sql, binds)
        while rows := cursor.fetchmany(arraysize):
            yield rows
