"""Domains whose rows prove no key: restarted while nothing is published, and never read a second time after that."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from contextlib import closing
from threading import Thread

import pytest

from mesbatch import Query, Trace
from mesbatch.client import follow_store
from mesbatch.errors import JobFailed, NotSplittable, StatementError
from mesbatch.jobs import JobSpec
from mesbatch.jobs.job import first_facts
from mesbatch.jobs.run import run_job
from mesbatch.store import DirectoryStore, Lease, new_job_id, store_keys
from tests.jobs.rig import LocalRig, horse_of, is_alive, kill, published, running, until, wait_for_end
from tests.rig.servers import server_or_skip

KEYS = [f"k{n:03}" for n in range(200)]
# The output `cid` is another column than the filter's.
ROWS = [(key, KEYS[-1 - n], 10 * n + m) for n, key in enumerate(KEYS) for m in range(10)]
WRONG = "select nxt as cid, n from moves where cid in (:keys)"


class Killed(BaseException):
    """The end of a process, as by a signal."""


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as con, con:
        con.execute("create table moves (cid text, nxt text, n int)")
        con.execute("create table holds (cid text, n int)")
        con.executemany("insert into moves values (?, ?, ?)", ROWS)
        con.executemany("insert into holds values (?, 1)", [(key,) for key in KEYS])
    return str(tmp_path / "t.db")


@pytest.fixture(params=["directory", "redis-server", "valkey"])
def store(request, tmp_path):
    if request.param == "directory":
        yield DirectoryStore(tmp_path / "jobs", lease_seconds=60)
        return
    with server_or_skip(request.param) as server:
        from mesbatch.store.redis import RedisStore

        with RedisStore(server.url, lease_seconds=60) as store:
            yield store


def read(work, path):
    trace = Trace({"moves": Query(WRONG), "holds": Query("select * from holds where cid in (:keys)")})
    return trace.read(lambda: sqlite3.connect(path), work.keys, work.domains, max_bytes=work.max_bytes, batch_size=40)


def dying_after(append, store):
    """Make a store whose worker dies with its *append*-th chunk."""

    class Dying:
        count = 0

        def __getattr__(self, name):
            return getattr(store, name)

        def append(self, *arguments):
            self.count += 1
            if self.count > append:
                raise Killed
            return store.append(*arguments)

    return Dying()


def submitted(store, path, **more):
    spec = JobSpec(function="read", domains=("holds", "moves"), arguments={"path": path}, batch_size=100, **more)
    job_id = new_job_id()
    store.create(job_id, first_facts(spec, len(KEYS), time.time()))
    handle = store_keys(store, job_id, KEYS)
    store.change(job_id, {"keys": json.dumps({"job_id": job_id, "count": handle.count, "parts": handle.parts})})
    return job_id


def run(store, job_id):
    return run_job(store, job_id, {"read": read}, "worker")


def killed(store, job_id, append):
    with pytest.raises(Killed):
        run(dying_after(append, store), job_id)
    store.release(Lease(job_id, "worker", int(store.facts(job_id)["token"])))


def test_a_domain_is_restarted_when_its_worker_died_before_its_first_chunk(store, path):
    job_id = submitted(store, path)
    killed(store, job_id, 2)  # both of the first domain
    assert run(store, job_id) == "finished"
    rows = Counter(row["n"] for one in follow_store(store, job_id) if one.domain == "moves" for row in one.rows)
    assert rows == Counter(n for _, _, n in ROWS)
    account = store.manifest(job_id).domains["moves"]
    assert "name it with key=" in account.one_statement
    assert store.manifest(job_id).domains["holds"].one_statement is None


@pytest.mark.parametrize("append", [3, 7])
def test_a_domain_of_which_something_is_published_ends_the_job(store, path, append):
    job_id, came = submitted(store, path), []

    def follow():
        try:
            came.extend(row["n"] for one in follow_store(store, job_id) if one.domain == "moves" for row in one.rows)
        except JobFailed as error:
            came.append(error)

    killed(store, job_id, append)
    before = store.journal(job_id, 0, 99)
    follower = Thread(target=follow)
    follower.start()
    until(follower.is_alive)
    assert run(store, job_id) == "failed"
    follower.join(10)
    facts = store.facts(job_id)
    assert (facts["status"], facts["code"]) == ("failed", "not-resumable")
    assert "where no other can go on" in facts["error"]
    assert store.manifest(job_id) is None
    assert store.journal(job_id, 0, 99) == before, "no chunk was published a second time"
    assert isinstance(came[-1], JobFailed)
    assert len(came) - 1 == len(set(came[:-1]))
    again = submitted(store, path)
    assert run(store, again) == "finished"


def test_a_domain_that_had_come_to_its_end_is_not_read_again(store, path):
    job_id = submitted(store, path)
    counting = dying_after(10**9, store)
    assert run(counting, job_id) == "finished"
    job_id = submitted(store, path)

    class Unfinished:
        def __getattr__(self, name):
            return getattr(store, name)

        def finish(self, *_):
            raise Killed

    with pytest.raises(Killed):
        run(Unfinished(), job_id)
    store.release(Lease(job_id, "worker", int(store.facts(job_id)["token"])))
    assert run(store, job_id) == "finished"
    assert store.manifest(job_id).domains["moves"].rows == len(ROWS)


def test_its_keys_are_not_split_over_shards(store, path):
    job_id = submitted(store, path)
    store.change(job_id, {"parent": new_job_id()})
    assert run(store, job_id) == "failed"
    facts = store.facts(job_id)
    assert facts["code"] == "invalid-job"
    assert "'moves' cannot have shards" in facts["error"]


WRONG_APP = """
import sqlite3, time
from mesbatch import Query, Trace
from mesbatch.jobs import LocalJobs
from mesbatch.store import DirectoryStore

