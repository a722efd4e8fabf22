from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from mesbatch import Batch, read_sql_iter
from mesbatch.events import BatchRead, PartFailed, PartRead, PartRetried, StrategyChosen
from tests.rig.faulty import Faults

SQL = "select * from t where k in (:keys)"
ROWS = [(n, n % 12) for n in range(60)]


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as con, con:
        con.execute("create table t (n int, k int)")
        con.executemany("insert into t values (?, ?)", ROWS)
    return str(tmp_path / "t.db")


@pytest.fixture
def con(path):
    with closing(sqlite3.connect(path)) as con:
        yield con


def test_nothing_happens_before_the_first_batch(path):
    faults = Faults(path)
    reader = read_sql_iter(SQL, faults, keys=[1])
    assert faults.opened == 0
    assert reader.manifest.status == "reading"
    next(reader)
    assert faults.opened == 1
    reader.close()


def test_the_columns_can_be_had_before_the_first_batch_and_lose_no_row(path):
    with read_sql_iter("select * from t", Faults(path), batch_size=7) as reader:
        assert reader.columns == ("n", "k")
        assert [row for batch in reader for row in batch.rows] == ROWS
    assert reader.columns == ("n", "k")


@pytest.mark.parametrize("keys", [None, [1], iter([1])], ids=["one query", "a list", "an iterator"])
@pytest.mark.parametrize("source", ["sqlite3", "apsw", "postgres", "the caller's postgres"])
def test_no_rows_are_no_batch_but_columns(request, tmp_path, source, keys):
    keys = iter([1]) if keys is not None and not isinstance(keys, list) else keys
    if "postgres" in source:
        own = request.getfixturevalue("postgres")
        own.execute("create table empty (n int, k int)")
        own.commit()
        con = own if source != "postgres" else request.getfixturevalue("postgres_schema_url")
    else:
        with closing(sqlite3.connect(tmp_path / "empty.db")) as made:
            made.execute("create table empty (n int, k int)")
        module = pytest.importorskip(source)
        connect = sqlite3.connect if source == "sqlite3" else module.Connection
        con = lambda: connect(str(tmp_path / "empty.db"))  # noqa: E731
    sql = "select n, k from empty" + (" where k in (:keys)" if keys else "")
    with read_sql_iter(sql, con, keys=keys) as reader:
        assert list(reader) == []
    assert reader.columns == ("n", "k")
    assert reader.manifest.complete
    assert reader.manifest.rows == 0


def test_params_stand_beside_the_keys_in_the_drivers_own_style(con):
    sql = "select n, k, ? as a from t where n > ? and k in (:keys) and n < ?"
    for strategy in ("in-list", "array", "temporary-table"):
        rows = [r for b in read_sql_iter(sql, con, ("x", 10, 50), keys=[1, 2], strategy=strategy) for r in b.rows]
        assert rows == [(n, n % 12, "x") for k in (1, 2) for n in range(11, 50) if n % 12 == k]
    named = "select n, k from t where n > :low and k in (:keys)"
    for strategy in ("in-list", "array", "temporary-table"):
        rows = [r for b in read_sql_iter(named, con, {"low": 40}, keys=[1], strategy=strategy) for r in b.rows]
        assert rows == [(49, 1)]


def test_params_stand_beside_the_keys_in_psycopgs_style(postgres):
    postgres.execute("create table t as select n, n % 12 as k, 'a%' as v from generate_series(0, 59) n")
    for strategy in ("in-list", "array", "look-up", "temporary-table"):
        options = {"keys": [1, 2], "strategy": strategy}
        sql = "select n, k, %s as a from t where n > %s and k in (:keys) and n < %s and v like 'a%%'"
        rows = [row for batch in read_sql_iter(sql, postgres, ["x", 10, 50], **options) for row in batch.rows]
        assert sorted(rows) == [(n, n % 12, "x") for n in range(11, 50) if n % 12 in (1, 2)]
        named = "select n, k from t where n > %(low)s and k in (:keys) and v like 'a%%'"
        rows = [row for batch in read_sql_iter(named, postgres, {"low": 40}, **options) for row in batch.rows]
        assert sorted(rows) == [(49, 1), (50, 2)]
        unbound = "select n, k from t where n % 2 = 1 and k in (:keys) and v like 'a%'"
        rows = [row for batch in read_sql_iter(unbound, postgres, **options) for row in batch.rows]
        assert sorted(rows) == [(1, 1), (13, 1), (25, 1), (37, 1), (49, 1)]


def test_events_come_in_their_order(path, monkeypatch):
    monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))
    events = []
    faults = Faults(path, fail_at=18)
    list(read_sql_iter(SQL, faults, keys=range(12), batch_size=15, on_event=events.append))
    assert events.pop(0) == StrategyChosen("in-list", 12)
    kinds = [type(event) for event in events]
    assert kinds == [BatchRead, PartRetried, *[BatchRead] * (len(events) - 3), PartRead]
    assert sum(event.rows for event in events if isinstance(event, BatchRead)) == 60
    retried = events[1]
    assert (retried.first, retried.last, retried.attempt, str(retried.error)) == (2, 11, 1, "injected")
    assert (events[-1].first, events[-1].last, events[-1].keys) == (0, 11, 12)


