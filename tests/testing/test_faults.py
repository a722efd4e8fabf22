from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing, suppress
from threading import Thread

import pytest

from mesbatch import Batch, Trace, fold, group_by_key, read_sql_iter
from mesbatch.errors import MesbatchError
from mesbatch.testing import Faults, FaultyConnect, FaultyConnection, FaultySource, InjectedFault, each_fault
from mesbatch.trace.read import Query

SQL = "select * from t where k in (:keys)"
ROWS = [(n, n % 7) for n in range(70)]
BATCHES = [Batch(("n", "k"), ROWS[start : start + 10]) for start in range(0, 70, 10)]


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as con, con:
        con.execute("create table t (n int, k int)")
        con.executemany("insert into t values (?, ?)", ROWS)
    return str(tmp_path / "t.db")


def outcomes(faults: Faults, calls: int) -> str:
    """Give a letter for each call: it worked, or it failed."""
    text = ""
    for _ in range(calls):
        try:
            faults.step()
            text += "w"
        except InjectedFault:
            text += "f"
    return text


def test_a_failure_happens_at_the_call_once_twice_or_for_ever():
    assert outcomes(Faults(), 5) == "wwwww"
    assert outcomes(Faults(3), 5) == "wwfww"
    assert outcomes(Faults(3, times=2), 6) == "wwffww"
    assert outcomes(Faults(3, times=None), 6) == "wwffff"


def test_one_failure_shared_by_threads_happens_once():
    faults, failures = Faults(fail_at=500), []

    def work():
        for _ in range(500):
            try:
                faults.step()
            except InjectedFault:
                failures.append(1)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (faults.calls, faults.failures, len(failures)) == (2_000, 1, 1)


def test_the_error_is_the_one_that_was_named():
    with pytest.raises(sqlite3.OperationalError, match="call 1 fails on purpose"):
        Faults(1, error=sqlite3.OperationalError).step()


def test_every_point_is_tried_until_none_is_left():
    tried = []
    for faults in each_fault(times=None):
        outcomes(faults, 3)
        tried.append((faults.fail_at, faults.failures))
    assert tried == [(1, 3), (2, 2), (3, 1), (4, 0)]


# -- a source


def test_a_source_gives_its_batches_every_time():
    source = FaultySource(iter(BATCHES))
    assert list(source.batches()) == list(source.batches()) == BATCHES
    assert source.faults.calls == 2 * (len(BATCHES) + 1)


def test_a_source_that_fails_ends_the_read_with_an_error_and_never_as_complete():
    for faults in each_fault():
        reader = read_sql_iter("made up", FaultySource(BATCHES, faults))
        rows = []
        with suppress(InjectedFault), reader:
            for batch in reader:
                rows += batch.rows
        assert rows == ROWS[: len(rows)]
        assert reader.manifest.status == ("failed" if faults.failures else "complete")
        assert reader.manifest.rows == len(rows)


def test_groups_of_a_source_that_fails_leave_no_file(tmp_path):
    for faults in each_fault():
        try:
            with group_by_key(FaultySource(BATCHES, faults).batches(), "k", max_bytes=0, directory=tmp_path) as groups:
                assert Counter(row for rows in groups.values() for row in rows) == Counter(ROWS)
        except InjectedFault:
            assert faults.failures
        assert list(tmp_path.iterdir()) == []


def test_a_fold_over_a_source_that_fails_gives_no_number():
    for faults in each_fault():
        total = None
        with suppress(InjectedFault):
            total = fold(FaultySource(BATCHES, faults).batches(), lambda sum_, batch: sum_ + batch.num_rows, int)
        assert total == (None if faults.failures else 70)


# -- connections


@pytest.mark.parametrize("times", [1, None])
def test_a_keyed_read_that_fails_anywhere_is_whole_or_an_error(path, times, monkeypatch):
    monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))
    for faults in each_fault(times):
        connect = FaultyConnect(lambda: sqlite3.connect(path), faults)
        rows, failed = [], False
        try:
            with read_sql_iter(SQL, connect, keys=range(7), batch_size=10) as reader:
                for batch in reader:
                    rows += batch.rows
        except (InjectedFault, MesbatchError):
            failed = True
        assert Counter(rows) <= Counter(ROWS)
        assert failed or len(rows) == len(ROWS)
        assert connect.alive == 0


def test_a_trace_that_fails_anywhere_leaves_no_connection(path):
    for faults in each_fault():
        connect = FaultyConnect(lambda: sqlite3.connect(path), faults)
        rows = []
        with suppress(InjectedFault, MesbatchError), Trace({"t": Query(SQL)}).read(connect, list(range(7))) as reader:
            for _, batch in reader:
                rows += batch.rows
        assert Counter(rows) <= Counter(ROWS)
        assert connect.alive == 0


@pytest.mark.parametrize(
    "use",
    [
        lambda con: con.execute("select 1").fetchall(),
        lambda con: con.cursor().execute("select 1").fetchone(),
        lambda con: con.cursor().execute("select 1").fetchmany(2),
        lambda con: list(con.cursor().execute("select 1")),
        lambda con: con.cursor().executemany("insert into t values (?, ?)", [(1, 1)]) and con.commit(),
    ],
)
def test_whatever_is_called_counts_and_can_fail(path, use):
    for n in (1, 2):
        with closing(FaultyConnection(sqlite3.connect(path), Faults(n))) as con, pytest.raises(InjectedFault):
            use(con)


def test_the_rest_of_a_connection_is_its_own(path):
    connect = FaultyConnect(lambda: sqlite3.connect(path))
    with closing(connect()) as con:
        with con:
            con.execute("insert into t values (100, 100)")
        assert con.total_changes == 1
        assert not con.in_transaction
        with closing(con.cursor()) as cursor:
            assert cursor.execute("select n, k from t where k = 100") is cursor
            assert [name for name, *_ in cursor.description] == ["n", "k"]
            assert cursor.arraysize == 1
    con.close()
    assert (connect.opened, connect.closed, connect.alive) == (1, 1, 0)


def test_a_connection_that_its_block_closes_is_counted_as_closed(postgres_url):
    psycopg = pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
    connect = FaultyConnect(lambda: psycopg.connect(postgres_url))
    with connect() as con:
        assert con.execute("select 1").fetchone() == (1,)
    assert connect.alive == 0
