from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
pytest.importorskip("duckdb", reason="no duckdb")
pytest.importorskip("polars", reason="no polars")

import duckdb

from tests.values import arrow as of_arrow
from tests.values import duckdb as of_duckdb
from tests.values import oracle as of_oracle
from tests.values import postgres, sqlite
from tests.values.law import Database, Type, run
from tests.values.ways import Way, ways_of, ways_of_tables


@pytest.fixture(scope="module")
def in_postgres(postgres_server: Any) -> Iterator[tuple[Database, list[Way]]]:
    psycopg = pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
    adbc = pytest.importorskip("adbc_driver_postgresql.dbapi", reason="no ADBC: its PostgreSQL driver is not installed")
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute("create schema matrix; set search_path = matrix, public")
        for extension in ("hstore", "citext"):
            admin.execute(f"create extension if not exists {extension} schema public")
        admin.execute(postgres.SETUP)
        url = f"{postgres_server.url}?options=-csearch_path%3Dmatrix,public%20-ctimezone%3D{postgres.ZONE}"
        with psycopg.connect(url, autocommit=True) as con:
            yield postgres.database(con), ways_of(con, url, lambda: adbc.connect(url, autocommit=True))
        admin.execute("drop schema matrix cascade")


def check(database: Database, ways: list[Way], type_: Type) -> None:
    texts = database.own_texts(type_)
    outcomes = [run(database, type_, way, texts, ways) for way in ways]
    wrong = [f"{outcome.way}: {line}" for outcome in outcomes for line in outcome.wrong]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("type_", postgres.TYPES, ids=lambda type_: type_.name)
def test_values_of_postgresql_come_as_they_are_or_an_error_names_a_way_out(in_postgres, type_):
    check(*in_postgres, type_)


@pytest.fixture(scope="module")
def in_sqlite(tmp_path_factory: Any) -> Iterator[tuple[Database, list[Way]]]:
    apsw = pytest.importorskip("apsw", reason="no apsw: it is not installed")
    adbc = pytest.importorskip("adbc_driver_sqlite.dbapi", reason="no ADBC: its SQLite driver is not installed")
    path = str(tmp_path_factory.mktemp("values") / "values.db")
    with closing(sqlite3.connect(path)) as con, closing(apsw.Connection(path)) as other:
        sqlite.load(con)
        ways = ways_of(con, f"sqlite:///{path}", lambda: adbc.connect(path, autocommit=True))
        yield sqlite.database(con), ways + [replace(way, name=f"{way.name} by apsw") for way in ways_of(other)]


@pytest.mark.parametrize("type_", sqlite.TYPES, ids=lambda type_: type_.name or "no type")
def test_values_of_sqlite_come_as_they_are_or_an_error_names_a_way_out(in_sqlite, type_):
    check(*in_sqlite, type_)


@pytest.fixture(scope="module")
def in_oracle(oracle: Any) -> Iterator[tuple[Database, list[Way]]]:
    with oracle.connect() as con:
        of_oracle.load(con)
        yield of_oracle.DATABASE, ways_of(con, oracle.connect, label="by a function")


@pytest.mark.parametrize("type_", of_oracle.TYPES, ids=lambda type_: type_.name)
def test_values_of_oracle_come_as_they_are_or_an_error_names_a_way_out(in_oracle, type_):
    check(*in_oracle, type_)


@pytest.fixture(scope="module")
def in_duckdb() -> Iterator[tuple[Database, list[Way]]]:
    with duckdb.connect() as con:
        yield of_duckdb.database(con), ways_of(con)


@pytest.mark.parametrize("type_", of_duckdb.TYPES, ids=lambda type_: type_.name)
def test_values_of_duckdb_come_as_they_are_or_an_error_names_a_way_out(in_duckdb, type_):
    check(*in_duckdb, type_)


@pytest.mark.parametrize("type_", of_arrow.TYPES, ids=lambda type_: type_.name)
def test_values_of_arrow_come_as_they_are_or_an_error_names_a_way_out(type_):
    check(of_arrow.DATABASE, ways_of_tables(), type_)
