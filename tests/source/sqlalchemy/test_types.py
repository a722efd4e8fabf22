"""Statements of SQLAlchemy on each driver: keys and values through the types of their columns."""

from __future__ import annotations

import enum
import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
import sqlalchemy
from sqlalchemy import (
    Column,
    Date,
    Enum,
    Float,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Uuid,
    bindparam,
    select,
    text,
)

from mesbatch import read_sql_iter
from mesbatch.errors import StatementError, UnknownSource
from tests.rig.faulty import PlainConnection
from tests.source.postgres.test_declaring import open_pg8000, open_psycopg2


class State(enum.Enum):
    OPEN = "o"
    DONE = "d"


MOVES = Table(
    "moves",
    MetaData(),
    Column("n", Integer),
    Column("lot", String(20)),
    Column("day", Date),
    Column("u", Uuid),
    Column("state", Enum(State, native_enum=False)),
    Column("qty", Numeric(12, 3)),
    Column("rate", Float),
)
ROWS = [
    {
        "n": n, "lot": f"l{n % 3}", "day": date(2026, 2, 1 + n % 2), "u": UUID(int=n % 2 + 1),
        "state": [State.OPEN, State.DONE][n % 2], "qty": Decimal("1.250") * n, "rate": n / 8,
    }
    for n in range(6)
]  # fmt: skip
DRIVERS = ["sqlite", "postgresql+psycopg", "postgresql+psycopg2", "postgresql+pg8000"]


@pytest.fixture(params=DRIVERS)
def engine(request, tmp_path):
    if request.param == "sqlite":
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/t.db")
    else:
        pytest.importorskip(request.param.partition("+")[2])
        base = request.getfixturevalue("postgres_schema_url")
        url = sqlalchemy.make_url(base)
        path = url.query["options"].removeprefix("-csearch_path=")
        engine = sqlalchemy.create_engine(url.set(drivername=request.param, query={}))

        @sqlalchemy.event.listens_for(engine, "connect")
        def choose_schema(con, record):
            con.cursor().execute(f"set search_path = {path}")
            con.commit()

    with engine.begin() as con:
        MOVES.create(con)
        con.execute(MOVES.insert(), ROWS)
    yield engine
    assert engine.pool.checkedout() == 0
    engine.dispose()


def read(statement, con, *args, **options):
    with read_sql_iter(statement, con, *args, **options) as reader:
        return [row for batch in reader for row in batch.rows]


def test_values_are_those_of_sqlalchemy(engine):
    statement = select(MOVES).order_by(MOVES.c.n)
    with engine.connect() as con:
        expected = [tuple(row) for row in con.execute(statement)]
    assert read(statement, engine) == expected
    types = [type(value) for value in read(statement, engine)[1]]
    assert types == [int, str, date, UUID, State, Decimal, float]


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("day", [date(2026, 2, 2), date(2026, 3, 1)]),
        ("u", [UUID(int=2), UUID(int=9)]),
        ("state", [State.DONE]),
        ("lot", ["l1", "l0"]),
        ("n", iter([3, 1, 5])),
    ],
)
def test_keys_go_through_the_type_of_their_column(engine, name, keys):
    column = MOVES.c[name]
    keys = list(keys)
    statement = select(MOVES.c.n, column).where(column.in_(bindparam("keys", expanding=True)))
    expected = sorted((row["n"], row[name]) for row in ROWS if row[name] in keys) if name != "state" else None
    found = read(statement, engine, keys=keys)
    if expected is None:
        assert sorted(n for n, _ in found) == [1, 3, 5]
        assert {value for _, value in found} == {State.DONE}
    else:
        assert sorted(found) == expected
        assert [value for _, value in found] == sorted(value for _, value in found)


