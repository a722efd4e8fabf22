"""The databases that every law of reading is held against."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from tests.rig.databases import Database, PostgresDatabase, SqliteDatabase


@pytest.fixture(params=["sqlite3", "apsw", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    if request.param == "postgres":
        opened: SqliteDatabase | PostgresDatabase = PostgresDatabase(request.getfixturevalue("postgres_schema_url"))
    else:
        module = sqlite3 if request.param == "sqlite3" else pytest.importorskip("apsw")
        opened = SqliteDatabase(str(tmp_path_factory.mktemp("law") / "law.db"), module)
    yield opened
    opened.close()
