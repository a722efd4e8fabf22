"""Jobs that are stopped after each chunk and gone on with: every row once, whatever the type of the keys."""

from __future__ import annotations

import json
import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from mesbatch import Query, Trace
from mesbatch.client import follow_store
from mesbatch.jobs import JobSpec, LocalJobs
from mesbatch.jobs.publishing import Publishing
from mesbatch.jobs.run import run_job
from mesbatch.jobs.stop import Stop
from mesbatch.store import DirectoryStore, Lease, ResultReader

# Keys by the type of their column. Each has two rows; all but the last but one are asked for.
KEYS = {
    "char(8)": ["a", "a\t", "a\tb", "a b", "b", "zz"],
    "varchar(8)": ["a", "a ", "a\t", "a\t ", "b"],
    "date": [date(2026, 1, day) for day in range(1, 6)],
    "timestamp": [datetime(2026, 1, 1, 8, minute, second=1, microsecond=5) for minute in range(5)],
    "timestamptz": [datetime(2026, 1, 1, 8, n, tzinfo=timezone(timedelta(hours=n))) for n in range(5)],
    "timestamptz(6)": [
        datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=ZoneInfo(name))  # in Berlin this hour comes twice
        for name, fold in [("Asia/Tokyo", 0), ("Europe/Berlin", 0), ("Europe/Berlin", 1), ("UTC", 0)]
    ],
    "numeric": [Decimal("1.50"), Decimal(2), Decimal("2.0000001"), Decimal("1E+3"), Decimal(10**30)],
    "numeric(9)": [1, 2, 3, 10, 20],
    "bigint": [-(2**63), -1, 0, 7, 2**63 - 1],
    "float8": [-1.5, 0.1, 1.0, 1e16, 1e300],
    "uuid": [uuid.UUID(int=n << 64) for n in range(1, 6)],
    "bytea": [b"a", b"a\t", b"a b", b"b", b"\xff"],
}
SQLITE = {"blob": KEYS["bytea"], "int": KEYS["bigint"], "real": KEYS["float8"], "text": KEYS["varchar(8)"]}
# Keys that the caller took out of a CHAR column, and keys that such a column takes for one.
PADDED = [
    ["a       ", "a\t      ", "b       ", "c       "],
    ["a", "a  ", "a\t", "b ", "b"],
    ["a\t", "a       ", "a b", "a b  ", "c"],
]


class Waiting(LocalJobs):
    """Jobs that are accepted, and not run."""

    def start(self):
        pass


class Killed(BaseException):
    """The end of a process, as by a signal."""


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(tmp_path / "store", lease_seconds=60)


@pytest.fixture
def table(postgres):
    """Make a table whose keys have some type, and return the numbers of its rows that have any of *asked*."""

    def make(kind, keys, asked):
        postgres.execute(f"create table t (k {kind}, n int)")
        for key in keys:
            postgres.cursor().executemany("insert into t (k, n) select %s, count(*) from t", [[key]] * 2)
        postgres.commit()
        rows = postgres.execute(f"select n from t where k = any(%s::{kind}[])", [asked]).fetchall()
        return sorted(n for (n,) in rows)

    return make


def reading(connect):
    trace = Trace({"d": Query("select * from t where k in (:keys)")})

    def read(work):
        return trace.read(connect, work.keys, work.domains, batch_size=2, on_failure=work.on_failure)

    return {"read": read}


def submitted(store, functions, keys, **more):
    with Waiting(functions, store, app="nowhere:jobs") as jobs:
        return jobs.submit(JobSpec(function="read", domains=("d",), batch_size=2, **more), keys).job_id


def stopped_after_each_chunk(store, job_id, functions, monkeypatch, how):
    """Run the job until it has ended, let each run publish one chunk, and return the number of runs."""
    publish, stop = Publishing.publish, Stop()

    def publish_and_stop(self, *args, **options):
        publish(self, *args, **options)
        if how == "killed":
            raise Killed
        if not stop.asked:
            stop.ask("shutdown")
            stop.check()

    monkeypatch.setattr(Publishing, "publish", publish_and_stop)
    for attempt in range(1, 99):
        stop.reason = None
        try:
            run_job(store, job_id, functions, "worker", stop=stop)
        except Killed:
            store.release(Lease(job_id, "worker", int(store.facts(job_id)["token"])))
        if store.facts(job_id)["status"] in {"finished", "failed"}:
            monkeypatch.setattr(Publishing, "publish", publish)
            return attempt
    raise AssertionError("the job does not end")