def connect(path):
    con = sqlite3.connect(path, check_same_thread=False)
    con.create_function("nap", 1, lambda seconds: time.sleep(seconds) or 1)
    return con

def read(work, path):
    trace = Trace({{"moves": Query("select nxt as cid, n from moves where cid in (:keys) and nap(0.0005)")}})
    return trace.read(lambda: connect(path), work.keys, work.domains, max_bytes=work.max_bytes, batch_size=40)

def make(memory_limit=None):
    return LocalJobs({{"read": read}}, DirectoryStore({directory!r}, lease_seconds={lease!r}), app="{module}:jobs")

jobs = make()
"""


@pytest.fixture
def rig(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.jobs.rig.LOCAL", WRONG_APP)
    yield from running(LocalRig(tmp_path))


@pytest.mark.parametrize("published_before", [False, True])
def test_a_process_that_is_killed_loses_doubles_and_changes_no_row(rig, path, published_before):
    rig.start_worker()
    spec = JobSpec(function="read", domains=("moves",), arguments={"path": path}, batch_size=100)
    job_id = rig.submit(spec, KEYS)
    until(lambda: published(rig.jobs, job_id) if published_before else rig.jobs.get(job_id).attempt, 20)
    process = horse_of(rig.jobs, job_id)
    kill(process)
    until(lambda: not is_alive(process))
    came = published(rig.jobs, job_id)
    job = wait_for_end(rig.jobs, job_id, 30)
    if came:
        assert (job.status, job.code) == ("failed", "not-resumable")
        with pytest.raises(JobFailed, match="where no other can go on"):
            list(follow_store(rig.jobs.store, job_id))
    else:
        rows = Counter(row["n"] for one in follow_store(rig.jobs.store, job_id) for row in one.rows)
        assert rows == Counter(n for _, _, n in ROWS)


def test_a_query_of_a_trace_may_be_sworn_to_be_splittable(path):
    con = sqlite3.connect(path)
    sql = "select cid, n from moves where cid in (:keys) limit 1000000"
    with pytest.raises(NotSplittable):
        list(Trace({"moves": Query(sql, strategy="in-list")}).read(con, KEYS * 2, max_bytes=2**16, parallel=1))
    trace = Trace({"moves": Query(sql, splittable=True, strategy="in-list")})
    assert sum(batch.num_rows for _, batch in trace.read(con, KEYS)) == len(ROWS)
    con.close()


def test_a_scan_cannot_be_split():
    with pytest.raises(StatementError, match="one scan"):
        Query("select * from scan", key="cids", separator=",", splittable=True)
