"""The benchmarks' tables, built once for all runs: ``python -m benchmarks.data [TABLE...]``."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from benchmarks.cache import cache_directory
from benchmarks.server import KeptPostgres
from benchmarks.tables import COLUMNS, TABLES, Table, cids

__all__ = ["cids", "make_mariadb", "make_postgres", "make_sqlite", "postgres_table", "sqlite_file"]

T = TypeVar("T")
ROWS_AT_ONCE = 2_000
ROWS_PER_REPORT = 250_000


def sqlite_file(table: Table) -> Path:
    """Find the file that holds *table*, built now if it is not there."""
    path = cache_directory() / f"{table.name}.db"
    if not path.exists():
        make_sqlite(path, table)
    return path


def postgres_table(url: str, table: Table) -> str:
    """Find the name of *table* in the database at *url*, built now if it is not there."""
    with psycopg.connect(url) as connection:
        found = connection.execute("select to_regclass(%s)", (table.name,)).fetchone()
    if found == (None,):
        make_postgres(url, table)
    return table.name


def make_sqlite(path: Path, table: Table) -> None:
    """Write *table* into a new SQLite file; the file gets its name when it is whole."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    columns = ", ".join(f"{name} {sqlite}" for name, (_, sqlite) in COLUMNS.items())
    marks = ", ".join("?" * len(COLUMNS))
    with closing(sqlite3.connect(unfinished)) as connection:
        connection.executescript("pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -262144")
        connection.execute(f"create table {table.name} ({columns})")
        rows = reported(table.rows(), f"SQLite {table.name}")
        connection.executemany(f"insert into {table.name} values ({marks})", rows)
        connection.execute(f"create index {table.name}_key on {table.name} (CONTAINERID)")
        connection.commit()
    unfinished.rename(path)


def make_postgres(url: str, table: Table) -> None:
    """Write *table* into the database at *url*, in one transaction."""
    columns = ", ".join(f"{name} {postgres}" for name, (postgres, _) in COLUMNS.items())
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"create table {table.name} ({columns})")
        with cursor.copy(f"copy {table.name} from stdin (freeze)") as copy:
            lines = reported(table.copy_lines(), f"PostgreSQL {table.name}")
            while many := "".join(islice(lines, ROWS_AT_ONCE)):
                copy.write(many)
        cursor.execute(f"create index on {table.name} (CONTAINERID)")
        cursor.execute(f"analyze {table.name}")


def make_mariadb(arguments: dict[str, Any], table: Table) -> None:
    """Write *table* into the MariaDB that *arguments* of ``connect`` name, by way of a file."""
    import pymysql

    columns = ", ".join(
        f"{name} {postgres.replace('timestamp', 'datetime')}" for name, (postgres, _) in COLUMNS.items()
    )
    with (
        tempfile.NamedTemporaryFile("w") as file,
        pymysql.connect(**arguments, local_infile=True) as connection,
        connection.cursor() as cursor,
    ):
        file.writelines(reported(table.copy_lines(), f"MariaDB {table.name}"))
        file.flush()
        cursor.execute(f"create table {table.name} ({columns}) engine = InnoDB")
        cursor.execute(f"load data local infile '{file.name}' into table {table.name} character set utf8mb4")
        connection.commit()
        cursor.execute(f"create index {table.name}_key on {table.name} (CONTAINERID)")


def reported(rows: Iterator[T], title: str) -> Iterator[T]:
    """Give *rows*, and count them in one line of standard error."""
    number = 0
    for number, row in enumerate(rows, 1):
        if number % ROWS_PER_REPORT == 0:
            print(f"\rbuilding {title}: {number:,} rows", end="", file=sys.stderr, flush=True)
        yield row
    print(f"\rbuilding {title}: {number:,} rows, then the index", file=sys.stderr)


def main(*names: str) -> None:
    with KeptPostgres() as server:
        for table in [TABLES[name] for name in names or TABLES]:
            print(sqlite_file(table), postgres_table(server.url, table), table.num_rows(), sep="\t", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
