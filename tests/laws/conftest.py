"""The databases in which every law of reading is tested."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
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
from tests.rig.postgres import private_schema

DATABASES = ["sqlite3", "apsw", "postgres", "psycopg2", "duckdb", "mariadb"]


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with _opened(request, tmp_path_factory) as opened:
        yield opened


@pytest.fixture(scope="module", params=DATABASES)
def shared_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The same for all tests of a module, which only read: making one takes longer than most of them."""
    with _opened(request, tmp_path_factory) as opened:
        yield opened


@contextmanager
def _opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with ExitStack() as stack:
        name, folder = request.param, tmp_path_factory.mktemp("law")
        if name in ("postgres", "psycopg2"):
            pytest.importorskip(name.replace("postgres", "psycopg"))
            url = stack.enter_context(private_schema(request.getfixturevalue("postgres_url")))
            made: Any = PostgresDatabase(url) if name == "postgres" else Psycopg2Database(url)
        elif name == "mariadb":
            pytest.importorskip("pymysql", reason="no driver of mariadb: pymysql is not installed")
            server = request.getfixturevalue("mariadb_server")
            made = MariadbDatabase(server.arguments, f"law_{uuid.uuid4().hex[:12]}")
        elif name == "duckdb":
            pytest.importorskip("duckdb")
            made = DuckdbDatabase(str(folder / "law.duckdb"))
        else:
            made = SqliteDatabase(str(folder / "law.db"), sqlite3 if name == "sqlite3" else pytest.importorskip("apsw"))
        yield stack.enter_context(closing(made))


@pytest.fixture
def oracle_stand_in(tmp_path: Path) -> Iterator[Any]:
    pytest.importorskip("oracledb", reason="no driver of oracle: oracledb is not installed")
    from tests.oracle.rig import OracleServer

    with OracleServer(tmp_path / "oracle.db") as server:
        yield server
