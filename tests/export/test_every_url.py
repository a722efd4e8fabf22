"""An export from the URL of each database and driver, read again by DuckDB: the rows that the table has."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from decimal import Decimal

import pytest
from click.testing import CliRunner

from mesbatch.cli import main
from tests.rig.mariadb import PASSWORD

MYSQL = {"pymysql": "pymysql", "mysqldb": "MySQLdb", "mysqlconnector": "mysql.connector", "mariadbconnector": "mariadb"}
POSTGRES = {"psycopg": "psycopg", "psycopg2": "psycopg2", "pg8000": "pg8000"}
TYPES = {  # id, note, qty, seen
    "sqlite": ("integer", "text", "decimal(12,3)", "timestamp"),
    "postgres": ("integer", "text", "numeric(12,3)", "timestamp"),
    "mysql": ("integer", "varchar(200)", "decimal(12,3)", "datetime(6)"),
}
NOTES = ("plain", 'with "quotes", commas', "two\nlines", "æøå 批次 🙂", "", None)
ROWS = [
    (n, NOTES[n % 6], None if n % 7 == 3 else Decimal(n * n) / 1000, datetime(2026, 2, 1, 0, 0, n % 60, n * 17))
    for n in range(1_000)
]  # fmt: skip
# As DuckDB reads each format; NDJSON and CSV have only texts and numbers.
READERS = {
    "parquet": "read_parquet('{}')",
    "ndjson": "read_json('{}', columns={{id: 'integer', note: 'varchar', qty: 'decimal(12,3)', seen: 'timestamp'}})",
    "csv": "read_csv('{}', columns={{id: 'integer', note: 'varchar', qty: 'decimal(12,3)', seen: 'timestamp'}}, "
    "header=true, delim=',', quote='\"', escape='\"', allow_quoted_nulls=false)",
}


def fill(execute, database, mark):
    id_, note, qty, seen = TYPES[database]
    execute("drop table if exists exported")
    execute(f"create table exported (id {id_}, note {note}, qty {qty}, seen {seen})")
    for row in ROWS:
        qty, seen = (value if value is None or database != "sqlite" else str(value) for value in row[2:])
        execute(f"insert into exported values ({', '.join([mark] * 4)})", (*row[:2], qty, seen))


@pytest.fixture(scope="module")
def sqlite_url(tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "rows.db"
    with closing(sqlite3.connect(path)) as con, con:
        fill(con.execute, "sqlite", "?")
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def filled_postgres(postgres_url):
    psycopg = pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
    with psycopg.connect(postgres_url) as con:
        fill(con.execute, "postgres", "%s")
    yield postgres_url
    with psycopg.connect(postgres_url) as con:
        con.execute("drop table exported")


@pytest.fixture(scope="module")
def filled_mariadb(mariadb_server):
    pymysql = pytest.importorskip("pymysql", reason="no driver of mariadb: pymysql is not installed")
    with closing(pymysql.connect(**mariadb_server.arguments)) as con, con.cursor() as cursor:
        fill(cursor.execute, "mysql", "%s")
        con.commit()
    yield mariadb_server.url
    with closing(pymysql.connect(**mariadb_server.arguments)) as con, con.cursor() as cursor:
        cursor.execute("drop table exported")


@pytest.fixture(params=["sqlite", "postgresql", *POSTGRES, "mysql", *MYSQL])
def url(request):
    driver = request.param
    if driver == "sqlite":
        return request.getfixturevalue("sqlite_url")
    if module := {**POSTGRES, **MYSQL}.get(driver):
        pytest.importorskip(module, reason=f"could not import {module}", exc_type=ImportError)
    if driver in {"mysql", *MYSQL}:
        scheme = {"mysql": "mysql", "mariadbconnector": "mariadb+mariadbconnector"}.get(driver, f"mysql+{driver}")
        return request.getfixturevalue("filled_mariadb").replace("mysql", scheme, 1)
    scheme = "postgresql" if driver == "postgresql" else f"postgresql+{driver}"
    return request.getfixturevalue("filled_postgres").replace("postgresql", scheme, 1)


@pytest.mark.parametrize("format_", READERS)
def test_an_export_from_each_url_is_the_table(url, format_, tmp_path):
    duckdb = pytest.importorskip("duckdb", reason="could not import duckdb")
    if format_ == "parquet":
        pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    out = tmp_path / f"rows.{format_}"
    before, _, after = url.partition(f":{PASSWORD.replace('@', '%40')}@")
    done = CliRunner(env={"MESBATCH_PASSWORD": PASSWORD} if after else {}).invoke(
        main, ["export", "--url", f"{before}@{after}" if after else url, "--table", "exported", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    read = READERS[format_].format(out)
    with closing(duckdb.connect()) as con:
        found = con.execute(
            f"select id::integer, note, qty::decimal(12,3), seen::timestamp from {read} order by id"
        ).fetchall()
    assert found == ROWS
