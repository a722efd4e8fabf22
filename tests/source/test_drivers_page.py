"""The table of docs/drivers.md: each row is found by reading with the driver, in a process of its own."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = dict(re.findall(r"^\| `([\w-]+)` \| (.*) \|$", (ROOT / "docs/drivers.md").read_text(), re.MULTILINE))
IN_FILES = ("sqlite3", "apsw", "duckdb", "adbc-sqlite")
MODULES = {"adbc-sqlite": "adbc_driver_sqlite", "adbc-postgres": "adbc_driver_postgresql"}


@pytest.fixture(params=[*IN_FILES, "psycopg", "psycopg2", "pg8000", "pyodbc", "adbc-postgres", "sqlalchemy-psycopg",
                        "sqlalchemy-psycopg2", "sqlalchemy-pg8000"])  # fmt: skip
def place(request, tmp_path):
    """A driver, and where its table is."""
    module = MODULES.get(request.param, request.param.rpartition("-")[2])
    pytest.importorskip(module, reason=f"could not import {module}", exc_type=ImportError)
    if request.param in IN_FILES:
        path = str(tmp_path / "t.db")
        if module == "duckdb":
            import duckdb

            with closing(duckdb.connect(path)) as con:
                con.execute("create table t as select n, 'L' || lpad(n::text, 6, '0') lot from range(3000) r (n)")
        else:
            with closing(sqlite3.connect(path)) as con, con:
                con.execute("create table t (n integer, lot text)")
                con.executemany("insert into t values (?, ?)", [(n, f"L{n:06d}") for n in range(3_000)])
        yield request.param, path
        return
    import psycopg

    url = request.getfixturevalue("postgres_url")
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("drop table if exists t")
        admin.execute("create table t as select n, 'L' || lpad(n::text, 6, '0') lot from generate_series(0, 2999) n")
        yield request.param, url
        admin.execute("drop table t")


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
