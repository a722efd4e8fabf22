"""sqlite3 and apsw: plain iteration, IN lists and temporary tables of keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import apsw

Rows = list[tuple[Any, ...]]
BATCH = 1_000
KEYS_PER_QUERY = 1_000


def scan(database: str, table: str, driver: str) -> Iterator[Rows]:
    with closing(_connect(database, driver)) as connection:
        yield from _iterated(connection, f"select * from {table}")


def ordered_scan(database: str, table: str, driver: str) -> Iterator[Rows]:
    with closing(_connect(database, driver)) as connection:
        yield from _iterated(connection, f"select * from {table} order by CONTAINERID")


def scan_fetchmany(database: str, table: str) -> Iterator[Rows]:
    with closing(sqlite3.connect(database)) as connection:
        cursor = connection.execute(f"select * from {table}")
        while rows := cursor.fetchmany(BATCH):
            yield rows


def in_lists(database: str, table: str, keys: list[str], driver: str) -> Iterator[Rows]:
    with closing(_connect(database, driver)) as connection:
        for start in range(0, len(keys), KEYS_PER_QUERY):
            part = keys[start : start + KEYS_PER_QUERY]
            marks = ", ".join("?" * len(part))
            yield from _iterated(connection, f"select * from {table} where CONTAINERID in ({marks})", part)
            yield []


def sorted_in_lists(database: str, table: str, keys: list[str], driver: str) -> Iterator[Rows]:
    return in_lists(database, table, sorted(keys), driver)


def temporary_table(database: str, table: str, keys: list[str], driver: str) -> Iterator[Rows]:
    return _by_temporary_table(database, keys, driver, f"select * from {table} where CONTAINERID in wanted")


def ordered_temporary_table(database: str, table: str, keys: list[str], driver: str) -> Iterator[Rows]:
    sql = f"select * from {table} where CONTAINERID in wanted order by CONTAINERID"
    return _by_temporary_table(database, keys, driver, sql)


def joined_temporary_table(database: str, table: str, keys: list[str], driver: str) -> Iterator[Rows]:
    """Walk the key table in its own order, so that nothing has to be sorted."""
    sql = f"select {table}.* from wanted cross join {table} on CONTAINERID = key order by key"
    return _by_temporary_table(database, keys, driver, sql)


def _by_temporary_table(database: str, keys: list[str], driver: str, sql: str) -> Iterator[Rows]:
    with closing(_connect(database, driver)) as connection:
        connection.execute("create temporary table wanted (key text primary key) without rowid")
        connection.execute("begin")
        binds = ((key,) for key in sorted(keys))
        connection.cursor().executemany("insert into wanted values (?)", binds)
        yield from _iterated(connection, sql)
        yield []


def _connect(database: str, driver: str) -> Any:
    if driver == "apsw":
        return apsw.Connection(database, flags=apsw.SQLITE_OPEN_READONLY)
    return sqlite3.connect(database, isolation_level=None)


def _iterated(connection: Any, sql: str, binds: Any = ()) -> Iterator[Rows]:
    cursor = iter(connection.execute(sql, binds))
    while rows := list(islice(cursor, BATCH)):
        yield rows
