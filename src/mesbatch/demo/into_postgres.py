"""The made-up warehouse in PostgreSQL, in tables of its own in the first schema of the search path."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg

from mesbatch.batch import Row
from mesbatch.demo.tables import MARKER, VERSION, Table
from mesbatch.errors import ConnectionLost


def connect(url: str) -> psycopg.Connection:
    """Connect; the caller closes. SQLAlchemy's spelling ``postgresql+psycopg://`` is understood.

    Raises:
        ConnectionLost: there is no database at *url*, or it does not let us in.
    """
    try:
        return psycopg.connect(url.replace("+psycopg", "", 1))
    except psycopg.OperationalError as error:
        raise ConnectionLost(f"cannot connect to PostgreSQL: {error}") from error


def read_marker(url: str) -> tuple[int, int] | None:
    """Read version and number of lots of a finished warehouse; None if there is none."""
    with connect(url) as con:
        if con.execute("SELECT to_regclass(%s)", [MARKER.name]).fetchone() == (None,):
            return None
        return con.execute(f"SELECT version, cids FROM {MARKER.name}").fetchone()


def build(url: str, cids: int, tables: Iterable[tuple[Table, Iterable[list[Row]]]]) -> None:
    """Write *tables* in one transaction, in place of an older warehouse: others see all of it or nothing."""
    with connect(url) as con, con.cursor() as cursor:
        for table, steps in tables:
            _fill(cursor, table, steps)
        _fill(cursor, MARKER, [[(VERSION, cids)]])


def _fill(cursor: psycopg.Cursor, table: Table, steps: Iterable[list[Row]]) -> None:
    cursor.execute(f"DROP TABLE IF EXISTS {table.name}")
    cursor.execute(table.create_sql)
    with cursor.copy(f"COPY {table.name} FROM STDIN") as copy:
        for rows in steps:
            for row in rows:
                copy.write_row(row)
    if table.indexed:
        cursor.execute(table.index_sql)
    cursor.execute(f"ANALYZE {table.name}")
