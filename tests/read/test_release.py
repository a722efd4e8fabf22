"""The end of a read, for any reason: nothing of it is left, and the caller's own connection is unchanged."""

from __future__ import annotations

import gc
import os
import sqlite3
from contextlib import closing, suppress

import pytest
import sqlalchemy

from mesbatch import read_sql_iter
from tests.rig.faulty import Faults
from tests.rig.threads import threads_of_reads

pytestmark = pytest.mark.slow

SQL = "select * from t where k in (:keys)"
KEYS = range(50)


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as con, con:
        con.execute("create table t (n integer primary key, k int)")
        con.executemany("insert into t values (?, ?)", [(n, n % 50) for n in range(500)])
    return str(tmp_path / "t.db")


@pytest.fixture(autouse=True)
def nothing_is_left():
    gc.collect()
    before = _resources()
    yield
    gc.collect()
    assert _resources() == before


def _resources():
    threads = threads_of_reads()
    return threads, len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # the descriptor of the listing is in both


def leave_by_close(reader):
    next(reader)
    reader.close()
    reader.close()


def leave_by_break(reader):
    with reader:
        for _ in reader:
            break


def leave_by_error(reader):
    with suppress(ZeroDivisionError), reader:
        for _ in reader:
            raise ZeroDivisionError


def leave_before_the_first_row(reader):
    reader.close()


def leave_at_the_end(reader):
    list(reader)


WAYS = [leave_by_close, leave_by_break, leave_by_error, leave_before_the_first_row, leave_at_the_end]


@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize("strategy", ["in-list", "temporary-table"])
@pytest.mark.parametrize("options", [{}, {"timeout": 60}, {"parallel": 3}, {"consistent": True}], ids=str)
def test_connections_of_a_function_are_closed(path, leave, strategy, options):
    faults = Faults(path)
    leave(read_sql_iter(SQL, faults, keys=KEYS, strategy=strategy, batch_size=20, **options))
    assert faults.alive == 0


@pytest.mark.parametrize("options", [{}, {"timeout": 60}, {"parallel": 3}], ids=str)
def test_a_reader_that_is_garbage_warns_and_closes(path, options):
    faults = Faults(path)
    readers = [read_sql_iter(SQL, faults, keys=KEYS, batch_size=20, **options)]
    next(readers[0])
    with pytest.warns(ResourceWarning, match="neither read to its end nor closed"):
        readers.clear()
    assert faults.alive == 0


@pytest.mark.parametrize("options", [{}, {"timeout": 60}, {"parallel": 2}], ids=str)
def test_a_hook_that_raises_stops_the_read(path, options):
    def hook(event):
        raise InterruptedError(type(event).__name__)

    faults = Faults(path)
    reader = read_sql_iter(SQL, faults, keys=KEYS, batch_size=20, on_event=hook, **options)
    with pytest.raises(InterruptedError, match="StrategyChosen"):
        next(reader)
    assert reader.manifest.status == "failed"
    assert faults.alive == 0
    assert list(reader) == []


def test_a_hook_that_raises_stopiteration_does_not_end_the_read_in_silence(path):
    def hook(event):
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        list(read_sql_iter("select * from t", Faults(path), on_event=hook))


def test_a_function_whose_connecting_raises_stopiteration_gives_no_complete_read():
    none = iter(())
    reader = read_sql_iter("select * from t", lambda: next(none))
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(reader)
    assert reader.manifest.status == "failed"


@pytest.mark.parametrize("leave", WAYS)
def test_an_engine_gets_its_connections_back(path, leave):
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    leave(read_sql_iter(SQL, engine, keys=KEYS, batch_size=20, parallel=2))
    assert engine.pool.checkedout() == 0
    with engine.connect() as con:
        con.exec_driver_sql("select 1")
    engine.dispose()


def open_sqlite3(path):
    con = sqlite3.connect(path)
    con.row_factory = sqlite3.Row
    return con


def open_apsw(path):
    con = pytest.importorskip("apsw").Connection(path)
    con.row_trace = lambda cursor, row: dict(enumerate(row))
    return con


@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize("strategy", ["in-list", "temporary-table"])
@pytest.mark.parametrize("connect", [open_sqlite3, open_apsw])
def test_the_callers_transaction_goes_on_in_sqlite(path, connect, strategy, leave):
    with closing(connect(path)) as con:
        con.execute("begin")
        con.execute("insert into t values (1000, 1)")
        leave(read_sql_iter(SQL, con, keys=KEYS, strategy=strategy, batch_size=20))
        con.execute("insert into t values (1001, 1)")
        assert _numbers(con, "select count(*) from t where n >= 1000") == [2]
        assert _numbers(con, "select count(*) from sqlite_temp_master") == [0]
        con.execute("rollback")
        assert _numbers(con, "select count(*) from t where n >= 1000") == [0]


