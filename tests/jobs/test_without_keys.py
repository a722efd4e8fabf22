"""Jobs without keys: one with a keyset goes on where it was, any other begins again, and both say so."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections import Counter
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal

import pytest

from mesbatch import Query, Trace
from mesbatch.client import follow_store
from mesbatch.errors import InvalidJob, NotIndexed, StatementError
from mesbatch.jobs import JobSpec, LocalJobs
from mesbatch.jobs.publishing import Publishing
from mesbatch.jobs.run import run_job
from mesbatch.jobs.stop import Stop
from mesbatch.store import DirectoryStore, Lease, ResultReader
from tests.jobs.functions import DOMAINS
from tests.jobs.rig import (
    horse_of,
    is_alive,
    kill,
    published,
    spec,
    until,
    wait_for_end,
    wait_for_rows,
)

pytestmark = pytest.mark.slow

FOUND_SECONDS = 20.0
KEYSETS = [["cid", "n"], []]


def ranged(database, keyset, nap=0.0, **more):
    return spec(database, "ranged", nap=nap, arguments={"keyset": keyset}, **more)


def assert_whole(rig, job_id, database, keyset):
    job = rig.jobs.get(job_id)
    assert (job.status, job.error) == ("finished", None)
    result = rig.jobs.result(job_id)
    with closing(sqlite3.connect(database)) as con:
        for domain in DOMAINS:
            rows = [tuple(row.values()) for row in json.loads(b"".join(result.page(domain).data))]
            expected = con.execute(f"select * from {domain}").fetchall()
            assert Counter(rows) == Counter(expected), "a row is lost, or comes twice"
            if keyset:
                assert rows == sorted(rows, key=lambda row: row[:2])
    with follow_store(rig.jobs.store, job_id) as stream:
        assert sum(len(records.rows) for records in stream) == result.manifest.total_records
    word = "keyset" if keyset else "restart"
    assert {account.resume for account in result.manifest.domains.values()} == {word}
    assert {one["resume"] for one in job.progress["domains"].values()} == {word}
    counted = {domain: account.rows for domain, account in result.manifest.domains.items()}
    assert json.loads(result.aggregation())["rows"] == counted
    return job


@pytest.mark.parametrize("keyset", KEYSETS)
def test_a_job_without_keys_is_read_to_its_end(rig, database, keyset):
    rig.start_worker()
    job_id = rig.submit(ranged(database, keyset), None)
    wait_for_end(rig.jobs, job_id)
    job = assert_whole(rig, job_id, database, keyset)
    assert (job.key_count, job.progress["percent"], job.attempt) == (0, 100.0, 1)


@pytest.mark.parametrize("victim", ["horse", "worker"])
@pytest.mark.parametrize("keyset", KEYSETS)
def test_a_job_whose_processes_are_killed_loses_and_doubles_no_row(rig, database, keyset, victim):
    worker = rig.start_worker()
    job_id = rig.submit(ranged(database, keyset, nap=0.0003), None)
    wait_for_rows(rig.jobs, job_id, 700)
    horse, rows = horse_of(rig.jobs, job_id), published(rig.jobs, job_id)
    if victim == "horse":
        kill(horse)
    else:
        worker.kill()
        worker.wait()
        until(lambda: not is_alive(horse), 1.0, "the end of the orphan")
        rig.start_worker()
    until(lambda: rig.jobs.get(job_id).ended or horse_of(rig.jobs, job_id) != horse, FOUND_SECONDS, "another worker")
    resumed_at = int(rig.jobs.store.facts(job_id)["resumed_at"])
    assert (resumed_at > 0) == bool(keyset), "one goes on, the other begins again"
    assert rows >= 700
    wait_for_end(rig.jobs, job_id)
    assert assert_whole(rig, job_id, database, keyset).attempt == 2


# -- in this process


class Waiting(LocalJobs):
    """Jobs that are accepted, and not run."""

    def start(self):
        pass


class Killed(BaseException):
    """The end of a process, as by a signal."""


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(tmp_path / "store", lease_seconds=60)


def submitted(store, function, keys=None, domains=("d",), **more):
    with Waiting({"read": function}, store, app="nowhere:jobs") as jobs:
        return jobs.submit(JobSpec(function="read", domains=domains, batch_size=3, **more), keys).job_id


def stopped_after_each_chunk(store, job_id, function, monkeypatch, how, most=99):
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
    attempt = 0
    while attempt < most:
        attempt, stop.reason = attempt + 1, None
        try:
            run_job(store, job_id, {"read": function}, "worker", stop=stop)
        except Killed:
            store.release(Lease(job_id, "worker", int(store.facts(job_id)["token"])))
        if store.facts(job_id)["status"] in {"finished", "failed"}:
            break
    monkeypatch.setattr(Publishing, "publish", publish)
    return attempt


VALUES = {
    "bigint": [-(2**63), -1, 0, 7, 2**63 - 1],
    "date": [date(2026, 1, day) for day in range(1, 6)],
    "timestamp": [datetime(2026, 1, 1, 8, minute, second=1, microsecond=5) for minute in range(5)],
    "uuid": [uuid.UUID(int=n << 64) for n in range(1, 6)],
    "numeric": [Decimal("1.50"), Decimal(2), Decimal("2.0000001"), Decimal("1E+3"), Decimal(10**30)],
    'text collate "C"': ["B", "a", "a ", "b", "é"],
}


@pytest.mark.parametrize("how", ["stopped", "killed"])
@pytest.mark.parametrize("kind", VALUES)
def test_a_keyset_of_every_type_goes_on_after_each_chunk(postgres, postgres_schema_url, store, monkeypatch, kind, how):
    values = VALUES[kind]
    postgres.execute(f"create table t (k {kind}, n int)")
    for n in (3, 1, 2):
        for value in values[::-1]:
            postgres.execute("insert into t values (%s, %s)", [value, n])
    postgres.commit()
    trace = Trace({"d": Query("select * from t where n > %(low)s", params={"low": 0}, keyset=("k", "n"))})

    def read(work):
        return trace.read(postgres_schema_url, work.keys, work.domains, after=work.after, batch_size=2)

    job_id = submitted(store, read)
    assert stopped_after_each_chunk(store, job_id, read, monkeypatch, how) >= 5
    assert store.facts(job_id)["status"] == "finished", store.facts(job_id)["error"]
    rows = json.loads(b"".join(ResultReader(store, job_id).page("d").data))
    assert [row["n"] for row in rows] == [1, 2, 3] * len(values)
    account = ResultReader(store, job_id).manifest.domains["d"]
    assert account.resume == "keyset"
    with pytest.raises(NotIndexed, match="its rows do not tell their key"):
        ResultReader(store, job_id).rows("d", [1])


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as con, con:
        con.execute("create table t (a int, b text)")
        con.executemany("insert into t values (?, ?)", [(n, f"b{n}") for n in range(20)])
    return str(tmp_path / "t.db")


def reading(path, queries, *, pass_after=True, **more):
    trace = Trace(queries)

    def read(work):
        after = {"after": work.after} if pass_after else {}
        return trace.read(f"sqlite:///{path}", work.keys, work.domains, batch_size=2, **after, **more)

    return read


def test_a_domain_that_had_ended_is_not_read_again(store, path, monkeypatch):
    asked = []
    queries = {name: Query(f"select * from t where '{name}' <> ''") for name in ("first", "second")}
    read = reading(path, queries, on_event=lambda domain, event: asked.append(domain))
    job_id = submitted(store, read, domains=("first", "second"))
    ended = Publishing.end

    def end_and_die(self, domain, **options):
        ended(self, domain, **options)
        if domain == "first":
            raise Killed

    monkeypatch.setattr(Publishing, "end", end_and_die)
    with pytest.raises(Killed):
        run_job(store, job_id, {"read": read}, "worker")
    monkeypatch.setattr(Publishing, "end", ended)
    store.release(Lease(job_id, "worker", int(store.facts(job_id)["token"])))
    assert set(asked) == {"first"}
    asked.clear()
    assert run_job(store, job_id, {"read": read}, "worker") == "finished"
    assert set(asked) == {"second"}
    assert {name: one.rows for name, one in ResultReader(store, job_id).manifest.domains.items()} == {
        "first": 20, "second": 20,
    }  # fmt: skip


def test_a_job_without_a_keyset_that_never_comes_to_its_end_fails(store, path, monkeypatch):
    read = reading(path, {"d": Query("select * from t")})
    job_id = submitted(store, read)
    runs = stopped_after_each_chunk(store, job_id, read, monkeypatch, "killed")
    assert runs <= 5
    assert store.facts(job_id)["code"] == "job-keeps-dying"


def test_a_function_that_forgets_where_to_go_on_fails_and_doubles_nothing(store, path, monkeypatch):
    read = reading(path, {"d": Query("select * from t", keyset=["a"])}, pass_after=False)
    job_id = submitted(store, read)
    assert stopped_after_each_chunk(store, job_id, read, monkeypatch, "killed", most=2) == 2
    facts = store.facts(job_id)
    assert (facts["status"], facts["code"]) == ("failed", "invalid-job")
    assert "it must pass after=work.after" in facts["error"]


def test_rows_that_do_not_ascend_fail_the_job(store, path):
    read = reading(path, {"d": Query("select a / 2 as a from t", keyset=["a"])})
    job_id = submitted(store, read)
    assert run_job(store, job_id, {"read": read}, "worker") == "failed"
    facts = store.facts(job_id)
    assert (facts["code"], facts["error"]) == ("keyset-broken", "rows do not ascend by the keyset of their query")


@pytest.mark.parametrize(("more", "word"), [({"shards": 2}, "shards=2"), ({"order": "any"}, "order='any'")])
def test_ranges_of_keys_are_refused_at_once(store, path, more, word):
    read = reading(path, {"d": Query("select * from t")})
    with pytest.raises(InvalidJob, match=f"{word}: .* ranges of keys, and this job has none|{word}: they are ranges"):
        submitted(store, read, **more)
    assert list(store.job_ids()) == []


@pytest.mark.parametrize(
    ("query", "keys", "options", "message"),
    [
        (Query("select * from t where a in (:keys)"), None, {}, "is for keys, and there are none"),
        (Query("select * from t", key="b", separator=","), None, {}, "is for keys, and there are none"),
        (Query("select * from t", keyset=["a"]), [1], {}, "has a keyset, and is read without keys"),
        (Query("select * from t"), None, {"after": (1,)}, "whose query has a keyset"),
    ],
)
def test_queries_that_do_not_fit_are_refused(path, query, keys, options, message):
    with pytest.raises(StatementError, match=message):
        Trace({"d": query}).read(f"sqlite:///{path}", keys, **options)


@pytest.mark.parametrize("more", [{"key": "a"}, {"splittable": True}, {"strategy": "in-list"}])
def test_a_keyset_takes_nothing_that_is_for_keys(more):
    with pytest.raises(StatementError, match="keyset= is for a query without keys"):
        Query("select * from t", keyset=["a"], **more)


def test_a_trace_without_keys_is_read_now_too(path):
    trace = Trace({"d": Query("select * from t", keyset="a")})
    with trace.read(f"sqlite:///{path}", None) as reader:
        assert sum(batch.num_rows for _, batch in reader) == 20
        assert reader.key_count is None
    with trace.read(f"sqlite:///{path}", None, after=(17,)) as reader:
        assert [row for _, batch in reader for row in batch.rows] == [(18, "b18"), (19, "b19")]
