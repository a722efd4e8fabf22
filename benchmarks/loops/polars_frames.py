"""polars: ``iter_batches`` over a driver, and ADBC's batches written by ``write_ndjson``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO

import polars as pl
import psycopg

from benchmarks.loops.places import adbc, is_postgres, selects

ROWS = 5_000


def scan(database: str, table: str) -> Iterator[pl.DataFrame]:
    with closing(psycopg.connect(database) if is_postgres(database) else sqlite3.connect(database)) as connection:
        yield from pl.read_database(f"select * from {table}", connection, iter_batches=True, batch_size=ROWS)


def keyed(database: str, table: str, keys: list[str]) -> Iterator[pl.DataFrame]:
    """Read a frame for each IN list, by ADBC."""
    with adbc(database) as cursor:
        for sql in selects(table, keys):
            cursor.execute(sql)
            yield pl.from_arrow(cursor.fetch_arrow_table())


def lines(database: str, table: str, keys: list[str]) -> Iterator[bytes]:
    for frame in keyed(database, table, keys):
        times = pl.selectors.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S")
        groups = frame.with_columns(times).group_by(pl.first().alias("key"), maintain_order=True)
        out = BytesIO()
        groups.agg(pl.struct(pl.all()).alias("rows")).write_ndjson(out)
        yield out.getvalue()
