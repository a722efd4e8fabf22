"""From every source the first batch is delivered before the driver is asked for the rows after it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest
import sqlalchemy

from mesbatch import Batch, read_sql_iter
from tests.rig.faulty import PlainConnection

FIRST = 10
ASKED = FIRST + 1  # SQLite's drivers step to the row after the one that they give
SQL = f"select n, seen(n) as s from t where n < {100 * FIRST} order by n"


def refuse_later_rows(con):
    """SQL may ask ``seen(n)`` for the first rows only."""

    def seen(n):
        if n > ASKED:
            raise AssertionError(f"row {n} was asked for")
        return n

    if isinstance(con, sqlite3.Connection):
        con.create_function("seen", 1, seen)
    else:
        con.create_scalar_function("seen", seen)  # apsw
    return con


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "rows.db")) as con, con:
        con.execute("create table t (n integer primary key)")
        con.executemany("insert into t values (?)", [(n,) for n in range(1, 1000)])
    return str(tmp_path / "rows.db")


def connect(path):
    return refuse_later_rows(sqlite3.connect(path, check_same_thread=False))


def check_first_batch(con, sql=SQL, **options):
    with read_sql_iter(sql, con, batch_size=FIRST, **options) as reader:
        rows = next(reader).rows
    assert [row[0] for row in rows] == list(range(1, FIRST + 1))


def test_of_a_sqlite3_connection(path):
    with closing(connect(path)) as con:
        check_first_batch(con)


def test_of_a_function_that_connects(path):
    check_first_batch(lambda: connect(path))


def test_of_a_function_that_connects_in_a_thread(path):
    check_first_batch(lambda: connect(path), timeout=60)


@pytest.mark.parametrize("owned", [False, True], ids=["the caller's", "a function"])
def test_of_an_apsw_connection(path, owned):
    apsw = pytest.importorskip("apsw")
    with closing(refuse_later_rows(apsw.Connection(path))) as con:
        check_first_batch((lambda: refuse_later_rows(apsw.Connection(path))) if owned else con)


def test_of_a_sqlite_url(path, monkeypatch):
    apsw = pytest.importorskip("apsw")
    monkeypatch.setattr(apsw, "connection_hooks", [*apsw.connection_hooks, refuse_later_rows])
    check_first_batch(f"sqlite:///{path}")


@pytest.fixture
def engine(path):
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    sqlalchemy.event.listen(engine, "connect", lambda con, _: refuse_later_rows(con))
    yield engine
    engine.dispose()


def test_of_a_sqlalchemy_engine(engine):
    check_first_batch(engine)


def test_of_a_sqlalchemy_connection(engine):
    with engine.connect() as con:
        check_first_batch(con)


def test_of_a_sqlalchemy_text(engine):
    check_first_batch(engine, sqlalchemy.text(SQL))


def test_of_a_sqlalchemy_select(engine):
    table = sqlalchemy.table("t", sqlalchemy.column("n", sqlalchemy.Integer))
    check_first_batch(engine, sqlalchemy.select(table.c.n, sqlalchemy.func.seen(table.c.n)).order_by(table.c.n))


def test_of_a_driver_that_nobody_knows(path):
    with closing(PlainConnection(connect(path))) as con:
        check_first_batch(con)
        assert con.fetches == [FIRST]


def test_of_a_function_that_connects_with_a_driver_that_nobody_knows(path):
    check_first_batch(lambda: PlainConnection(connect(path)))


def test_of_an_object_with_batches():
    def batches():
        yield Batch(("n",), [(n,) for n in range(1, FIRST + 1)])
        raise AssertionError("the second batch was asked for")

    check_first_batch(SimpleNamespace(batches=batches), None)


# -- PostgreSQL: the rows after the 500th wait for a lock that the test holds; libpq hands over 100 at once

PG_SQL = """
    select n, repeat('x', 500) as v, case when n > 500 then pg_advisory_lock_shared(4711)::text end as waits
    from generate_series(1, 5000) n
"""


@pytest.fixture
def locked(postgres):
    postgres.autocommit = True
    postgres.execute("select pg_advisory_lock(4711)")
    return postgres


def check_first_batch_of_postgres(con):
    with read_sql_iter(PG_SQL, con, batch_size=100) as reader:
        assert [row[0] for row in next(reader).rows] == list(range(1, 101))


def test_of_a_postgres_url(locked, postgres_schema_url):
    check_first_batch_of_postgres(postgres_schema_url)


def test_of_a_function_that_connects_to_postgres(locked, postgres_schema_url):
    import psycopg

    check_first_batch_of_postgres(lambda: psycopg.connect(postgres_schema_url))


def test_of_the_callers_psycopg_connection(locked, postgres_schema_url):
    import psycopg

    with psycopg.connect(postgres_schema_url) as con:
        check_first_batch_of_postgres(con)


def test_of_an_engine_and_a_connection_of_sqlalchemy_to_postgres(locked, postgres_schema_url):
    engine = sqlalchemy.create_engine(postgres_schema_url.replace("postgresql:", "postgresql+psycopg:"))
    check_first_batch_of_postgres(engine)
    with engine.connect() as con:
        check_first_batch_of_postgres(con)
    engine.dispose()
