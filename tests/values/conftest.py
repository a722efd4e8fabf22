"""Databases with all their types, and the ways of each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.values.law import Database
    from tests.values.ways import Way


@pytest.fixture(scope="module")
def in_postgres(postgres_server: Any) -> Iterator[tuple[Database, list[Way]]]:
    from tests.values import postgres
    from tests.values.ways import ways_of

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


@pytest.fixture(scope="module")
def in_sqlite(tmp_path_factory: Any) -> Iterator[tuple[Database, list[Way]]]:
    from tests.values import sqlite
    from tests.values.ways import ways_of

    apsw = pytest.importorskip("apsw", reason="no apsw: it is not installed")
    adbc = pytest.importorskip("adbc_driver_sqlite.dbapi", reason="no ADBC: its SQLite driver is not installed")
    path = str(tmp_path_factory.mktemp("values") / "values.db")
    with closing(sqlite3.connect(path)) as con, closing(apsw.Connection(path)) as other:
        sqlite.load(con)
        ways = ways_of(con, f"sqlite:///{path}", lambda: adbc.connect(path, autocommit=True))
        yield sqlite.database(con), ways + [replace(way, name=f"{way.name} by apsw") for way in ways_of(other)]


@pytest.fixture(scope="module")
def in_oracle(oracle: Any) -> Iterator[tuple[Database, list[Way]]]:
    from tests.values import oracle as of_oracle
    from tests.values.ways import ways_of

    with oracle.connect() as con:
        of_oracle.load(con)
        yield of_oracle.DATABASE, ways_of(con, oracle.connect, label="by a function")


@pytest.fixture(scope="module")
def in_duckdb() -> Iterator[tuple[Database, list[Way]]]:
    import duckdb

    from tests.values import duckdb as of_duckdb
    from tests.values.ways import ways_of

    with duckdb.connect() as con:
        yield of_duckdb.database(con), ways_of(con)
