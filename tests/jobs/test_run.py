"""Runs in this process: stopped, killed and fenced at every single operation of the store."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import pytest

from mesbatch import Query, Trace
from mesbatch.client import follow_store
from mesbatch.errors import CorruptChunk, JobNotFound, ResultStoreFull, StoreError, StoreUnavailable
from mesbatch.jobs import JobSpec, LocalJobs
from mesbatch.jobs.job import ending, first_facts
from mesbatch.jobs.outcome import code_of
from mesbatch.jobs.recovery import waiting_jobs
from mesbatch.jobs.run import run_job
from mesbatch.jobs.stop import Stop
from mesbatch.store import DirectoryStore, Lease, ResultReader, new_job_id, store_keys
from tests.jobs.functions import FUNCTIONS, Count
from tests.jobs.rig import kinds_of

KEYS = [f"k{n:02d}" for n in range(30)]
MOVES = [(key, n) for i, key in enumerate(KEYS) for n in range(i % 4)] + [("k07", 100 + n) for n in range(25)]
DOMAINS = ("moves", "holds", "scan")


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as con, con:
        con.execute("create table moves (cid text, n int)")
        con.execute("create table holds (cid text, n int)")
        con.execute("create table scan (cids text, n int)")
        con.executemany("insert into moves values (?, ?)", MOVES)
        con.executemany("insert into holds values (?, ?)", [(key, 1) for key in KEYS[::3]])
        con.executemany("insert into scan values (?, ?)", [(f"x,{key}", 2) for key in KEYS[::2]])
    return str(tmp_path / "t.db")


EXPECTED = {
    "moves": Counter(MOVES),
    "holds": Counter((key, 1) for key in KEYS[::3]),
    "scan": Counter((f"x,{key}", 2) for key in KEYS[::2]),
}
TRACE = Trace(
    {
        "moves": Query("select * from moves where cid in (:keys)"),
        "holds": Query("select * from holds where cid in (:keys)"),
        "scan": Query("select * from scan", key="cids", separator=","),
    }
)


def read(work, path):
    work.aggregate(Count)
    return TRACE.read(lambda: sqlite3.connect(path), work.keys, work.domains, max_bytes=work.max_bytes, batch_size=7)


@pytest.fixture
def store(tmp_path):
    """Make a store, in memory where that can be had: these tests write and sync some thousand small files."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield DirectoryStore(folder, lease_seconds=60)


def submitted(store, path, keys=KEYS, **more):
    spec = JobSpec(**{"function": "read", "domains": DOMAINS, "arguments": {"path": path}, "batch_size": 6, **more})
    job_id = new_job_id()
    store.create(job_id, first_facts(spec, len(keys), time.time()))
    handle = store_keys(store, job_id, sorted(keys))
    store.change(job_id, {"keys": json.dumps({"job_id": job_id, "count": handle.count, "parts": handle.parts})})
    return job_id


def run(store, job_id, functions=None, **more):
    return run_job(store, job_id, functions or {"read": read}, "worker", **more)


def rows_of(store, job_id):
    result = ResultReader(store, job_id)
    return {
        domain: Counter(tuple(row.values()) for row in json.loads(b"".join(result.page(domain).data)))
        for domain in result.manifest.domains
    }


def assert_whole(store, job_id):
    assert store.facts(job_id)["status"] == "finished"
    assert {account.status for account in store.manifest(job_id).domains.values()} == {"complete"}
    assert rows_of(store, job_id) == EXPECTED
    counted = json.loads(ResultReader(store, job_id).aggregation())
    assert counted == {
        "rows": {domain: rows.total() for domain, rows in EXPECTED.items()},
        "total": sum(n for _, n in MOVES),
    }


class Killed(BaseException):
    """The end of a process, as by a signal."""


