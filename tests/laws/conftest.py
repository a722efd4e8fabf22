"""The databases in which every law of reading is tested."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from tests.rig.databases import Database, DuckdbDatabase, PostgresDatabase, Psycopg2Database, SqliteDatabase


@pytest.fixture(params=["sqlite3", "apsw", "postgres", "psycopg2", "duckdb"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened: SqliteDatabase | PostgresDatabase | DuckdbDatabase
    if request.param == "postgres":
        opened = PostgresDatabase(request.getfixturevalue("postgres_schema_url"))
    elif request.param == "psycopg2":
        pytest.importorskip("psycopg2")
        opened = Psycopg2Database(request.getfixturevalue("postgres_schema_url"))
    elif request.param == "duckdb":
        pytest.importorskip("duckdb")
        opened = DuckdbDatabase(str(tmp_path_factory.mktemp("law") / "law.duckdb"))
    else:
        module = sqlite3 if request.param == "sqlite3" else pytest.importorskip("apsw")
        opened = SqliteDatabase(str(tmp_path_factory.mktemp("law") / "law.db"), module)
    yield opened
    opened.close()
