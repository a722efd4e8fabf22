"""The table of docs/drivers.md: each row is found by reading with the driver, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.rig.driver_row import MYSQL, STORED

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TABLE = dict(re.findall(r"^\| `([\w-]+)` \| ((?:yes|no) .*) \|$", (ROOT / "docs/drivers.md").read_text(), re.MULTILINE))
IN_FILES = ("sqlite3", "apsw", "duckdb", "duckdb_engine", "adbc-sqlite")
IN_POSTGRES = (
    "psycopg",
    "psycopg2",
    "pg8000",
    "pyodbc",
    "adbc-postgres",
    "sqlalchemy-psycopg",
    "sqlalchemy-psycopg2",
    "sqlalchemy-pg8000",
)
IN_MARIADB = (*MYSQL, "sqlalchemy-pymysql", "sqlalchemy-mysqldb")
MODULES = {
    "adbc-sqlite": "adbc_driver_sqlite",
    "adbc-postgres": "adbc_driver_postgresql",
    "duckdb_engine": "duckdb_engine",
    "sqlalchemy-mysqldb": "MySQLdb",
    **MYSQL,
}
ROWS = [(n, *(4 * [f"L{n:06d}"])) for n in range(STORED)]
# The table's columns: a number, and keys that are indexed, not indexed, padded and compared without case.
SQLITE = "create table t (n integer, lot text, bare text, fixed char(7), caseless text collate nocase)"
POSTGRES = """
drop table if exists t;
drop collation if exists caseless;
create collation caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
create table t (n integer, lot text, bare text, fixed char(9), caseless text collate caseless);
insert into t select n, l, l, l, l from (select n, 'L' || lpad(n::text, 6, '0') l from generate_series(0, 2999) n) r;
create index on t (lot);
"""
NOPAD = "character set utf8mb4 collate utf8mb4_nopad_bin"
CASELESS = "character set utf8mb4 collate utf8mb4_general_ci"
MARIADB = f"""
drop table if exists t;
create table t (n integer, lot varchar(9) {NOPAD}, bare varchar(9) {NOPAD}, fixed char(9) {NOPAD},
    caseless varchar(9) {CASELESS}, index (lot));
insert into t select seq, l, l, l, l from (select seq, concat('L', lpad(seq, 6, '0')) l from seq_0_to_2999) r
"""


@pytest.fixture(params=[*IN_FILES, *IN_POSTGRES, *IN_MARIADB])
def place(request, tmp_path):
    """A driver, and where its table is."""
    module = MODULES.get(request.param, request.param.rpartition("-")[2])
    pytest.importorskip(module, reason=f"could not import {module}", exc_type=ImportError)
    if request.param in IN_FILES:
        path = str(tmp_path / "t.db")
        module = __import__("duckdb" if "duckdb" in request.param else "sqlite3")
        with closing(module.connect(path)) as con:
            con.execute(SQLITE)
            con.executemany("insert into t values (?, ?, ?, ?, ?)", ROWS)
            con.execute("create index t_lot on t (lot)")
            con.commit()
        yield request.param, path
    elif request.param in IN_MARIADB:
        pymysql = pytest.importorskip("pymysql", reason="no driver of mariadb: pymysql is not installed")
        server = request.getfixturevalue("mariadb_server")
        with closing(pymysql.connect(**server.arguments, autocommit=True)) as con, con.cursor() as cursor:
            for statement in MARIADB.split(";"):
                cursor.execute(statement)
        yield request.param, server.url
    else:
        import psycopg

        url = request.getfixturevalue("postgres_url")
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(POSTGRES)
        yield request.param, url


def find_row(name, url, *options):
    done = subprocess.run(
        [sys.executable, "-m", "tests.rig.driver_row", name, url, *options], cwd=ROOT, env=os.environ,
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_row_of_the_table_is_what_reading_finds(place):
    assert TABLE[place[0]].partition(" | ")[2] == find_row(*place)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_million_rows_are_bounded_where_the_table_says_so(place):
    assert TABLE[place[0]] == find_row(*place, "large")