class Mortal:
    """A store that fails from the n-th operation on: for ever, as when its process was killed, or only that once."""

    def __init__(self, store, at, error, *, once=False):
        self._store, self._at, self._error, self._once = store, at, error, once
        self.operations = 0

    def __getattr__(self, name):
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def operation(*args, **options):
            self.operations += 1
            if self.operations == self._at or (self.operations > self._at and not self._once):
                raise self._error(f"operation {self._at}")
            return found(*args, **options)

        return operation


@pytest.fixture(autouse=True)
def quiet_heart(monkeypatch):
    """Let no heart beat, so that operations are counted alike in every run."""
    monkeypatch.setattr("mesbatch.jobs.heart.LOOK_SECONDS", 60)
    monkeypatch.setattr("mesbatch.jobs.publishing.PROGRESS_SECONDS", 0)


def test_a_store_that_does_not_answer_at_any_operation_is_asked_again(store, path):
    for at in range(4, 56, 6):  # the first three take the job: then another worker does
        job_id = submitted(store, path)
        assert run(Mortal(store, at, StoreUnavailable, once=True), job_id) in {"finished", "failed", "not ours"}
        if store.facts(job_id)["status"] != "finished":
            store.release(Lease(job_id, "worker", 1))
            run(store, job_id)
        assert_whole(store, job_id)


@pytest.mark.parametrize("error", [*kinds_of(StoreError)], ids=lambda error: error.__name__)
def test_a_store_that_refuses_once_ends_no_worker_and_loses_no_row(store, path, error):
    for at in range(2, 56, 6):
        job_id = submitted(store, path)
        assert run(Mortal(store, at, error, once=True), job_id) in {"finished", "failed", "not ours"}
        facts = store.facts(job_id)
        if facts["status"] == "failed":
            assert facts["code"] == code_of(error())
            continue
        if facts["status"] != "finished":
            store.release(Lease(job_id, "worker", 1))
            run(store, job_id)
        assert_whole(store, job_id)


def test_a_store_that_stays_full_ends_no_worker(store, path):
    for at in range(1, 56, 9):
        job_id = submitted(store, path)
        assert run(Mortal(store, at, ResultStoreFull), job_id) == "not ours"
        store.release(Lease(job_id, "worker", 1))
        run(store, job_id)
        assert_whole(store, job_id)


def test_an_order_of_ranges_gives_the_same_rows(store, path, monkeypatch):
    monkeypatch.setattr("mesbatch.jobs.ranges.FIRST_RANGE", 4)
    job_id = submitted(store, path, order="any", domains=("moves", "holds"))
    assert run(store, job_id) == "finished"
    assert rows_of(store, job_id) == {domain: EXPECTED[domain] for domain in ("moves", "holds")}
    job_id = submitted(store, path, order="any")
    assert run(store, job_id) == "failed"
    assert store.facts(job_id)["code"] == "not-splittable"


