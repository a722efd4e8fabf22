"""The incident's two pipelines over the benchmarks' table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg

from mesbatch.demo import incident as pipelines


def incident(database: str, table: str, keys: list[str]) -> Iterator[str]:
    with closing(_connect(database)) as connection:
        yield pipelines.incident(connection, _queries(table), keys)


def first_repair(database: str, table: str, keys: list[str]) -> Iterator[str]:
    with closing(_connect(database)) as connection:
        yield pipelines.first_repair(connection, _queries(table), keys)


def _queries(table: str) -> dict[str, str]:
    return {"events": f"select * from {table} where CONTAINERID in (:keys)"}


def _connect(database: str) -> Any:
    return psycopg.connect(database) if "://" in database else sqlite3.connect(database)
