"""A failure anywhere: each row exactly once, or an error that names the missing keys, and nothing left open."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing, contextmanager
from itertools import count

import pytest

from mesbatch import BatchReader, read_sql_iter
from mesbatch.errors import MesbatchError, ReadInterrupted
from mesbatch.events import PartFailed, PartRetried
from tests.rig.faulty import Faults
from tests.rig.proxy import TcpProxy
from tests.rig.threads import threads_of_reads

SQL = "select * from t where k in (:keys)"
KEYS = list(range(12))
ROWS = [(n, n % 12, "x" * 40) for n in range(60)]  # five of each key
STRATEGIES = ["in-list", "array", "temporary-table"]


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "faults.db")) as con, con:
        con.execute("create table t (n int, k int, v text)")
        con.executemany("insert into t values (?, ?, ?)", ROWS)
    return tmp_path / "faults.db"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))


def collect(reader: BatchReader) -> tuple[list[tuple], Exception | None]:
    """All rows that came, and the error that ended the read."""
    rows: list[tuple] = []
    try:
        with reader:
            for batch in reader:
                rows += batch.rows
    except (MesbatchError, sqlite3.Error) as error:
        return rows, error
    return rows, None


def check_account(reader: BatchReader, rows: list[tuple], error: Exception | None, truth: list[tuple]) -> None:
    """Check that rows came once, and that missing ones are named or the read ended with an error."""
    manifest = reader.manifest
    came, expected = Counter(rows), Counter(truth)
    assert came <= expected
    assert manifest.rows >= len(rows)
    if error is not None:
        assert manifest.status == "failed"
        return
    missing = {row[1] for row in expected - came}
    named = {key for failed in manifest.failed for key in KEYS if failed.first <= key <= failed.last}
    assert missing == named
    assert manifest.status == ("partial" if missing else "complete")
    assert manifest.keys_read + len(named) == manifest.keys
    assert sum(failed.count for failed in manifest.failed) == len(named)


def each_failure(path, times, plain=False):
    """A function that connects for every row at which a read can fail, and one that does not fail.

    With *plain* it is every call but the first one, which connects: a failure there comes before anything is read.
    """
    for n in count(2 if plain else 1):
        faults = Faults(path, fail_at=n, times=times, plain=plain)
        yield faults
        assert faults.alive == 0, f"{faults.alive} connections were left open"
        if not faults.failures:
            return


@pytest.mark.parametrize("plain", [False, True], ids=["sqlite3", "any driver"])
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("parallel", [1, 3])
def test_one_failure_of_a_keyed_read_is_read_again_exactly_once(path, strategy, parallel, plain):
    if plain and strategy != "in-list":
        pytest.skip("of an unknown driver only the IN list is known")
    for faults in each_failure(path, 1, plain):
        events = []
        reader = read_sql_iter(
            SQL, faults, keys=KEYS, strategy=strategy, parallel=parallel, batch_size=4, on_event=events.append,
            paramstyle="qmark" if plain else None,
        )  # fmt: skip
        rows, error = collect(reader)
        assert error is None
        assert Counter(rows) == Counter(ROWS)
        assert [row[1] for row in rows] == sorted(row[1] for row in rows)
        check_account(reader, rows, error, ROWS)
        retried = sum(isinstance(event, PartRetried) for event in events)
        # The columns of an unknown driver are asked for in a second way where the first fails.
        assert retried == faults.failures or (plain and not retried)


@pytest.mark.parametrize("times", [2, 3, None])
@pytest.mark.parametrize("on_failure", ["raise", "partial"])
@pytest.mark.parametrize("parallel", [1, 2])
def test_failures_that_stay_end_in_an_error_or_a_named_gap(path, times, on_failure, parallel, monkeypatch):
    monkeypatch.setattr("mesbatch.read.stream.FIRST_KEYS_PER_PART", 3)
    monkeypatch.setattr("mesbatch.read.stream.LIST_SHAPES", (1, 3))
    for faults in each_failure(path, times):
        reader = read_sql_iter(
            SQL, faults, keys=KEYS, strategy="in-list", parallel=parallel, batch_size=4, on_failure=on_failure
        )
        rows, error = collect(reader)
        assert error is None or on_failure == "raise"
        assert times is not None or not faults.failures or error or reader.manifest.failed
        check_account(reader, rows, error, ROWS)


def test_no_key_batch_is_dropped_when_parts_fail_and_come_late(path, monkeypatch):
    monkeypatch.setattr("mesbatch.read.stream.FIRST_KEYS_PER_PART", 1)
    for faults in each_failure(path, 2):
        reader = read_sql_iter(SQL, faults, keys=KEYS, strategy="in-list", parallel=3, order="any")
        rows, error = collect(reader)
        assert error is None
        assert Counter(rows) == Counter(ROWS)
        assert reader.manifest.parts_read == reader.manifest.parts_planned >= len(KEYS) / 3


@pytest.mark.parametrize("plain", [False, True], ids=["sqlite3", "any driver"])
def test_one_query_that_fails_is_never_begun_again(path, plain):
    for faults in each_failure(path, 1, plain):
        reader = read_sql_iter("select * from t", faults, batch_size=4)
        rows, error = collect(reader)
        assert bool(error) == bool(faults.failures)
        if error:
            assert rows == ROWS[: len(rows)]
            assert any("rows were delivered before" in note for note in getattr(error, "__notes__", ())) or not rows
        else:
            assert rows == ROWS


def test_a_key_larger_than_the_budget_that_fails_in_the_middle_is_named(path):
    with closing(sqlite3.connect(path)) as con, con:
        con.executemany("insert into t values (?, 5, ?)", [(n, "y" * 100) for n in range(100, 300)])
    with closing(sqlite3.connect(path)) as con:
        truth = Counter(con.execute("select * from t"))
    interrupted = 0
    for faults in each_failure(path, 1):
        reader = read_sql_iter(SQL, faults, keys=KEYS, strategy="in-list", batch_size=10, max_bytes=6_000)
        rows, error = collect(reader)
        assert Counter(rows) <= truth
        if error is None:
            assert Counter(rows) == truth
        else:
            assert isinstance(error, ReadInterrupted)
            assert "key 5 " in str(error)
            interrupted += 1
    assert interrupted > 10


def test_rows_in_no_order_of_keys_are_not_read_again(path):
    for faults in each_failure(path, 1):
        reader = read_sql_iter(
            SQL.replace("*", "n, v"), faults, keys=KEYS, strategy="temporary-table", order="any", batch_size=10
        )
        rows, error = collect(reader)
        assert Counter(rows) <= Counter((n, v) for n, _, v in ROWS)
        assert error is None or isinstance(error, ReadInterrupted)
        assert error is not None or len(rows) == len(ROWS)


def test_the_callers_own_connection_is_never_read_again(path):
    faults = Faults(path, fail_at=20)
    con = faults()
    reader = read_sql_iter(SQL, con, keys=KEYS, batch_size=4)
    rows, error = collect(reader)
    assert isinstance(error, sqlite3.OperationalError)
    assert faults.opened == 1
    assert 0 < len(rows) < 20
    check_account(reader, rows, error, ROWS)
    assert con.execute("select count(*) from t").fetchone() == (60,)
    con.close()


def test_a_gap_is_told_to_the_hook_with_its_reason(path):
    events = []
    reader = read_sql_iter(
        SQL, Faults(path, fail_at=20, times=None), keys=KEYS, batch_size=4, on_failure="partial", on_event=events.append
    )
    rows, _ = collect(reader)
    (failed,) = [event for event in events if isinstance(event, PartFailed)]
    assert (failed.first, failed.last) == (min(set(KEYS) - {row[1] for row in rows}), 11)
    assert str(failed.error) == "injected"
    assert reader.manifest.failed[0].error == "OperationalError: injected"


# -- PostgreSQL: the server, or the way to it, goes away

PG_SQL = "select n, k, v from t where k in (:keys)"
PG_KEYS = list(range(400))
PG_ROWS = 40 * len(PG_KEYS)


@pytest.fixture
def pg(postgres):
    postgres.execute(
        "create table t as select n, n % 400 as k, repeat('x', 1000) as v from generate_series(1, 16000) n"
    )
    postgres.execute("create index on t (k)")
    postgres.commit()
    return postgres


def terminate_others(pg):
    """End every backend that reads from the table."""
    pg.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where pid <> pg_backend_pid() and query like '%n, k, v from t%'"
    )
    pg.commit()


@pytest.mark.parametrize("strategy", ["in-list", "array", "look-up", "temporary-table"])
@pytest.mark.parametrize("parallel", [1, 2])
def test_a_keyed_read_survives_the_end_of_its_backend(pg, postgres_schema_url, strategy, parallel):
    events = []
    with read_sql_iter(
        PG_SQL, postgres_schema_url, keys=PG_KEYS, strategy=strategy, parallel=parallel, batch_size=300,
        on_event=events.append,
    ) as reader:  # fmt: skip
        rows = next(reader).rows + next(reader).rows
        terminate_others(pg)
        for batch in reader:
            rows += batch.rows
    assert len(rows) == PG_ROWS == len(set(rows))
    assert reader.manifest.complete
    assert any(isinstance(event, PartRetried) for event in events)


def test_one_query_whose_backend_ends_says_how_far_it_came(pg, postgres_schema_url):
    with read_sql_iter("select n, k, v from t", postgres_schema_url, batch_size=300) as reader:
        next(reader)
        terminate_others(pg)
        with pytest.raises(ReadInterrupted, match="rows were delivered before"):
            list(reader)
    assert reader.manifest.status == "failed"


@contextmanager
def through_proxy(postgres_server, url, **options):
    with TcpProxy(postgres_server.port, **options) as proxy:
        yield proxy, url.replace(f":{postgres_server.port}/", f":{proxy.port}/")


@pytest.mark.parametrize("fault", ["cut", "reset"])
@pytest.mark.parametrize("after", [3_000, 60_000, 700_000])
def test_a_cut_wire_costs_no_row_of_a_keyed_read(pg, postgres_server, postgres_schema_url, fault, after):
    with (
        through_proxy(postgres_server, postgres_schema_url, fault=fault, after=after) as (proxy, url),
        read_sql_iter(PG_SQL, url, keys=PG_KEYS, strategy="in-list") as reader,
    ):
        rows = [row for batch in reader for row in batch.rows]
    assert len(rows) == PG_ROWS == len(set(rows))
    assert proxy.faults == 1
    assert reader.manifest.complete


@pytest.mark.parametrize("fault", ["cut", "reset"])
def test_a_wire_that_stays_cut_leaves_a_named_gap(pg, postgres_server, postgres_schema_url, fault, monkeypatch):
    monkeypatch.setattr("mesbatch.keys.strategy.LIST_SHAPES", (1, 10, 100))
    monkeypatch.setattr("mesbatch.keys.strategy.KEYS_PER_LIST", 100)
    with (
        through_proxy(postgres_server, postgres_schema_url, fault=fault, after=700_000, times=None) as (_, url),
        read_sql_iter(PG_SQL, url, keys=PG_KEYS, strategy="in-list", on_failure="partial") as reader,
    ):
        rows = [row for batch in reader for row in batch.rows]
    manifest = reader.manifest
    named = {key for failed in manifest.failed for key in range(failed.first, failed.last + 1)}
    assert {row[1] for row in rows} == set(PG_KEYS) - named
    assert len(rows) == len(set(rows)) == manifest.rows == 40 * manifest.keys_read
    assert manifest.status == ("partial" if named else "complete")


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert threads_of_reads() == []