def test_keys_that_were_given_up_are_told_by_the_retry_too(store, path, monkeypatch):
    monkeypatch.setattr("mesbatch.jobs.ranges.FIRST_RANGE", 4)

    def connect(path):
        con = sqlite3.connect(path, check_same_thread=False)
        con.create_function("fine", 1, lambda cid: 1 // (cid != "k05"))
        return con

    def failing(work, path):
        query = Query("select * from moves where cid in (:keys) and fine(cid)")
        return Trace({"moves": query}).read(lambda: connect(path), work.keys, work.domains, on_failure=work.on_failure)

    for at in (9, 11, 13, 15, 17):
        job_id = submitted(store, path, domains=("moves",), order="any", on_failure="partial")
        with pytest.raises(Killed):
            run(Mortal(store, at, Killed), job_id, {"read": failing})
        store.release(Lease(job_id, "worker", 1))
        run(store, job_id, {"read": failing})
        manifest = store.manifest(job_id)
        assert manifest.failed_domains == ["moves"]
        (missing,) = manifest.missing_keys
        assert missing.first <= "k05" <= missing.last
        rows = rows_of(store, job_id)["moves"]
        assert rows == Counter(row for row in MOVES if not missing.first <= row[0] <= missing.last)


def test_a_chunk_ends_where_a_key_does(store, path):
    job_id = submitted(store, path)
    run(store, job_id)
    entries = store.journal(job_id, 0, 999)
    moves = [entry for entry in entries if entry.chunk.domain == "moves"]
    reader, seen, last = ResultReader(store, job_id), set(), None
    for entry in moves:
        keys = [row["cid"] for row in json.loads(reader.read(entry.chunk))]
        assert len(keys) <= 6
        assert entry.domains["moves"].last_key == keys[-1]
        if last is not None and last.domains["moves"].ends_key:
            assert not seen & set(keys), "a key goes on in the chunk after the one that ended it"
        seen |= set(keys)
        last = entry
    assert sum(not entry.domains["moves"].ends_key for entry in moves) == 4, "only the big key is cut"


# -- fenced


def test_a_late_writer_is_fenced_off(store, path):
    reached, go_on = Event(), Event()

    def slow(work, path):
        reader = read(work, path)
        take = reader._take

        def pausing():
            if reached.is_set():
                go_on.wait(10)
            item = take()
            if reader.manifests[work.domains[0]].rows > 20:
                reached.set()
            return item

        reader._take = pausing
        return reader

    job_id = submitted(store, path)
    outcomes = []
    late = Thread(target=lambda: outcomes.append(run(store, job_id, {"read": slow})))
    late.start()
    assert reached.wait(10)
    store.release(Lease(job_id, "worker", 1))  # as if its lease had run out
    assert run(store, job_id) == "finished"
    manifest = store.manifest(job_id)
    go_on.set()
    late.join()
    assert outcomes == ["not ours"]
    assert store.manifest(job_id) == manifest
    assert_whole(store, job_id)


def test_a_job_that_cannot_be_read_keeps_no_other_from_running(store, path, caplog):
    damaged, whole = submitted(store, path), submitted(store, path)
    (name,) = store.objects.names(f"{damaged}/facts")[-1:]
    store.objects.replace(f"{damaged}/facts/{name}", b"00000000{}")
    assert [job_id for job_id, _ in waiting_jobs(store)] == [whole]
    assert f"job {damaged} cannot be looked at" in caplog.text


def test_a_result_that_cannot_be_read_keeps_no_other_job_from_running(store, path, caplog):
    damaged, whole = submitted(store, path), submitted(store, path)
    lease = store.acquire(damaged, "worker")
    store.release(lease)
    store.objects.create(f"{damaged}/results/00000001", b"00000000{}")
    with pytest.raises(CorruptChunk):
        store.manifest(damaged)
    assert [job_id for job_id, _ in waiting_jobs(store)] == [whole]
    assert f"job {damaged} cannot be looked at" in caplog.text


def test_two_workers_at_one_job_give_one_result(store, path):
    job_id = submitted(store, path)
    outcomes = []
    workers = [Thread(target=lambda: outcomes.append(run(store, job_id))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(outcomes) == ["finished", "not ours", "not ours", "not ours"]
    assert_whole(store, job_id)


def test_a_store_that_forgot_the_job_makes_it_lost(store, path, tmp_path):
    job_id = submitted(store, path)

    def forgetting(work, path):
        store.delete(job_id)
        return read(work, path)

    assert run(store, job_id, {"read": forgetting}) == "lost"
    facts = store.facts(job_id)
    assert (facts["status"], facts["code"]) == ("lost", "lost")
    assert run(store, job_id) == "not ours"
    with pytest.raises(JobNotFound):
        store.facts(new_job_id())


# -- how it ends


def test_the_manifest_comes_before_the_word_and_after_every_chunk(store, path):
    order = []

    class Listening(Mortal):
        def __getattr__(self, name):
            if name in {"append", "finish", "change"}:
                order.append(name)
            return super().__getattr__(name)

    job_id = submitted(store, path)
    run(Listening(store, 10**9, Killed), job_id)
    assert order.count("finish") == 1
    assert order[-2:] == ["finish", "change"]


def test_a_manifest_without_the_last_word_is_finished(store, path):
    job_id = submitted(store, path)
    run(store, job_id)
    version = max(store.objects.names(f"{job_id}/facts"))
    store.objects.remove(f"{job_id}/facts/{version}")  # killed between the manifest and the status
    assert store.facts(job_id)["status"] == "started"
    assert run(store, job_id) == "not ours"
    assert_whole(store, job_id)


def asking(stop, reason):
    """Make a function whose read asks for a stop after some rows."""

    def stopping(work, path):
        reader = read(work, path)
        take = reader._take

        def counted():
            if reader.manifests[work.domains[0]].rows > 20:
                stop.ask(reason)
            return take()

        reader._take = counted
        return reader

    return stopping


@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [("cancel", "cancelled", ""), ("timeout", "failed", "job-timeout"), ("shutdown", "queued", "")],
)
def test_a_request_to_stop_is_heard_at_the_next_batch(store, path, reason, status, code):
    stop = Stop()
    job_id = submitted(store, path)
    assert run(store, job_id, {"read": asking(stop, reason)}, stop=stop) == status
    facts = store.facts(job_id)
    assert (facts["status"], facts.get("code", "")) == (status, code)
    if reason == "shutdown":
        entries = store.journal(job_id, 0, 999)
        assert entries[-1].domains["moves"].ends_key
        assert run(store, job_id) == "finished"
        assert_whole(store, job_id)
        assert store.facts(job_id)["interruption"] == "worker-stopped"


def test_the_workers_settings_must_be_those_of_the_submitter(store, path):
    job_id = submitted(store, path, settings={"zone": "Asia/Taipei"})
    assert run(store, job_id, settings={"zone": "UTC"}) == "failed"
    facts = store.facts(job_id)
    assert facts["code"] == "invalid-job"
    assert facts["error"] == "zone is 'Asia/Taipei' where the job was submitted and 'UTC' here"
    job_id = submitted(store, path, settings={"zone": "UTC"})
    assert run(store, job_id, settings={"zone": "UTC", "more": 1}) == "finished"


def test_a_function_that_is_not_allowed_here_fails_the_job(store, path):
    job_id = submitted(store, path)
    assert run(store, job_id, FUNCTIONS) == "failed"
    assert store.facts(job_id)["error"].startswith("the function 'read' is not allowed; allowed are events")


def test_a_function_may_not_read_other_domains(store, path):
    def other(work, path):
        return TRACE.read(lambda: sqlite3.connect(path), work.keys, ["holds"])

    job_id = submitted(store, path)
    assert run(store, job_id, {"read": other}) == "failed"
    assert "read reads holds, not moves" in store.facts(job_id)["error"]


def test_keys_of_a_lost_part_fail_the_job(store, path):
    job_id = submitted(store, path)
    store.objects.remove(f"{job_id}/keys/00000000")
    assert run(store, job_id) == "failed"
    assert store.facts(job_id)["code"] == "chunk-lost"


def test_columns_that_changed_before_a_retry_fail_the_job(store, path):
    stop = Stop()
    job_id = submitted(store, path)
    assert run(store, job_id, {"read": asking(stop, "shutdown")}, stop=stop) == "queued"
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("alter table moves add column more text")
        con.execute("insert into moves values ('k29', 999, 'late')")
    assert run(store, job_id) == "failed"
    assert store.facts(job_id)["code"] == "schema-changed"


def test_integer_keys_are_read_and_resumed(tmp_path, store):
    path = str(tmp_path / "ints.db")
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table moves (cid int, n int)")
        con.executemany("insert into moves values (?, ?)", [(n % 50, n) for n in range(200)])
    job_id = submitted(store, path, keys=list(range(40)), domains=("moves",))
    with pytest.raises(Killed):
        run(Mortal(store, 40, Killed), job_id)
    store.release(Lease(job_id, "worker", 1))
    assert run(store, job_id) == "finished"
    assert rows_of(store, job_id) == {"moves": Counter((n % 50, n) for n in range(200) if n % 50 < 40)}


# -- split by keys


def split(store, path, shards=3):
    """Submit a job in shards, none of them run."""

    class Waiting(LocalJobs):
        def start(self):
            pass

    arguments = {"path": path}
    spec = JobSpec(function="read", domains=DOMAINS[:2], arguments=arguments, batch_size=6, shards=shards)
    with Waiting({"read": read}, store, app="nowhere:jobs") as jobs:
        job_id = jobs.submit(spec, KEYS).job_id
    return job_id, store.facts(job_id)["children"].split(",")


def assert_joined(store, job_id):
    assert store.facts(job_id)["status"] == "finished"
    assert rows_of(store, job_id) == {domain: EXPECTED[domain] for domain in DOMAINS[:2]}
    keys = [row["cid"] for row in json.loads(b"".join(ResultReader(store, job_id).page("moves").data))]
    assert keys == sorted(keys)
    with follow_store(store, job_id) as stream:  # checks the joined checksums
        assert sum(len(records.rows) for records in stream) == sum(EXPECTED[domain].total() for domain in DOMAINS[:2])
    assert stream.aggregation["total"] == sum(n for _, n in MOVES)


@pytest.mark.parametrize("shards", [1, 3, 40])
def test_the_parts_of_a_job_are_joined(store, path, shards):
    job_id, children = split(store, path, shards) if shards > 1 else (submitted(store, path, domains=DOMAINS[:2]), [])
    assert len(children) == (min(shards, len(KEYS)) if shards > 1 else 0)
    assert {found for found, _ in waiting_jobs(store)} == set(children or [job_id])
    for child in children:
        assert run(store, child) == "finished"
    assert [found for found, _ in waiting_jobs(store)] == [job_id]
    assert run(store, job_id) == "finished"
    assert_joined(store, job_id)
    assert list(store.job_ids()) == [job_id]


@pytest.mark.parametrize("status", ["failed", "cancelled", "lost"])
def test_a_job_of_which_a_part_ended_otherwise_ends_like_it(store, path, status):
    job_id, children = split(store, path)
    for child in children[1:]:
        run(store, child)
    store.change(children[0], ending(status, "some-code", "some words"))
    assert [found for found, _ in waiting_jobs(store)] == [job_id]
    assert run(store, job_id) == status
    facts = store.facts(job_id)
    assert (facts["status"], facts["code"], facts["error"]) == (status, "some-code", "some words")


def test_a_job_of_which_a_part_is_gone_is_lost(store, path):
    job_id, children = split(store, path)
    for child in children[1:]:
        run(store, child)
    store.delete(children[0])
    assert run(store, job_id) == "lost"


def test_a_job_of_which_a_part_has_not_ended_is_not_joined(store, path):
    job_id, children = split(store, path)
    for child in children[1:]:
        run(store, child)
    assert run(store, job_id) == "failed"
    assert store.facts(job_id)["error"] == f"job {children[0]}, a shard of this one, is queued"


def test_a_shard_whose_journal_is_shorter_than_its_manifest_says_is_no_smaller_result(valkey, path):
    pytest.importorskip("redis")
    from mesbatch.store.redis import RedisStore

    with RedisStore(valkey.url, lease_seconds=60) as store:  # an evicting server forgets whole keys
        job_id, children = split(store, path)
        for child in children:
            assert run(store, child) == "finished"
        assert store._server.client.delete(f"mes_wip:trace:job:{children[1]}:journal")
        assert run(store, job_id) == "failed"
        facts = store.facts(job_id)
        assert (facts["status"], facts["code"]) == ("failed", "chunk-lost")
