"""SQLAlchemy Core, streamed as its manual says: ``stream_results`` and partitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, create_engine, text

from benchmarks.loops.places import cut, is_postgres

ROWS = 1_000


def scan(database: str, table: str) -> Iterator[Sequence[Any]]:
    with _connected(database) as connection:
        yield from connection.execute(text(f"select * from {table}")).partitions(ROWS)


def keyed(database: str, table: str, keys: list[str]) -> Iterator[Sequence[Any]]:
    statement = text(f"select * from {table} where CONTAINERID in :keys")
    statement = statement.bindparams(bindparam("keys", expanding=True))
    with _connected(database) as connection:
        for part in cut(keys):
            yield from connection.execute(statement, {"keys": part}).partitions(ROWS)


def lines(database: str, table: str, keys: list[str]) -> Iterator[bytes]:
    """Write mappings of each IN list by key, one line a key, through orjson."""
    statement = text(f"select * from {table} where CONTAINERID in :keys")
    statement = statement.bindparams(bindparam("keys", expanding=True))
    with _connected(database) as connection:
        for part in cut(keys):
            rows = [dict(row) for row in connection.execute(statement, {"keys": part}).mappings()]
            key = itemgetter(next(iter(rows[0]))) if rows else itemgetter(0)
            for cid, records in groupby(sorted(rows, key=key), key):
                line = {"key": cid, "rows": list(records)}
                yield orjson.dumps(line, default=float, option=orjson.OPT_APPEND_NEWLINE)


@contextmanager
def _connected(database: str) -> Iterator[Connection]:
    postgres = is_postgres(database)
    engine = create_engine(database.replace("://", "+psycopg://") if postgres else f"sqlite:///{database}")
    with engine.connect() as connection:
        yield connection.execution_options(stream_results=True)
    engine.dispose()