def test_a_gap_is_an_event_with_the_keys_that_came_before_it(path, monkeypatch):
    monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))
    events = []
    faults = Faults(path, fail_at=18, times=None)
    reader = read_sql_iter(SQL, faults, keys=range(12), batch_size=15, on_failure="partial", on_event=events.append)
    list(reader)
    failed = events[-1]
    assert isinstance(failed, PartFailed)
    assert (failed.first, failed.last, failed.keys, failed.keys_read) == (2, 11, 10, 2)
    assert (reader.manifest.keys, reader.manifest.keys_read, reader.manifest.parts_read) == (12, 2, 0)


def test_what_was_left_early_is_truncated_and_what_was_finished_stays_so(path):
    reader = read_sql_iter("select * from t", Faults(path), batch_size=7)
    next(reader)
    reader.close()
    assert (reader.manifest.status, reader.manifest.rows) == ("truncated", 7)
    assert list(reader) == []
    complete = read_sql_iter("select * from t", Faults(path))
    list(complete)
    complete.close()
    assert complete.manifest.complete


def test_an_object_with_batches_is_read_as_it_comes():
    class Source:
        def batches(self):
            yield Batch(("n",), [(1,), (2,)])
            yield Batch(("n",), [(3,)])

    with read_sql_iter(None, Source()) as reader:
        assert [batch.rows for batch in reader] == [[(1,), (2,)], [(3,)]]
    assert reader.columns == ("n",)
    assert (reader.manifest.status, reader.manifest.rows) == ("complete", 3)


def test_two_joined_tables_may_share_the_name_of_the_key(con):
    sql = "select t.k, t.n, u.n as m from t join t u on u.k = t.k and u.n = t.n + 12 where t.k in (:keys)"
    rows = [row for batch in read_sql_iter(sql, con, keys=[3, 1]) for row in batch.rows]
    assert rows == [(k, n, n + 12) for k in (1, 3) for n in range(k, 48, 12)]


@pytest.mark.parametrize("strategy", ["in-list", "array", "temporary-table", "look-up"])
@pytest.mark.parametrize("lazily", [False, True], ids=["a list", "an iterator"])
@pytest.mark.parametrize("key_type", ["text", "char(6)"])
def test_duplicate_keys_give_each_row_once(postgres, strategy, lazily, key_type):
    postgres.execute(f"create table t as select n, ('k' || n % 5)::{key_type} as k from generate_series(1, 50) n")
    keys = ["k1", "k2", "k1", "k3", "k2", "k1"] + (["k1  ", "k3 "] if key_type == "char(6)" else [])
    with read_sql_iter(SQL, postgres, keys=iter(keys) if lazily else keys, strategy=strategy, batch_size=5) as reader:
        rows = next(reader).rows
        if strategy == "temporary-table":
            (table,) = postgres.execute("select relname from pg_class where relname like 'mesbatch_keys%'").fetchone()
            counted = postgres.execute(f"select count(*), count(distinct key) from {table}").fetchone()
            assert counted == (3, 3), "the temporary table holds a key twice"
        rows += [row for batch in reader for row in batch.rows]
    assert sorted(n for n, _ in rows) == [n for n in range(1, 51) if n % 5 in (1, 2, 3)]
    assert (reader.manifest.keys, reader.manifest.keys_read) == (3, 3)


@pytest.mark.parametrize("strategy", ["in-list", "array", "temporary-table"])
@pytest.mark.parametrize("lazily", [False, True], ids=["a list", "an iterator"])
def test_duplicate_keys_give_each_row_of_sqlite_once(con, strategy, lazily):
    keys = [3, 1, 3, 3, 2, 1]
    with read_sql_iter(SQL, con, keys=iter(keys) if lazily else keys, strategy=strategy, batch_size=5) as reader:
        rows = [row for batch in reader for row in batch.rows]
    assert sorted(rows) == sorted(row for row in ROWS if row[1] in (1, 2, 3))
    assert (reader.manifest.keys, reader.manifest.keys_read) == (3, 3)


@pytest.mark.parametrize("count", [1, 9, 10, 11, 99, 101, 999, 1_000, 1_001, 33_000, 70_000])
@pytest.mark.parametrize("strategy", ["auto", "in-list", "array", "temporary-table"])
def test_any_number_of_keys_is_read(con, count, strategy):
    con.execute("create table many (k int)")
    con.executemany("insert into many values (?)", [(n,) for n in range(count)])
    con.execute("create index many_k on many (k)")
    sql = "select k from many where k in (:keys)"
    with read_sql_iter(sql, con, keys=range(count), strategy=strategy) as reader:
        assert [k for batch in reader for (k,) in batch.rows] == list(range(count))


@pytest.mark.parametrize("strategy", ["auto", "in-list", "array", "look-up", "temporary-table"])
def test_more_keys_than_postgres_takes_binds_are_read(postgres, strategy):
    postgres.execute("create table many as select n as k from generate_series(0, 69999) n")
    postgres.execute("create index on many (k)")
    with read_sql_iter(
        "select k from many where k in (:keys)", postgres, keys=range(70_000), strategy=strategy
    ) as reader:
        assert [k for batch in reader for (k,) in batch.rows] == list(range(70_000))
