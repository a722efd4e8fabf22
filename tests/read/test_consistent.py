"""``consistent=True``: all parts see the data as it was when the read began."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import ReadInterrupted, StatementError
from tests.rig.faulty import Faults

SQL = "select k, v from t where k in (:keys)"
KEYS = range(400)


@pytest.fixture
def pg(postgres):
    postgres.execute(
        "create table t as select n % 400 as k, 0 as v, repeat('x', 500) as w from generate_series(1, 8000) n"
    )
    postgres.execute("create index on t (k)")
    postgres.commit()
    return postgres


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr("mesbatch.read.stream.FIRST_KEYS_PER_PART", 10)
    monkeypatch.setattr("mesbatch.read.stream.LIST_SHAPES", (1, 10, 1_000))
    monkeypatch.setattr("mesbatch.keys.strategy.LIST_SHAPES", (1, 10, 1_000))


def read_while_it_changes(pg, con, **options):
    """Read while another connection changes all rows after the first batch; return the values."""
    with read_sql_iter("select k, v, w from t where k in (:keys)", con, keys=KEYS, batch_size=50, **options) as reader:
        rows = next(reader).rows
        pg.execute("update t set v = 1")
        pg.execute("delete from t where k > 200")
        pg.commit()
        for batch in reader:
            rows += batch.rows
    assert reader.manifest.complete
    return [value for _, value, _ in rows]


@pytest.mark.parametrize("strategy", ["auto", "in-list", "array", "look-up", "temporary-table"])
@pytest.mark.parametrize("parallel", [1, 2])
def test_parts_of_one_read_see_one_snapshot_of_postgres(pg, postgres_schema_url, strategy, parallel):
    values = read_while_it_changes(pg, postgres_schema_url, strategy=strategy, parallel=parallel, consistent=True)
    assert values == [0] * 8_000


def test_without_it_the_parts_of_one_read_differ(pg, postgres_schema_url):
    values = read_while_it_changes(pg, postgres_schema_url, strategy="in-list", parallel=2)
    assert 0 in values
    assert len(values) < 8_000 or 1 in values


def test_the_callers_own_connection_reads_in_one_statement(pg, postgres_schema_url):
    import psycopg

    with psycopg.connect(postgres_schema_url) as con:
        assert read_while_it_changes(pg, con, consistent=True) == [0] * 8_000
        reader = read_sql_iter(SQL, con, keys=KEYS, strategy="in-list", consistent=True)
        with pytest.raises(StatementError, match="needs one statement"):
            next(reader)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_a_snapshot_whose_owner_died_ends_the_read(pg, postgres_schema_url, monkeypatch, driver):
    pytest.importorskip(driver, reason=f"no {driver}")
    monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))
    url = postgres_schema_url.replace("postgresql", f"postgresql+{driver}", 1)
    reader = read_sql_iter(
        "select k, v, w from t where k in (:keys)", url, keys=KEYS, batch_size=50, strategy="in-list", consistent=True
    )
    with reader:
        next(reader)
        pg.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where pid <> pg_backend_pid() and state <> 'idle' and backend_type = 'client backend'"
        )
        pg.commit()
        with pytest.raises(ReadInterrupted, match="the snapshot that all of this read is to see is gone"):
            list(reader)
    assert reader.manifest.status == "failed"


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as con, con:
        con.execute("pragma journal_mode = wal")
        con.execute("create table t (k int, v int)")
        con.executemany("insert into t values (?, 0)", [(n % 400,) for n in range(4_000)])
    return str(tmp_path / "t.db")


@pytest.mark.parametrize("strategy", ["in-list", "array", "temporary-table"])
@pytest.mark.parametrize("timeout", [None, 60], ids=["inline", "in a thread"])
def test_parts_of_one_read_see_one_snapshot_of_sqlite(path, strategy, timeout):
    faults = Faults(path)
    with (
        closing(sqlite3.connect(path)) as other,
        read_sql_iter(
            SQL, faults, keys=KEYS, strategy=strategy, batch_size=50, consistent=True, timeout=timeout
        ) as reader,
    ):
        rows = next(reader).rows
        other.execute("update t set v = 1")
        other.commit()
        for batch in reader:
            rows += batch.rows
    assert [value for _, value in rows] == [0] * 4_000
    assert faults.alive == 0


def test_sqlite_is_read_consistently_on_one_connection_only(path):
    faults = Faults(path)
    reader = read_sql_iter(SQL, faults, keys=KEYS, parallel=2, consistent=True)
    with pytest.raises(ValueError, match="parallel must be 1, got 2"):
        next(reader)
    assert faults.alive == 0


def test_a_failure_of_a_consistent_read_of_sqlite_is_not_tried_again(path):
    faults = Faults(path, fail_at=300)
    reader = read_sql_iter(SQL, faults, keys=KEYS, batch_size=50, consistent=True)
    with pytest.raises(sqlite3.OperationalError, match="injected"):
        list(reader)
    assert faults.alive == 0


def test_a_driver_that_nobody_knows_has_no_snapshots(path):
    faults = Faults(path, plain=True)
    with pytest.raises(StatementError, match="needs a database whose snapshots we know"):
        list(read_sql_iter(SQL, faults, keys=KEYS, consistent=True))
