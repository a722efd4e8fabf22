from __future__ import annotations

import sqlite3
import sys
from contextlib import closing

import pytest
import sqlalchemy

from mesbatch import read_sql_iter
from mesbatch.source.connect import driver_of, find_source


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a db?with#odd%20name.db"
    with closing(sqlite3.connect(path)) as con:
        con.execute("create table t (n int)")
        con.execute("insert into t values (7)")
        con.commit()
    return path


def read(con, sql="select n from t"):
    return [row for batch in read_sql_iter(sql, con) for row in batch.rows]


def test_a_sqlite_url_names_a_file(path):
    assert read(f"sqlite:///{path}") == [(7,)]


def test_a_sqlite_url_names_the_same_file_without_apsw(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apsw", None)
    assert read(f"sqlite:///{path}") == [(7,)]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_sqlite_url_without_a_file_is_a_database_in_memory(url):
    assert read(url, "select 1") == [(1,)]


@pytest.mark.parametrize("module", ["sqlite3", "apsw"])
def test_a_file_that_is_not_there_is_not_made(tmp_path, monkeypatch, module):
    if module == "sqlite3":
        monkeypatch.setitem(sys.modules, "apsw", None)
    with pytest.raises(Exception, match="cannot connect to sqlite:"):
        read(f"sqlite:///{tmp_path}/missing.db", "select 1")
    assert list(tmp_path.iterdir()) == []


def test_a_url_of_sqlalchemy_is_read_through_its_driver(path):
    assert read(f"sqlite+pysqlite:///{path.rename(path.parent / 'plain.db')}") == [(7,)]


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_postgres_url_is_read_by_psycopg(postgres_schema_url, scheme):
    assert read(postgres_schema_url.replace("postgresql", scheme, 1), "select 1") == [(1,)]


def test_only_the_callers_own_connection_is_not_ours(path):
    engine = sqlalchemy.create_engine("sqlite://")
    with closing(sqlite3.connect(path)) as con, engine.connect() as borrowed:
        owned = {
            name: find_source(source).owned
            for name, source in {
                "sqlite3": con, "sqlalchemy": borrowed, "engine": engine, "function": lambda: con, "url": "sqlite://",
            }.items()
        }  # fmt: skip
    engine.dispose()
    assert owned == {"sqlite3": False, "sqlalchemy": False, "engine": True, "function": True, "url": True}


def test_a_class_that_inherits_from_a_drivers_is_of_that_driver():
    class Mine(sqlite3.Connection):
        pass

    with closing(sqlite3.connect(":memory:", factory=Mine)) as con:
        assert driver_of(con).dialect == "sqlite"


def test_an_engine_is_named_without_its_password():
    pytest.importorskip("psycopg")
    engine = sqlalchemy.create_engine("postgresql+psycopg://scott:tiger@db/x")
    assert find_source(engine).label == "the engine postgresql+psycopg://db/x"
