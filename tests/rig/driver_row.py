"""One driver's row of the table in docs/drivers.md, found by reading: ``python -m tests.rig.driver_row NAME URL``.

It runs in a process of its own, whose memory is that of the driver.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mesbatch import MiB, read_sql_iter
from mesbatch.errors import DatabaseTimeout, MesbatchError, UnboundedDriver

BOUND = 16 * MiB
ROWS = 1_000_000
COLUMNS = "n, 'lot ' || n, n + 1, 'step ' || n, n * 2, 'a remark on this row', n, 'x', n, 'and another remark'"
MANY = f"with recursive r (n) as (select 1 union all select n + 1 from r where n < {ROWS}) select {COLUMNS} from r"
SLOW = "with recursive r (n) as (select 1 union all select n + 1 from r where n < 500000000) select count(*) from r"
KEYED = "select n, lot from t where lot in (:keys)"
LOTS = [f"L{n:06d}" for n in range(114_000)]
ENGINES = {"sqlalchemy-psycopg": "psycopg", "sqlalchemy-psycopg2": "psycopg2", "sqlalchemy-pg8000": "pg8000"}


def connecting(name: str, url: str) -> Callable[[], Any]:
    """A function that opens a connection of the driver *name* to *url*."""
    parts = urlsplit(url)
    match name:
        case "psycopg" | "psycopg2":
            return lambda: __import__(name).connect(url)
        case "pg8000":
            import pg8000.dbapi

            place = {"user": parts.username, "host": parts.hostname, "port": parts.port, "database": parts.path[1:]}
            return lambda: pg8000.dbapi.connect(**place)
        case "pyodbc":
            import pyodbc

            place = f"SERVER={parts.hostname};PORT={parts.port};DATABASE={parts.path[1:]};UID={parts.username};PWD=x"
            return lambda: pyodbc.connect(f"DRIVER={{PostgreSQL Unicode}};{place};UseDeclareFetch=1;Fetch=1000")
        case "sqlite3":
            import sqlite3

            return lambda: sqlite3.connect(url)
        case "apsw":
            import apsw

            return lambda: apsw.Connection(url)
        case "duckdb":
            import duckdb

            return lambda: duckdb.connect(url)
        case "adbc-sqlite":
            import adbc_driver_sqlite.dbapi

            return lambda: adbc_driver_sqlite.dbapi.connect(url)
        case "adbc-postgres":
            import adbc_driver_postgresql.dbapi

            return lambda: adbc_driver_postgresql.dbapi.connect(url)
    raise ValueError(name)


def cells(name: str, url: str, *, large: bool) -> Iterator[tuple[str, str]]:
    """The names of the columns, and what was found."""
    if name in ENGINES:
        import sqlalchemy

        con: Any = sqlalchemy.create_engine(url.replace("postgresql:", f"postgresql+{ENGINES[name]}:"))
        connect: Any = con
    else:
        connect = connecting(name, url)
        con = connect()
    if large:
        yield "bounded", "yes" if _peak(con) <= BOUND else "no"
    yield "keys", _keys(con)
    yield "parameters", _parameters(con)
    yield "leaving early", _leaving(con)
    yield "timeout", _timeout(connect)
    yield "`consistent`", _option(connect, consistent=True)
    yield "`parallel=2`", _option(connect, parallel=2)


def _peak(con: Any) -> int:
    """The bytes above those of a small read, at the most, while a million rows are read."""
    list(read_sql_iter(MANY.replace(str(ROWS), "2000"), con))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnboundedDriver)
        if sum(batch.num_rows for batch in read_sql_iter(MANY, con, max_bytes=8 * MiB)) != ROWS:
            raise RuntimeError("rows are missing")
    return _status("VmHWM") - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def _read(con: Any, sql: str = KEYED, *args: Any, **options: Any) -> list[Any]:
    with read_sql_iter(sql, con, *args, **options) as reader:
        return [row for batch in reader for row in batch.rows]


def _keys(con: Any) -> str:
    for count in (0, 1, 3, len(LOTS)):
        if [row[1] for row in _read(con, keys=LOTS[:count])] != [lot for lot in LOTS[:count] if lot < "L003000"]:
            return f"wrong with {count:,}"
    return "0 to 114,000"


def _parameters(con: Any) -> str:
    from mesbatch.source.connect import find_source

    session = find_source(con).open()
    style = session.driver.paramstyle
    session.close()
    bind, params, percent = {"numeric_dollar": ("$1", (5,), "%")}.get(
        style, ("%s", (5,), "%%") if style in ("format", "pyformat") else ("?", (5,), "%")
    )
    sql = f"select n, lot from t where n > {bind} and lot like 'L{percent}' and ':a' = ':a' and lot in (:keys)"
    return "yes" if [row[0] for row in _read(con, sql, params, keys=LOTS[:8])] == [6, 7] else "wrong"


def _leaving(con: Any) -> str:
    with read_sql_iter("select * from t", con, batch_size=100) as reader:
        next(reader)
    return "yes" if _read(con, "select 7") == [(7,)] else "wrong"


def _timeout(con: Any) -> str:
    try:
        _read(con, SLOW, timeout=0.5)
    except DatabaseTimeout:
        return "cancels"
    return "no"


def _option(con: Any, **options: Any) -> str:
    try:
        rows = _read(con, keys=LOTS[:2_000], strategy="in-list", **options)
    except (MesbatchError, ValueError):
        return "refused"
    return "yes" if [row[1] for row in rows] == LOTS[:2_000] else "wrong"


if __name__ == "__main__":
    print(" | ".join(found for _, found in cells(sys.argv[1], sys.argv[2], large="large" in sys.argv)))
