"""Counts that are computed at the end of a job, from the rows that it stored."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest

from mesbatch import Query, Trace
from mesbatch.errors import InvalidPage, NotIndexed
from mesbatch.jobs import JobSpec, LocalJobs
from mesbatch.jobs.function import Work
from mesbatch.jobs.run import run_job
from mesbatch.jobs.stop import Stop
from mesbatch.store import DirectoryStore, ResultReader
from tests.jobs.functions import expected
from tests.jobs.rig import (
    horse_of,
    is_alive,
    kill,
    rows_of,
    spec,
    until,
    wait_for_end,
)

pytestmark = pytest.mark.slow

FOUND_SECONDS = 20.0


def assert_concluded(rig, job_id, database):
    job = wait_for_end(rig.jobs, job_id)
    assert (job.status, job.error) == ("finished", None)
    rows = expected(database)
    assert rows_of(rig.jobs, job_id) == rows
    neighbours = {f"c{int(key[1:]) + 1:04d}" for key, _ in rows["holds"]}
    moves = Counter(row[0] for row in rows["moves"].elements() if row[0] in neighbours)
    found = json.loads(rig.jobs.result(job_id).aggregation())
    assert found.pop("rows") == {domain: one.total() for domain, one in rows.items()}, "the counts stand beside it"
    assert found.pop("total") > 0
    assert found == {"held": rows["holds"].total(), "moves": moves.total(), "first": min(moves)}


@pytest.mark.parametrize("shards", [1, 3])
def test_a_job_concludes_from_its_finished_domains(rig, database, shards):
    rig.start_worker()
    assert_concluded(rig, rig.submit(spec(database, "concluding", shards=shards)), database)


@pytest.mark.parametrize("victim", ["horse", "worker"])
def test_a_job_whose_processes_are_killed_as_it_concludes_concludes_again(rig, database, victim):
    worker = rig.start_worker()
    job_id = rig.submit(spec(database, "concluding", nap=0.001))
    until(lambda: rig.jobs.get(job_id).progress.get("percent") == 100.0)
    time.sleep(0.3)
    horse = horse_of(rig.jobs, job_id)
    assert rig.jobs.get(job_id).status == "started", "it concludes"
    if victim == "horse":
        kill(horse)
    else:
        worker.kill()
        worker.wait()
        until(lambda: not is_alive(horse), 1.0, "the end of the orphan")
        rig.start_worker()
    until(lambda: rig.jobs.get(job_id).ended or horse_of(rig.jobs, job_id) != horse, FOUND_SECONDS, "another worker")
    assert_concluded(rig, job_id, database)
    assert rig.jobs.get(job_id).attempt == 2


def test_a_job_that_concludes_can_be_cancelled(rig, database):
    rig.start_worker()
    job_id = rig.submit(spec(database, "concluding", nap=0.005))
    until(lambda: rig.jobs.get(job_id).progress.get("percent") == 100.0)
    rig.jobs.cancel(job_id)
    begin = time.monotonic()
    assert wait_for_end(rig.jobs, job_id).status == "cancelled"
    assert time.monotonic() - begin < 3


# -- in this process


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as con, con:
        con.execute("create table moves (k text, n int)")
        con.execute("create table holds (k text, n int)")
        for table in ("moves", "holds"):
            con.executemany(f"insert into {table} values (?, ?)", [(f"k{n % 9}", n) for n in range(90)])
    return str(tmp_path / "t.db")


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(tmp_path / "store", lease_seconds=60)


class Waiting(LocalJobs):
    """Jobs that are accepted, and not run."""

    def start(self):
        pass


def submitted(store, function, **more):
    with Waiting({"read": function}, store, app="nowhere:jobs") as jobs:
        spec = JobSpec(**{"function": "read", "domains": ("moves", "holds"), "batch_size": 7, **more})
        return jobs.submit(spec, [f"k{n}" for n in range(8)]).job_id


def reading(path, look):
    """A job's function that calls *look* with its work, and counts the statements that reach the database."""
    statements = []
    trace = Trace({domain: Query(f"select * from {domain} where k in (:keys)") for domain in ("moves", "holds")})

    def connect():
        con = sqlite3.connect(path, check_same_thread=False)
        con.set_trace_callback(statements.append)
        return con

    def read(work):
        look(work)
        return trace.read(connect, work.keys, work.domains, batch_size=5)

    return read, statements


def test_a_function_looks_up_the_domain_before_its_own(store, path):
    seen = []

    def look(work):
        if work.domains == ("holds",):
            seen.append(sorted(n for _, (_, n) in work.rows("moves", ["k1", "k3"])))
            with pytest.raises(InvalidPage, match="there is no domain 'holds'"):
                work.rows("holds", ["k1"])
        else:
            with pytest.raises(InvalidPage):
                work.rows("moves", ["k1"])

    read, _ = reading(path, look)
    job_id = submitted(store, read)
    assert run_job(store, job_id, {"read": read}, "worker") == "finished", store.facts(job_id)["error"]
    assert seen == [[n for n in range(90) if n % 9 in (1, 3)]]


def test_a_second_pass_reads_chunks_and_not_the_database(store, path):
    passes = []

    def conclude(work):
        before = len(statements)
        passes.extend(sum(n for _, (_, n) in work.rows("moves", work.keys)) for _ in range(3))
        return {"asked": len(statements) - before, "domains": list(work.domains), "keys": len(work.keys)}

    read, statements = reading(path, lambda work: work.conclude(conclude))
    job_id = submitted(store, read)
    assert run_job(store, job_id, {"read": read}, "worker") == "finished"
    assert passes == [sum(n for n in range(90) if n % 9 != 8)] * 3
    found = json.loads(ResultReader(store, job_id).aggregation())
    assert found == {"asked": 0, "domains": ["moves", "holds"], "keys": 8}
    assert statements


def test_a_conclusion_that_fails_fails_the_job(store, path):
    def conclude(work):
        return {"found": list(work.rows("no_such", ["k1"]))}

    read, _ = reading(path, lambda work: work.conclude(conclude))
    job_id = submitted(store, read)
    assert run_job(store, job_id, {"read": read}, "worker") == "failed"
    assert "there is no domain 'no_such'" in store.facts(job_id)["error"]


def test_a_conclusion_stops_at_a_chunk(store, path):
    stop, seen = Stop(), []

    def conclude(work):
        for key, _ in work.rows("moves", work.keys):
            seen.append(key)
            stop.ask("cancel")
        return {}

    read, _ = reading(path, lambda work: work.conclude(conclude))
    job_id = submitted(store, read)
    assert run_job(store, job_id, {"read": read}, "worker", stop=stop) == "cancelled"
    assert 0 < len(seen) <= 10, "of 80"


def test_without_a_job_nothing_is_looked_up_or_concluded():
    work = Work([], ("moves",), 1, "raise", lambda make: None)
    with pytest.raises(NotIndexed, match="only a job stores them"):
        work.rows("moves", ["k1"])
    with pytest.raises(NotIndexed, match="only a job stores them"):
        work.conclude(lambda finished: {})