@pytest.mark.parametrize("strategy", ["in-list", "temporary-table"])
@pytest.mark.parametrize("connect", [open_sqlite3, open_apsw])
def test_no_transaction_is_opened_on_the_callers_connection_to_sqlite(path, connect, strategy):
    with closing(connect(path)) as con:
        leave_by_break(read_sql_iter(SQL, con, keys=KEYS, strategy=strategy, batch_size=20))
        assert not con.in_transaction
        leave_at_the_end(read_sql_iter(SQL, con, keys=KEYS, strategy=strategy, batch_size=20))
        assert not con.in_transaction


def test_a_temporary_table_that_another_cursor_keeps_is_at_least_empty(path):
    with closing(sqlite3.connect(path)) as con:
        other = con.execute("select * from t")
        other.fetchone()
        leave_by_close(read_sql_iter(SQL, con, keys=KEYS, strategy="temporary-table", batch_size=20))
        (name,) = con.execute("select name from sqlite_temp_master where type = 'table'").fetchone()
        assert con.execute(f"select count(*) from {name}").fetchone() == (0,)
        assert not con.in_transaction
        assert len(other.fetchall()) == 499


def _numbers(con, sql):
    return [row[0] for row in con.execute(sql)]


# -- PostgreSQL


@pytest.fixture
def pg(postgres):
    postgres.execute("create table t as select n, n % 50 as k, repeat('x', 100) as v from generate_series(1, 20000) n")
    postgres.execute("create index on t (k)")
    postgres.commit()
    return postgres


@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize("strategy", ["look-up", "temporary-table"])
def test_the_callers_transaction_goes_on_in_postgres(pg, leave, strategy):
    from psycopg.rows import dict_row

    pg.row_factory = dict_row
    pg.execute("insert into t values (-1, 1, 'mine')")
    leave(read_sql_iter(SQL, pg, keys=KEYS, strategy=strategy, batch_size=100))
    pg.execute("insert into t values (-2, 1, 'mine')")
    assert pg.execute("select count(*) as c from t where n < 0").fetchone() == {"c": 2}
    assert pg.execute("select count(*) as c from pg_cursors").fetchone() == {"c": 0}
    assert _temporary_tables(pg) == 0
    pg.rollback()
    assert pg.execute("select count(*) as c from t where n < 0").fetchone() == {"c": 0}


@pytest.mark.parametrize("strategy", ["in-list", "temporary-table"])
def test_the_callers_autocommit_connection_to_postgres_holds_nothing(pg, strategy):
    pg.autocommit = True
    leave_by_break(read_sql_iter(SQL, pg, keys=KEYS, strategy=strategy, batch_size=100))
    assert pg.execute("select count(*) from pg_cursors").fetchone() == (0,)
    assert pg.info.transaction_status.name == "IDLE"


@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize("options", [{}, {"parallel": 2}, {"consistent": True, "parallel": 2}], ids=str)
def test_connections_to_postgres_are_closed(pg, postgres_schema_url, leave, options):
    leave(read_sql_iter(SQL, postgres_schema_url, keys=KEYS, batch_size=100, **options))
    mine = "select count(*) from pg_stat_activity where pid <> pg_backend_pid() and query like '%%from t%%'"
    pg.commit()
    for _ in range(1_000):  # a backend notices the end of its client a moment later
        if pg.execute(mine).fetchone() == (0,):
            break
        pg.commit()
        pg.execute("select pg_sleep(0.01)")
    assert pg.execute(mine).fetchone() == (0,)


@pytest.mark.parametrize("leave", WAYS)
@pytest.mark.parametrize("strategy", ["in-list", "temporary-table"])
def test_an_engine_of_postgres_gets_clean_connections_back(pg, postgres_schema_url, leave, strategy):
    engine = sqlalchemy.create_engine(postgres_schema_url.replace("postgresql:", "postgresql+psycopg:"), pool_size=2)
    leave(read_sql_iter(SQL, engine, keys=KEYS, strategy=strategy, batch_size=100, parallel=2))
    assert engine.pool.checkedout() == 0
    with engine.connect() as one, engine.connect() as two:
        for con in (one, two):
            assert con.exec_driver_sql("select count(*) from pg_cursors").scalar() == 0
            assert _temporary_tables(con.connection.driver_connection) == 0
    engine.dispose()


def test_an_error_in_the_callers_transaction_is_the_databases_own(pg):
    import psycopg

    sql = "select n, k, 1 / (n - 900) from t where k in (:keys)"
    with pytest.raises(psycopg.errors.DivisionByZero) as caught:
        list(read_sql_iter(sql, pg, keys=KEYS, strategy="temporary-table", batch_size=10))
    assert any("while reading keys" in note for note in caught.value.__notes__)


def _temporary_tables(con):
    sql = "select count(*) from pg_class where relpersistence = 't' and relnamespace = pg_my_temp_schema()"
    row = con.execute(sql).fetchone()
    return next(iter(row.values())) if isinstance(row, dict) else row[0]
