"""Refusals of OracleSource, and failures before the first row."""

from __future__ import annotations

import sqlite3

import oracledb
import pytest

from mesbatch import OracleSource, read_sql_iter
from mesbatch.errors import ConnectionClosed, ConnectionLost, DatabaseBusy, StatementError, UnknownSource
from mesbatch.source.oracle.errors import MEANINGS, meaning_of


def first(con, sql="select 1 as n from dual", **options):
    with read_sql_iter(sql, con, **options) as reader:
        return next(reader).rows


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lobs": "maybe"}, "lobs must be one of whole, inline, slices, omit, refuse; got 'maybe'"),
        ({"lob_limit": 0}, "lob_limit must be above 0, got 0"),
        ({"call_timeout": -1}, "call_timeout must be above 0, got -1"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        OracleSource(lambda: None, **options)


@pytest.mark.parametrize("con", ["oracle+oracledb://db/x", object()])
def test_what_is_no_source_is_refused_before_it_is_used(con):
    with pytest.raises(UnknownSource):
        OracleSource(con).as_source()


def test_another_database_is_refused():
    with pytest.raises(UnknownSource, match=r"OracleSource reads Oracle; .* is sqlite"):
        first(OracleSource(lambda: sqlite3.connect(":memory:")), "select 1")


def test_the_callers_own_call_timeout_is_left_alone(oracle, oracle_connection):
    with pytest.raises(ValueError, match="call_timeout=3: a connection that you pass stays as it is"):
        OracleSource(oracle_connection, call_timeout=3)


def test_a_pooled_connection_gets_its_call_timeout_back(oracle_pool):
    assert first(OracleSource(oracle_pool, call_timeout=3.0)) == [(1,)]
    with oracle_pool.acquire() as connection:
        assert connection.call_timeout == 0


def test_a_wrong_password_is_the_drivers_own_error(oracle):
    pool = oracledb.create_pool(**oracle.credentials | {"password": "wrong"}, min=0, max=1)
    with pytest.raises(oracledb.DatabaseError, match="ORA-01017") as caught:
        first(pool)
    assert caught.value.__notes__ == ["while connecting to the oracledb pool"]
    pool.close(force=True)


def test_an_unknown_service_is_no_connection(oracle):
    dsn = oracle.credentials["dsn"].rpartition("/")[0] + "/NO_SUCH_SERVICE"
    with pytest.raises(ConnectionLost, match=r"DPY-600[015]"):
        first(OracleSource(lambda: oracledb.connect(**oracle.credentials | {"dsn": dsn})))


def test_a_host_that_does_not_answer_is_no_connection(oracle):
    with pytest.raises(ConnectionLost, match="DPY-6005"):
        first(OracleSource(lambda: oracledb.connect(**oracle.credentials | {"dsn": "127.0.0.1:1/X"})))


def test_a_pool_without_a_free_connection_is_busy(oracle):
    pool = oracledb.create_pool(
        **oracle.credentials, min=0, max=1, getmode=oracledb.POOL_GETMODE_TIMEDWAIT, wait_timeout=20_000
    )
    with pool.acquire():
        pool.wait_timeout = 50  # only now: opening the one connection may take longer
        with pytest.raises(DatabaseBusy, match="DPY-4005"):
            first(pool)
    assert first(pool) == [(1,)]
    pool.close(force=True)


def test_a_column_type_that_the_driver_does_not_know_says_so(oracle, oracle_server, oracle_pool):
    oracle.make_table("strange", "n number(9), x anydata", [])
    with pytest.raises(StatementError, match="DPY-3006"):
        first(oracle_pool, "select n, x from strange")
    assert oracle_pool.busy == 0
    assert first(oracle_pool) == [(1,)]


def test_text_that_the_session_sorts_by_a_language_is_not_read_by_keys(oracle, oracle_server, oracle_pool, monkeypatch):
    monkeypatch.setattr("mesbatch.source.oracle.driver.NLS_SORT", "select 'GERMAN' from dual")
    with pytest.raises(StatementError, match="keys need NLS_SORT=BINARY, this session has GERMAN"):
        first(oracle_pool, "select dummy from dual where dummy in (:keys)", keys=["X"])


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_a_code_means_the_same_wherever_it_stands(code):
    class Told:
        full_code = code

    assert meaning_of(oracledb.DatabaseError(Told())) is MEANINGS[code]
    assert meaning_of(oracledb.DatabaseError()) is meaning_of(ValueError("x")) is None


@pytest.mark.parametrize("code", ["ORA-00028", "ORA-03113", "ORA-03114", "ORA-03135", "DPY-4011", "DPY-1001"])
def test_a_session_that_is_gone_is_lost(code):
    assert issubclass(MEANINGS[code], (ConnectionLost, ConnectionClosed))