def numbers_of(store, job_id):
    assert store.facts(job_id)["status"] == "finished", store.facts(job_id)["error"]
    with follow_store(store, job_id) as stream:  # checks the checksums
        streamed = [row["n"] for records in stream for row in records.rows]
    rows = json.loads(b"".join(ResultReader(store, job_id).page("d").data))
    assert [row["n"] for row in rows] == streamed
    return sorted(streamed)


@pytest.fixture(params=["stopped", "killed"])
def how(request):
    return request.param


@pytest.fixture(params=["key", "any"])
def order(request, monkeypatch):
    monkeypatch.setattr("mesbatch.jobs.ranges.FIRST_RANGE", 1)
    return request.param


@pytest.mark.parametrize("kind", KEYS)
def test_a_job_that_is_stopped_after_each_chunk_gives_every_row_once(
    table, postgres_schema_url, store, monkeypatch, kind, how, order
):
    keys = KEYS[kind]
    asked = [*keys[:-2], keys[-1]]
    expected = table(kind, keys, asked)
    functions = reading(postgres_schema_url)
    job_id = submitted(store, functions, asked, order=order)
    assert stopped_after_each_chunk(store, job_id, functions, monkeypatch, how) >= len(asked) / 2
    assert numbers_of(store, job_id) == expected


@pytest.mark.parametrize("kind", SQLITE)
def test_a_job_over_sqlite_that_is_stopped_after_each_chunk_gives_every_row_once(
    tmp_path, store, monkeypatch, kind, how, order
):
    path, asked = str(tmp_path / "t.db"), SQLITE[kind]
    with closing(sqlite3.connect(path)) as con, con:
        con.execute(f"create table t (k {kind}, n int)")
        con.executemany("insert into t values (?, ?)", [(key, n) for n, key in enumerate(asked * 2)])
    functions = reading(lambda: sqlite3.connect(path, check_same_thread=False))
    job_id = submitted(store, functions, asked, order=order)
    assert stopped_after_each_chunk(store, job_id, functions, monkeypatch, how) >= len(asked) / 2
    assert numbers_of(store, job_id) == list(range(2 * len(asked)))


@pytest.mark.parametrize("asked", PADDED, ids=repr)
def test_keys_that_a_column_takes_for_one_give_their_rows_once(
    table, postgres_schema_url, store, monkeypatch, asked, how, order
):
    expected = table("char(8)", ["a", "a\t", "a b", "b", "c"], asked)
    functions = reading(postgres_schema_url)
    job_id = submitted(store, functions, asked, order=order)
    stopped_after_each_chunk(store, job_id, functions, monkeypatch, how)
    assert numbers_of(store, job_id) == expected


@pytest.mark.parametrize(
    ("kind", "asked"), [*KEYS.items(), *(("char(8)", asked) for asked in PADDED)], ids=lambda one: repr(one)[:30]
)
def test_a_job_in_shards_gives_every_row_once_and_in_order(
    table, postgres_schema_url, store, monkeypatch, kind, asked, how
):
    expected = table(kind, dict.fromkeys(key.rstrip(" ") if kind == "char(8)" else key for key in asked), asked)
    functions = reading(postgres_schema_url)
    job_id = submitted(store, functions, asked, shards=3)
    children = store.facts(job_id)["children"].split(",")
    assert sum(int(store.facts(child)["cid_count"]) for child in children) == len(asked)
    for child in children:
        stopped_after_each_chunk(store, child, functions, monkeypatch, how)
    assert run_job(store, job_id, functions, "worker") == "finished"
    assert numbers_of(store, job_id) == expected


def test_keys_that_were_given_up_keep_their_type(store, tmp_path):
    path = str(tmp_path / "t.db")
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table t (k blob, n int)")
        con.executemany("insert into t values (?, ?)", [(b"a", 1), (b"b", 2)])

    def connect():
        con = sqlite3.connect(path, check_same_thread=False)
        con.create_function("fine", 1, lambda key: 1 // (key != b"b"))
        return con

    def read(work):
        trace = Trace({"d": Query("select * from t where k in (:keys) and fine(k)")})
        return trace.read(connect, work.keys, work.domains, on_failure=work.on_failure)

    job_id = submitted(store, {"read": read}, [b"a", b"b"], on_failure="partial")
    assert run_job(store, job_id, {"read": read}, "worker") == "finished"
    (missing,) = store.manifest(job_id).missing_keys
    assert (missing.first.type, missing.first.value, missing.last.value) == ("bytes", "61", "62")


def test_a_time_with_a_zone_is_stored_as_it_was(store):
    asked = [datetime(2026, 1, 1, tzinfo=UTC)]
    job_id = submitted(store, reading(None), asked)
    assert b'[{"type":"datetime","value":"2026-01-01T00:00:00+00:00"}]' in store.keys(job_id, 0)
