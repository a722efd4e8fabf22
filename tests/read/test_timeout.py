"""A timeout ends the read in time, at any stall, and does not count the time that the consumer takes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from time import monotonic

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import DatabaseTimeout
from tests.rig.proxy import TcpProxy
from tests.rig.threads import threads_of_reads

HEAVY = "with recursive c(n) as (select 1 union all select n + 1 from c) select max(n) as n from c"
LATER = "with recursive c(n) as (select 1 union all select n + 1 from c) select n from c where n < 1000 or n < 0"
SLOW_START = 4.0  # seconds that a busy machine may add


def check_timeout(reader, limit=0.3, allowed=SLOW_START):
    begin = monotonic()
    with pytest.raises(DatabaseTimeout, match=f"timeout={limit} s"), reader:
        list(reader)
    assert limit <= monotonic() - begin + 0.01 < limit + allowed
    assert reader.manifest.status == "failed"
    assert threads_of_reads() == []


@pytest.mark.parametrize("sql", [HEAVY, LATER])
def test_a_heavy_query_on_sqlite_is_interrupted(sql):
    closed = []

    class Connection(sqlite3.Connection):
        def close(self):
            super().close()
            closed.append(self)

    check_timeout(read_sql_iter(sql, lambda: sqlite3.connect(":memory:", factory=Connection), timeout=0.3))
    assert closed


def test_a_heavy_query_on_apsw_is_interrupted():
    apsw = pytest.importorskip("apsw")
    check_timeout(read_sql_iter(HEAVY, lambda: apsw.Connection(":memory:"), timeout=0.3))


@pytest.mark.parametrize("module", ["sqlite3", "apsw"])
def test_the_callers_connection_to_sqlite_works_on_after_a_timeout(module):
    driver = pytest.importorskip(module)
    connect = driver.connect if module == "sqlite3" else driver.Connection
    with closing(connect(":memory:")) as con:
        con.execute("create table t (n)")
        con.execute("begin")
        con.execute("insert into t values (1)")
        check_timeout(read_sql_iter(HEAVY, con, timeout=0.3))
        assert con.execute("select * from t").fetchall() == [(1,)]


@pytest.mark.parametrize("on_failure", ["raise", "partial"])
@pytest.mark.parametrize("owned", [False, True], ids=["the caller's", "a function"])
def test_a_timeout_ends_a_keyed_read_also_where_gaps_are_allowed(tmp_path, owned, on_failure):
    with closing(sqlite3.connect(tmp_path / "t.db")) as con:
        con.execute("create table t (k int)")
        con.execute("insert into t values (1), (2)")
        con.commit()
        sql = f"select k, ({HEAVY}) from t where k in (:keys)"
        source = (lambda: sqlite3.connect(tmp_path / "t.db")) if owned else con
        check_timeout(read_sql_iter(sql, source, keys=[1, 2], timeout=0.3, on_failure=on_failure, splittable=True))


def test_the_consumers_own_time_does_not_count(monkeypatch):
    now = [0.0]
    for module in ("mesbatch.read.reader", "mesbatch.read.threads", "mesbatch.read.deadline"):
        monkeypatch.setattr(f"{module}.monotonic", lambda: now[0])
    with read_sql_iter("values (1), (2), (3)", lambda: sqlite3.connect(":memory:"), batch_size=1, timeout=5) as reader:
        for _ in reader:
            now[0] += 60  # the consumer takes a minute for each row
    assert reader.manifest.complete


# -- PostgreSQL


@pytest.mark.parametrize("sql", ["select pg_sleep(30)", "select n, pg_sleep(n / 4000) from generate_series(1, 9000) n"])
def test_a_query_that_sleeps_is_cancelled(postgres, postgres_schema_url, sql):
    check_timeout(read_sql_iter(sql, postgres_schema_url, timeout=0.3))
    postgres.execute("select pg_sleep(0.1)")
    running = "select count(*) from pg_stat_activity where query like '%%pg_sleep%%' and state = 'active'"
    assert postgres.execute(f"{running} and pid <> pg_backend_pid()").fetchone() == (0,)


def test_the_callers_connection_to_postgres_can_be_rolled_back_after_a_timeout(postgres):
    check_timeout(read_sql_iter("select pg_sleep(30)", postgres, timeout=0.3))
    postgres.rollback()
    assert postgres.execute("select 1").fetchone() == (1,)


@pytest.fixture
def rows(postgres):
    postgres.execute("create table t as select n as k, repeat('x', 500) as v from generate_series(1, 30000) n")
    postgres.commit()


@pytest.mark.parametrize("after", [0, 500_000])
@pytest.mark.parametrize("silent", [False, True], ids=["one connection", "the whole way"])
@pytest.mark.parametrize("keyed", [False, True], ids=["one query", "keys"])
def test_a_wire_that_stalls_ends_in_time(rows, postgres_server, postgres_schema_url, after, silent, keyed):
    if not pytest.importorskip("psycopg").capabilities.has_cancel_safe():
        pytest.skip("libpq before 17 cancels with the interpreter held, in which the proxy is to run")
    with TcpProxy(postgres_server.port, "stall", after, times=None if silent else 1) as proxy:
        url = postgres_schema_url.replace(f":{postgres_server.port}/", f":{proxy.port}/")

        def hook(event):
            proxy.silent = silent

        options = {"timeout": 1.0, "batch_size": 500, "on_event": hook}
        if keyed:
            reader = read_sql_iter(
                "select k, v from t where k in (:keys)", url, keys=range(1, 30_000), strategy="array", **options
            )
        else:
            reader = read_sql_iter("select k, v from t", url, **options)
        check_timeout(reader, limit=1.0, allowed=SLOW_START + 4.0)
        assert proxy.faults
