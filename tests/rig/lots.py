"""A small SQLite file of lots, with nulls in the first half of a column."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

ROWS = [(n, f"lot{n % 40:02}", None if n < 600 else n * 0.5) for n in range(1_000)]


def make_lots(directory: Path) -> Path:
    """Write `ROWS` into the table ``lots`` of a new file in *directory*."""
    file = directory / "lots.db"
    with closing(sqlite3.connect(file)) as con, con:
        con.execute("create table lots (id integer, lot text, qty real)")
        con.executemany("insert into lots values (?, ?, ?)", ROWS)
    return file