@pytest.mark.parametrize("opening", [open_psycopg2, open_pg8000])
def test_a_statement_is_compiled_for_a_plain_connection(postgres, postgres_schema_url, opening):
    postgres.execute("create table moves as select n, 'l' || n % 3 as lot from generate_series(0, 5) n")
    postgres.commit()
    keyed = bindparam("keys", expanding=True)
    with closing(opening(postgres_schema_url)) as con:
        for strategy in ("auto", "in-list", "array"):
            statement = select(MOVES.c.n, MOVES.c.lot).where(
                MOVES.c.lot.in_(keyed), MOVES.c.n > bindparam("low"), MOVES.c.lot.like("l%")
            )
            assert read(statement, con, {"low": 1}, keys=["l1"], strategy=strategy) == [(4, "l1")]
            statement = text("select n, lot from moves where n > :low and lot in (:keys) and lot like 'l%'")
            assert read(statement, con, {"low": 1}, keys=["l1"], strategy=strategy) == [(4, "l1")]
        assert read(text("select n from moves where n = :n and lot like 'l%'"), con, {"n": 4}) == [(4,)]


def test_a_statement_needs_the_paramstyle_of_a_driver_that_is_not_known():
    with closing(sqlite3.connect(":memory:")) as real:
        real.execute("create table moves (n int, lot text)")
        real.execute("insert into moves values (1, 'l1')")
        statement = select(MOVES.c.n).where(MOVES.c.n == 1)
        with pytest.raises(StatementError, match="paramstyle="):
            read(statement, PlainConnection(real))
        assert read(statement, PlainConnection(real), paramstyle="qmark") == [(1,)]


def test_duckdbs_connection_and_engine_take_statements(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    keyed = select(MOVES.c.n, MOVES.c.lot).where(MOVES.c.lot.in_(bindparam("keys", expanding=True)), MOVES.c.n > 1)
    with closing(duckdb.connect(str(tmp_path / "t.duckdb"))) as con:
        con.execute("create table moves as select n, 'l' || n % 3 as lot from range(6) r (n)")
        assert read(keyed, con, keys=["l1"]) == [(4, "l1")]


def test_an_engine_of_duckdb_engine_is_duckdb(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    pytest.importorskip("duckdb_engine", reason="could not import duckdb_engine")
    path = tmp_path / "t.duckdb"
    with closing(duckdb.connect(str(path))) as con:
        con.execute("create table moves as select n, 'l' || n % 3 as lot from range(6) r (n)")
    keyed = select(MOVES.c.n, MOVES.c.lot).where(MOVES.c.lot.in_(bindparam("keys", expanding=True)), MOVES.c.n > 1)
    by_text = text("select n, lot from moves where lot in (:keys) and n > :low")
    engine = sqlalchemy.create_engine(f"duckdb:///{path}")
    with closing(engine.raw_connection()) as raw, engine.connect() as connection:
        for con in (engine, connection, f"duckdb:///{path}"):
            assert read(keyed, con, keys=["l1"]) == [(4, "l1")]
            assert read(by_text, con, {"low": 1}, keys=["l1", "l2"]) == [(4, "l1"), (2, "l2"), (5, "l2")]
        assert read("select n from moves where n > ?", raw, (4,)) == [(5,)]
    engine.dispose()


def asynchronous():
    pytest.importorskip("greenlet")
    sqlalchemy_async = pytest.importorskip("sqlalchemy.ext.asyncio")
    aiosqlite = pytest.importorskip("aiosqlite")
    engine = sqlalchemy_async.create_async_engine("sqlite+aiosqlite://")
    yield engine
    yield engine.sync_engine
    yield sqlalchemy_async.AsyncSession(engine)
    yield sqlalchemy_async.async_sessionmaker(engine)
    yield "sqlite+aiosqlite://"
    yield aiosqlite.connect(":memory:")

    async def connect():
        return None

    yield connect


def test_what_must_be_awaited_is_refused_with_a_way_out():
    for con in asynchronous():
        with pytest.raises(UnknownSource, match=r"asynchronous.* in a thread, such as by asyncio.to_thread"):
            read("select 1", con)
