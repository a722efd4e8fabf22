"""The made-up warehouse as a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from mesbatch.batch import Row
from mesbatch.demo.tables import MARKER, VERSION, Table


def connect(path: Path) -> sqlite3.Connection:
    """Open the file for reading; the caller closes the connection."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def read_marker(path: Path) -> tuple[int, int] | None:
    """Read version and number of lots of a finished warehouse; None for anything else at *path*."""
    try:
        with closing(connect(path)) as con:
            version, cids = con.execute(f"SELECT version, cids FROM {MARKER.name}").fetchone()
            return version, cids
    except (sqlite3.Error, TypeError):  # no file, no database, no such table, no row
        return None


def build(path: Path, cids: int, tables: Iterable[tuple[Table, Iterable[list[Row]]]]) -> None:
    """Write *tables* to a file elsewhere in the directory, which takes the name *path* when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="building-", dir=path.parent) as directory:
        file = Path(directory, path.name)
        with closing(sqlite3.connect(file)) as con:
            con.executescript("PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA cache_size = -65536")
            for table, steps in tables:
                _fill(con, table, steps)
            _fill(con, MARKER, [[(VERSION, cids)]])
            con.commit()
        file.replace(path)


def _fill(con: sqlite3.Connection, table: Table, steps: Iterable[list[Row]]) -> None:
    con.execute(table.create_sql.replace("numeric(12,3)", "real"))  # SQLite's numeric gives 1380.000 back as an int
    insert = f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(table.columns))})"
    for rows in steps:
        con.executemany(insert, rows)
    if table.indexed:
        con.execute(table.index_sql)
