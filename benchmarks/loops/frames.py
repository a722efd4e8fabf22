"""pandas, as its users read in pieces: a chunk size, or a frame for each IN list."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson
import pandas as pd
import psycopg

CHUNK = 5_000
KEYS_PER_QUERY = 1_000


def scan(database: str, table: str) -> Iterator[Any]:
    with closing(_connect(database)) as connection:
        yield from pd.read_sql(f"select * from {table}", connection, chunksize=CHUNK)


def in_lists(database: str, table: str, keys: list[str]) -> Iterator[Any]:
    with closing(_connect(database)) as connection:
        mark = "?" if isinstance(connection, sqlite3.Connection) else "%s"
        for start in range(0, len(keys), KEYS_PER_QUERY):
            part = keys[start : start + KEYS_PER_QUERY]
            marks = ", ".join([mark] * len(part))
            yield pd.read_sql(f"select * from {table} where CONTAINERID in ({marks})", connection, params=tuple(part))


def lines(database: str, table: str, keys: list[str]) -> Iterator[bytes]:
    """Write records of each frame by key, one line a key, through orjson."""
    for frame in in_lists(database, table, keys):
        key = itemgetter(frame.columns[0])
        for cid, records in groupby(sorted(frame.to_dict("records"), key=key), key):
            line = {"key": cid, "rows": list(records)}
            yield orjson.dumps(line, default=_plain, option=orjson.OPT_APPEND_NEWLINE)


def _plain(value: Any) -> Any:
    if value is pd.NaT:
        return None
    return value.isoformat() if isinstance(value, pd.Timestamp) else float(value)


def _connect(database: str) -> Any:
    return psycopg.connect(database) if "://" in database else sqlite3.connect(database)
