from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal

import pytest
import sqlalchemy
from sqlalchemy import Date, DateTime, Integer, Numeric, String, bindparam, column, select, table, text

from mesbatch import read_sql_iter
from mesbatch.errors import StatementError

MOVES = table(
    "moves",
    column("n", Integer),
    column("lot", String),
    column("at", DateTime),
    column("day", Date),
    column("qty", Numeric),
)
KEYS = bindparam("keys", expanding=True)
CREATE = "create table moves (n int, lot varchar(20), at timestamp, day date, qty numeric(12, 3))"
INSERT = "insert into moves values ({n}, 'l{lot}', '2026-02-25 08:00:0{n}', '2026-02-25', 1379.5)"


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request, tmp_path):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/t.db"
    else:
        url = request.getfixturevalue("postgres_schema_url").replace("postgresql:", "postgresql+psycopg:")
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as con:
        con.exec_driver_sql(CREATE)
        for n in range(9):
            con.exec_driver_sql(INSERT.format(n=n, lot=n % 3))
    yield engine
    assert engine.pool.checkedout() == 0
    engine.dispose()


def read(statement, con, *args, **options):
    with read_sql_iter(statement, con, *args, **options) as reader:
        return [row for batch in reader for row in batch.rows]


def test_a_select_gives_the_values_that_sqlalchemy_gives(engine):
    statement = select(MOVES).order_by(MOVES.c.n)
    with engine.connect() as con:
        expected = [tuple(row) for row in con.execute(statement)]
    rows = read(statement, engine)
    assert rows == expected
    assert [type(value) for value in rows[1]] == [int, str, datetime, date, Decimal]


@pytest.mark.parametrize("strategy", ["auto", "in-list", "array", "temporary-table"])
def test_a_select_with_keys_and_parameters(engine, strategy):
    statement = select(MOVES.c.n, MOVES.c.lot, MOVES.c.qty).where(
        MOVES.c.n > bindparam("low"), MOVES.c.lot.in_(KEYS), MOVES.c.n < 8, MOVES.c.lot.like("l%")
    )
    rows = read(statement, engine, {"low": 1}, keys=["l1", "l0", "l9", "l1"], strategy=strategy)
    assert sorted(rows) == [(n, f"l{n % 3}", Decimal("1379.5")) for n in (3, 4, 6, 7)]
    assert [row[1] for row in rows] == ["l0", "l0", "l1", "l1"]


@pytest.mark.parametrize("strategy", ["auto", "in-list", "array", "temporary-table"])
def test_a_text_with_keys_and_parameters(engine, strategy):
    statement = text("select n, lot from moves where lot in (:keys) and n > :low and lot like 'l%'")
    assert sorted(read(statement, engine, {"low": 4}, keys=["l1"], strategy=strategy)) == [(7, "l1")]


def test_a_text_without_keys(engine):
    assert read(text("select n from moves where n = :n"), engine, {"n": 5}) == [(5,)]


def test_a_connection_reads_in_its_own_transaction(engine):
    with engine.connect() as con:
        con.exec_driver_sql(INSERT.format(n=9, lot=1))
        assert len(read(select(MOVES).where(MOVES.c.lot.in_(KEYS)), con, keys=["l1"])) == 4
        con.rollback()
        assert len(read(text("select * from moves"), con)) == 9


def test_an_engine_reads_in_parallel_and_in_one_snapshot(engine):
    statement = select(MOVES.c.n).where(MOVES.c.lot.in_(KEYS)).add_columns(MOVES.c.lot)
    assert len(read(statement, engine, keys=["l0", "l1", "l2"], parallel=2)) == 9
    assert len(read(statement, engine, keys=["l0", "l1", "l2"], consistent=True)) == 9


@pytest.mark.parametrize("module", ["sqlite3", "apsw", "psycopg"])
def test_a_statement_is_compiled_for_the_drivers_own_connection(request, module):
    driver = pytest.importorskip(module)
    if module == "psycopg":
        con = request.getfixturevalue("postgres")
    else:
        con = driver.connect(":memory:") if module == "sqlite3" else driver.Connection(":memory:")
    with closing(con):
        con.execute("create table moves (n int, lot text)")
        con.execute("insert into moves values (1, 'l1'), (2, 'l1'), (3, 'l2')")
        statement = select(MOVES.c.n, MOVES.c.lot).where(MOVES.c.lot.in_(KEYS), MOVES.c.n > 1)
        assert read(statement, con, keys=["l1"]) == [(2, "l1")]
        assert read(text("select n, lot from moves where n = :n and lot in (:keys)"), con, {"n": 2}, keys=["l1"]) == [
            (2, "l1")
        ]


def test_a_statement_is_compiled_for_what_a_function_connects_with(engine):
    made = []

    def connect():
        arguments, options = engine.dialect.create_connect_args(engine.url)
        made.append(engine.dialect.import_dbapi().connect(*arguments, **options))
        return made[-1]

    statement = select(MOVES.c.n).where(MOVES.c.lot.in_(KEYS), MOVES.c.n > bindparam("above"))
    assert read(statement, connect, {"above": 2}, keys=["l1"]) == [(4,), (7,)]
    assert read(text("select n from moves where n > :above"), connect, {"above": 7}) == [(8,)]
    for connection in made:
        with pytest.raises(Exception, match="closed"):
            connection.cursor()


def test_params_of_a_statement_are_a_mapping():
    with closing(sqlite3.connect(":memory:")) as con, pytest.raises(StatementError, match="as a mapping, got list"):
        read_sql_iter(text("select :n"), con, [1])


LISTS = {
    "a list": (MOVES.c.n.in_([1, 4, 5]), None),
    "an empty list": (MOVES.c.n.in_([]), None),
    "all but an empty list": (MOVES.c.lot.not_in([]), None),
    "a list with a name": (MOVES.c.n.in_(bindparam("some", expanding=True)), {"some": [1, 4, 5]}),
    "a list in a subquery": (MOVES.c.n.in_(select(MOVES.c.n).where(MOVES.c.lot.in_(["l1", "l2"]))), None),
}


@pytest.mark.parametrize("case", LISTS)
def test_other_lists_beside_the_keys(engine, case):
    condition, params = LISTS[case]
    statement = select(MOVES.c.lot, MOVES.c.n).where(condition, MOVES.c.lot.in_(KEYS)).order_by(MOVES.c.lot, MOVES.c.n)
    with engine.connect() as con:
        expected = [tuple(row) for row in con.execute(statement, {**(params or {}), "keys": ["l0", "l1"]})]
    assert read(statement, engine, params, keys=["l0", "l1"]) == expected


def test_a_list_that_cannot_be_written_beside_the_keys_is_named(engine):
    listed = text("select lot from moves where lot in :keys and n in :some").bindparams(
        bindparam("some", expanding=True)
    )
    with pytest.raises(StatementError, match="'some' beside the keys is a list of a text"):
        read(listed, engine, {"some": [1]}, keys=["l0"])
