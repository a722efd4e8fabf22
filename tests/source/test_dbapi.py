from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import StatementError
from mesbatch.source.dbapi import DbapiDriver, describe
from mesbatch.source.session import Session
from tests.rig.faulty import Faults, PlainConnection


@pytest.fixture
def faults(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as con, con:
        con.execute("create table t (n int, k int)")
        con.executemany("insert into t values (?, ?)", [(n, n % 5) for n in range(50)])
    return Faults(tmp_path / "t.db", plain=True)


def test_a_driver_that_nobody_knows_is_read_by_the_standards_methods(faults):
    with read_sql_iter("select * from t", faults, batch_size=20) as reader:
        assert [batch.num_rows for batch in reader] == [20, 20, 10]
    assert reader.columns == ("n", "k")
    assert faults.alive == 0


def test_no_fetch_asks_for_more_rows_than_a_batch_may_have(faults):
    with closing(PlainConnection(sqlite3.connect(faults.path))) as con:
        assert sum(batch.num_rows for batch in read_sql_iter("select * from t", con, batch_size=20)) == 50
        assert max(con.fetches) == 20


def test_the_callers_connection_of_a_driver_that_nobody_knows_stays_open(faults):
    con = faults()
    sql = "select n, k from t where k in (:keys)"
    assert sum(batch.num_rows for batch in read_sql_iter(sql, con, keys=[1, 2], paramstyle="qmark")) == 20
    cursor = con.cursor()
    cursor.execute("select 1")
    cursor.close()
    con.close()


def test_rows_that_are_no_tuples_become_tuples(faults):
    con = faults()
    con.real.row_factory = lambda cursor, row: list(row)
    with read_sql_iter("select n, k from t where n < 2", con) as reader:
        assert next(reader).rows == [(0, 0), (1, 1)]
    con.close()


def test_the_paramstyle_is_that_of_the_drivers_module():
    with closing(sqlite3.connect(":memory:")) as con:
        assert DbapiDriver(con).paramstyle == "qmark"
        assert DbapiDriver(PlainConnection(con)).paramstyle == ""


def test_a_statement_that_returned_no_rows_has_no_columns():
    with pytest.raises(StatementError, match="returns no rows"):
        describe(None)


def test_an_interruption_that_gets_no_answer_cuts_the_connection(monkeypatch):
    monkeypatch.setattr("mesbatch.source.session.INTERRUPT_SECONDS", 0.2)
    answered, cut = threading.Event(), []

    class Silent(DbapiDriver):
        def interrupt(self, connection):
            answered.wait(20)

        def cut(self, connection):
            cut.append(connection)

    session = Session(Silent(PlainConnection(None)), "the connection", owned=True)
    began = time.monotonic()
    session.interrupt()
    answered.set()
    assert time.monotonic() - began < 5
    assert cut == ["the connection"]
