"""The databases in which every law of reading is tested."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rig.databases import (
    Database,
    DuckdbDatabase,
    MariadbDatabase,
    PostgresDatabase,
    Psycopg2Database,
    SqliteDatabase,
)


@pytest.fixture(params=["sqlite3", "apsw", "postgres", "psycopg2", "duckdb", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened: SqliteDatabase | PostgresDatabase | DuckdbDatabase | MariadbDatabase
    if request.param == "postgres":
        opened = PostgresDatabase(request.getfixturevalue("postgres_schema_url"))
    elif request.param == "mariadb":
        pytest.importorskip("pymysql", reason="no driver of mariadb: pymysql is not installed")
        server = request.getfixturevalue("mariadb_server")
        opened = MariadbDatabase(server.arguments, f"law_{uuid.uuid4().hex[:12]}")
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


@pytest.fixture
def oracle_stand_in(tmp_path: Path) -> Iterator[Any]:
    pytest.importorskip("oracledb", reason="no driver of oracle: oracledb is not installed")
    from tests.oracle.rig import OracleServer

    with OracleServer(tmp_path / "oracle.db") as server:
        yield server
