"""Jobs of RQ: queues without listeners, payloads that were tampered with, jobs that nobody resumes."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

pytest.importorskip("rq")
pytest.importorskip("redis")

from click.testing import CliRunner
from rq import Worker
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer

from mesbatch.cli import main
from mesbatch.cli.options import parse_size
from mesbatch.errors import NoWorker
from mesbatch.jobs.job import ending
from mesbatch.jobs.rq import RQJobs
from mesbatch.jobs.rq_worker import JobWorker
from tests.jobs.functions import FUNCTIONS, KEYS, expected
from tests.jobs.rig import (
    COMMAND,
    LEASE_SECONDS,
    RqRig,
    horse_of,
    rows_of,
    running,
    spec,
    until,
    wait_for_end,
    wait_for_rows,
)
from tests.rig.postgres import RigUnavailable
from tests.rig.valkey import PrivateValkey


@pytest.fixture
def rig(tmp_path, valkey):
    yield from running(RqRig(tmp_path, valkey))


def test_a_job_whose_shards_are_being_joined_by_the_worker_of_one_is_cancelled_though_rq_does_not_know_it(
    rig, database
):
    rig.jobs.listening.beat("nobody")
    job_id = rig.submit(spec(database, shards=2))
    lease = rig.jobs.store.acquire(job_id, "the worker of a shard")
    rig.jobs.store.change(job_id, {"status": "started", "token": str(lease.token)})
    assert rig.jobs.cancel(job_id).cancelling


def test_a_queue_without_a_listener_accepts_no_job(rig, database):
    with pytest.raises(NoWorker, match=f"no worker listens on the queue '{rig.jobs.queue.name}'"):
        rig.submit(spec(database))
    worker = rig.start_worker()
    others = RQJobs(FUNCTIONS, rig.jobs.store, app="x:jobs", url=rig.url, queue="another")
    with others, pytest.raises(NoWorker, match="'another'"):
        others.submit(spec(database), KEYS)
    wait_for_end(rig.jobs, rig.submit(spec(database)))
    worker.terminate()
    until(lambda: not rig.jobs.listening.workers(), 5, "the farewell")
    assert worker.wait(10) == 0
    with pytest.raises(NoWorker):
        rig.submit(spec(database))


def test_a_worker_that_was_killed_is_not_believed_in_for_long(rig, monkeypatch):
    monkeypatch.setattr("mesbatch.jobs.listening.LISTENING_SECONDS", 1)
    rig.jobs.listening.beat("worker")
    assert rig.jobs.listening.workers() == ["worker"]
    until(lambda: not rig.jobs.listening.workers(), 4, "the end of its word")


TAMPERED = [
    b"\x80\x04\x95 pickled",
    b"no JSON",
    json.dumps(["os.system", None, ["touch {proof}"], {}]).encode(),
    json.dumps(["builtins.eval", None, ["1"], {}]).encode(),
    json.dumps(["mesbatch.jobs", None, ["../../etc/passwd"], {}]).encode(),
    json.dumps(["mesbatch.jobs", None, [], {}]).encode(),
    json.dumps(["mesbatch.jobs", None, [{"a": 1}], {}]).encode(),
]


def test_a_payload_that_was_tampered_with_calls_nothing(rig, database, tmp_path):
    worker = rig.start_worker()
    proof = tmp_path / "proof"
    for number, data in enumerate(TAMPERED):
        rq_job = RqJob.create("x", id=f"tampered-{number}", connection=rig.jobs.connection, serializer=JSONSerializer)
        rq_job.origin, rq_job._data = rig.jobs.queue.name, data.replace(b"{proof}", str(proof).encode())
        rq_job._success_callback_name = rq_job._failure_callback_name = "os.abort"
        rq_job.save()
        rig.jobs.connection.rpush(rig.jobs.queue.key, rq_job.id)
    job_id = rig.submit(spec(database))
    assert wait_for_end(rig.jobs, job_id).status == "finished"
    assert not proof.exists()
    assert worker.poll() is None


def test_a_job_that_was_taken_out_of_the_queue_and_not_begun_is_found(rig, database):
    rig.start_worker()
    first = rig.submit(spec(database, nap=0.0003))
    until(lambda: rig.jobs.get(first).status == "started")
    job_id = rig.submit(spec(database))
    assert rig.jobs.connection.lpop(rig.jobs.queue.key)
    assert wait_for_end(rig.jobs, job_id, 30).status == "finished"
    assert rows_of(rig.jobs, job_id) == expected(database)


def test_a_job_whose_worker_is_gone_is_lost_when_nobody_goes_on(rig, database, monkeypatch):
    worker = rig.start_worker()
    job_id = rig.submit(spec(database, nap=0.001))
    wait_for_rows(rig.jobs, job_id)
    worker.kill()
    rig.stop_workers()
    monkeypatch.setattr("mesbatch.jobs.rq.LOST_SECONDS", 0.5)
    assert rig.jobs.get(job_id).status == "started", "its lease has not run out"
    job = wait_for_end(rig.jobs, job_id, 10)
    assert (job.status, job.code) == ("lost", "lost")
    rig.start_worker()
    time.sleep(0.5)
    assert rig.jobs.get(job_id).status == "lost"


def test_a_job_that_a_worker_holds_is_not_lost_though_none_is_believed_to_listen(rig, database, monkeypatch):
    monkeypatch.setattr("mesbatch.jobs.rq.LOST_SECONDS", -1)
    rig.jobs.listening.beat("busy")
    job_id = rig.submit(spec(database, profile="held"))  # a job that no other test submits
    lease = rig.jobs.store.acquire(job_id, "busy")
    rig.jobs.store.change(job_id, {"status": "started", "token": str(lease.token)})
    rig.jobs.listening.leave("busy")
    assert [rig.jobs.get(job_id).status for _ in range(3)] == ["started"] * 3


def test_closing_closes_the_connections_that_it_made(rig):
    name = f"of-{rig.jobs.queue.name}"

    def connected():
        return [one for one in rig.jobs.connection.client_list() if one["name"] == name]

    with RQJobs(FUNCTIONS, rig.jobs.store, app="x:jobs", url=f"{rig.url}?client_name={name}") as jobs:
        assert jobs.listening.workers() == []
        assert connected()
    until(lambda: not connected(), 5, "their end")


def test_what_a_dead_worker_left_is_told_by_rq_and_decided_by_us(rig, database):
    rig.start_worker()
    job_id = rig.submit(spec(database, nap=0.001))
    wait_for_rows(rig.jobs, job_id)
    rq_id = rig.jobs.store.facts(job_id)["rq_id"]
    RqJob.fetch(rq_id, connection=rig.jobs.connection, serializer=JSONSerializer).cancel()
    assert rig.jobs.get(job_id).status == "started"
    assert horse_of(rig.jobs, job_id)
    rig.jobs.store.change(job_id, ending("cancelled"))
    time.sleep(0.2)
    assert rig.jobs.get(job_id).status == "cancelled"


def test_a_redis_that_is_silent_for_longer_than_a_lease_is_waited_for(tmp_path, database):
    try:
        with PrivateValkey() as server:
            for rig in running(RqRig(tmp_path, server)):
                rig.start_worker()
                job_id = rig.submit(spec(database, nap=0.0003))
                wait_for_rows(rig.jobs, job_id)
                server.pause()
                time.sleep(LEASE_SECONDS + 0.5)
                server.resume()
                assert wait_for_end(rig.jobs, job_id).status == "finished"
                assert rows_of(rig.jobs, job_id) == expected(database)
    except RigUnavailable as error:
        pytest.skip(str(error))


def test_a_size_is_read_with_its_unit():
    assert parse_size(None, None, "512MiB") == 512 * 2**20
    assert parse_size(None, None, "2 GiB") == 2 * 2**30
    assert parse_size(None, None, "1000") == 1000
    assert parse_size(None, None, None) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--app", "nowhere:jobs"], "cannot be imported"),
        (["--app", "tests.jobs.functions:FUNCTIONS"], "must be jobs"),
        (["--app", "mesbatch"], "module:object"),
        (["--app", "nowhere:jobs", "--memory-limit", "much"], "is no size"),
        ([], "Missing option '--app'"),
    ],
)
def test_a_worker_that_cannot_start_says_why(arguments, words, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    result = CliRunner().invoke(main, ["worker", *arguments])
    assert result.exit_code == 2
    assert words in result.output


def test_the_worker_is_a_command_of_its_own():
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "worker", "--help"], capture_output=True, text=True, check=True
    )
    assert "until SIGTERM" in done.stdout


def test_a_work_horse_is_forked_while_the_watch_is_at_rest(rig, monkeypatch):
    worker = JobWorker(rig.jobs)
    seen = []
    monkeypatch.setattr(Worker, "fork_work_horse", lambda *_: seen.append(worker._watch.at_rest.locked()))
    worker.fork_work_horse(None, None)
    assert seen == [True]
    assert not worker._watch.at_rest.locked()


def test_jobs_that_come_one_after_the_other_are_all_taken(rig, database):
    rig.start_worker()
    for _ in range(15):  # each takes its job at the moment when the watch looks for others
        job_id = rig.submit(spec(database))
        assert wait_for_end(rig.jobs, job_id, 10).status == "finished"
