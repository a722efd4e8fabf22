"""One driver's row of the table in docs/drivers.md, found by reading: ``python -m tests.rig.driver_row NAME URL``.

It runs in a process of its own, whose memory is that of the driver.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mesbatch import MiB, read_sql_iter
from mesbatch.errors import DatabaseTimeout, MesbatchError, UnboundedDriver

BOUND = 16 * MiB
ROWS = 1_000_000
MANY = "select n, 'a lot', n + 1, 'a step', n * 2, 'a remark on this row', n, 'x', n, 'and another remark' from {}"
RECURSIVE = "(with recursive r (n) as (select 1 union all select n + 1 from r where n < {}) select n from r) r"
SEQUENCE = "(select seq n from seq_1_to_{}) r"  # MariaDB's, where recursion ends after 1,000 rows
LOTS = [f"L{n:06d}" for n in range(114_000)]
STORED = 3_000  # lots that have a row
KEY_COLUMNS = ("lot", "bare", "fixed", "caseless")  # indexed, not indexed, CHAR(7), of a collation that ignores case
MYSQL = {
    "pymysql": "pymysql",
    "mysqlclient": "MySQLdb",
    "mysql-connector-python": "mysql.connector",
    "mariadb": "mariadb",
}
# A bind in a driver's style, and a percent sign that is none.
BINDS = {"numeric_dollar": ("$1", "%"), "format": ("%s", "%%"), "pyformat": ("%s", "%%"), "verbatim": ("%s", "%")}
SQLALCHEMY = {
    "sqlalchemy-psycopg": "postgresql+psycopg:",
    "sqlalchemy-psycopg2": "postgresql+psycopg2:",
    "sqlalchemy-pg8000": "postgresql+pg8000:",
    "sqlalchemy-pymysql": "mysql+pymysql:",
    "sqlalchemy-mysqldb": "mysql+mysqldb:",
    "duckdb_engine": "duckdb:",
}


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
    place = {"user": parts.username, "password": unquote(parts.password or ""), "host": parts.hostname}
    return partial(import_module(MYSQL[name]).connect, **place, port=parts.port, database=parts.path[1:])


def cells(name: str, url: str, *, large: bool) -> Iterator[tuple[str, str]]:
    """The names of the columns, and what was found."""
    began = _connection_mark(url) if "://" in url else ""
    if name in SQLALCHEMY:
        import sqlalchemy

        rest = url.partition(":")[2] if "://" in url else f"///{url}"
        con: Any = sqlalchemy.create_engine(f"{SQLALCHEMY[name]}{rest}")
        connect: Any = con
    else:
        connect = connecting(name, url)
        con = connect()
    numbers = SEQUENCE if url.startswith("mysql") else RECURSIVE
    if large:
        yield "bounded", "yes" if _peak(con, numbers) <= BOUND else "no"
    yield "keys", _keys(con)
    yield "parameters", _parameters(con)
    yield "leaving early", _leaving(con)
    yield "timeout", _timeout(connect, f"select count(*) from {numbers.format(30_000_000)}")
    yield "killed", _killed(connect, url, began)
    yield "`consistent`", _option(connect, consistent=True)
    yield "`parallel=2`", _option(connect, parallel=2)


def _peak(con: Any, numbers: str) -> int:
    """The bytes above those of a small read, at the most, while a million rows are read."""
    list(read_sql_iter(MANY.format(numbers.format(2_000)), con))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnboundedDriver)
        if (
            sum(batch.num_rows for batch in read_sql_iter(MANY.format(numbers.format(ROWS)), con, max_bytes=8 * MiB))
            != ROWS
        ):
            raise RuntimeError("rows are missing")
    return _status("VmHWM") - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def _keyed(column: str) -> str:
    return f"select n, {column} from t where {column} in (:keys)"


def _read(con: Any, sql: str = _keyed("lot"), *args: Any, **options: Any) -> list[Any]:
    with read_sql_iter(sql, con, *args, **options) as reader:
        return [row for batch in reader for row in batch.rows]


def _keys(con: Any) -> str:
    """Read each kind of column by few and many keys; those that ignore case by keys in lower case."""
    exceptions = []
    for column in KEY_COLUMNS:
        for count in (0, 1, 3, len(LOTS)):
            keys = [lot.lower() for lot in LOTS[:count]] if column == "caseless" else LOTS[:count]
            try:
                rows = _read(con, _keyed(column), keys=keys)
            except MesbatchError as error:
                exceptions.append(f"; {column}: `{type(error).__name__}`")
                break
            if [row[0] for row in rows] != list(range(min(count, STORED))):
                exceptions.append(f"; {column}: wrong with {count:,}")
    return f"0 to 114,000{''.join(exceptions)}"


def _parameters(con: Any) -> str:
    from mesbatch.source.connect import find_source

    session = find_source(con).open()
    style = session.driver.paramstyle
    session.close()
    bind, percent = BINDS.get(style, ("?", "%"))
    sql = f"select n, lot from t where n > {bind} and lot like 'L{percent}' and ':a' = ':a' and lot in (:keys)"
    return "yes" if [row[0] for row in _read(con, sql, (5,), keys=LOTS[:8])] == [6, 7] else "wrong"


def _leaving(con: Any) -> str:
    with read_sql_iter("select * from t", con, batch_size=100) as reader:
        next(reader)
    return "yes" if _read(con, "select 7") == [(7,)] else "wrong"


def _timeout(con: Any, slow: str) -> str:
    try:
        _read(con, slow, timeout=0.5)
    except DatabaseTimeout:
        return "cancels"
    return "no"


def _killed(con: Any, url: str, began: str) -> str:
    """End all connections since the mark *began* in the middle of a read in parts."""
    if "://" not in url:
        return "-"  # there is no server
    keys, rows = LOTS[:STORED], []
    try:
        with read_sql_iter(_keyed("lot"), con, keys=keys, strategy="in-list", batch_size=50) as reader:
            rows += next(reader).rows
            _end_connections(url, began)
            rows += [row for batch in reader for row in batch.rows]
    except MesbatchError as error:
        return f"`{type(error).__name__}`"
    return "goes on" if [row[1] for row in rows] == keys else "wrong"


def _connection_mark(url: str) -> str:
    """Tell the server's connections from those that come later: other tests have theirs on it."""
    if url.startswith("mysql"):
        with connecting("pymysql", url)() as admin:
            return str(admin.thread_id())
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        return str(connection.execute("select clock_timestamp()").fetchone()[0])


def _end_connections(url: str, began: str) -> None:
    """End all connections that are younger than the mark *began*."""
    if url.startswith("mysql"):
        with connecting("pymysql", url)() as admin, admin.cursor() as cursor:
            cursor.execute(
                "select id from information_schema.processlist where id > %s and id <> connection_id()", (int(began),)
            )
            for (number,) in cursor.fetchall():
                cursor.execute(f"kill connection {number}")
        return
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where pid <> pg_backend_pid() and backend_type = 'client backend' and backend_start > %s::timestamptz",
            [began],
        )


def _option(con: Any, **options: Any) -> str:
    try:
        rows = _read(con, keys=LOTS[:2_000], strategy="in-list", **options)
    except (MesbatchError, ValueError):
        return "refused"
    return "yes" if [row[1] for row in rows] == LOTS[:2_000] else "wrong"


if __name__ == "__main__":
    print(" | ".join(found for _, found in cells(sys.argv[1], sys.argv[2], large="large" in sys.argv)))
