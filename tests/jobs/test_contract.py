"""The contract of every backend of jobs, with real workers that are killed for real."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter

import pytest

from mesbatch.client import follow_store
from mesbatch.errors import ChunkLost, JobNotComplete, JobNotFound, StatusConflict
from mesbatch.units import MiB
from tests.jobs.functions import KEYS, expected
from tests.jobs.rig import (
    horse_of,
    is_alive,
    kill,
    published,
    rows_of,
    spec,
    until,
    wait_for_end,
    wait_for_rows,
)

pytestmark = pytest.mark.slow

NAP = 0.0002  # seconds a row: a job takes about 2 s
FOUND_SECONDS = 20.0  # a dead worker, by the next, however busy this machine is


def assert_whole(rig, job_id, database):
    job = rig.jobs.get(job_id)
    assert (job.status, job.code, job.error) == ("finished", None, None)
    rows = rows_of(rig.jobs, job_id)
    assert rows == expected(database)
    counted = {domain: found.total() for domain, found in rows.items()}
    total = sum(row[1] for row in rows["moves"].elements())
    assert rig.jobs.result(job_id).aggregation() == (
        f'{{"rows":{{"moves":{counted["moves"]},"holds":{counted["holds"]}}},"total":{total}}}'.encode()
    )


def is_there(jobs, job_id):
    try:
        return bool(jobs.get(job_id))
    except JobNotFound:
        return False


# -- the ordinary course


@pytest.mark.parametrize("order", ["key", "any"])
def test_a_job_is_followed_to_its_end_and_read_page_by_page(rig, database, order):
    rig.start_worker()
    job_id = rig.submit(spec(database, nap=NAP, order=order, profile="mid_section_defect"))
    seen = []

    def ended():
        seen.append(rig.jobs.get(job_id))
        return seen[-1].ended

    until(ended, 30)
    assert_whole(rig, job_id, database)
    assert list(dict.fromkeys(job.status for job in seen)) in (
        ["queued", "started", "finished"],
        ["started", "finished"],
    )
    for name in ("percent", "keys", "rows", "bytes"):
        values = [job.progress.get(name, 0) for job in seen]
        assert values == sorted(values), f"{name} went back"
        assert values[-1] > 0
    assert len({job.progress.get("rows") for job in seen}) > 2, "progress was shown on the way"
    job = seen[-1].as_json()
    assert job["progress"]["percent"] == 100.0
    assert job["progress"]["domains"]["moves"]["keys"] == job["cid_count"] == len(KEYS)
    assert (job["profile"], job["domains"], job["error"]) == ("mid_section_defect", ["moves", "holds"], None)


@pytest.mark.parametrize("shards", [3])
def test_a_job_that_was_split_by_keys_is_joined_in_their_order(rig, database, shards):
    rig.start_worker()
    job_id = rig.submit(spec(database, nap=NAP / 4, shards=shards))
    seen_children, seen = rig.jobs.store.facts(job_id)["children"].split(","), []
    assert len(seen_children) == shards

    def ended():
        seen.append(rig.jobs.get(job_id))
        return seen[-1].ended

    until(ended, 60)
    assert_whole(rig, job_id, database)
    for name in ("percent", "keys", "rows", "bytes"):
        values = [job.progress[name] for job in seen if job.progress]
        assert values == sorted(values), f"{name} went back"
    assert "started" in {job.status for job in seen}
    with follow_store(rig.jobs.store, job_id) as stream:
        assert sum(len(records.rows) for records in stream) == sum(map(Counter.total, expected(database).values()))
    until(lambda: not any(is_there(rig.jobs, child) for child in seen_children), 5, "the end of the parts")


def test_a_split_job_is_cancelled_with_its_parts(rig, database):
    rig.start_worker()
    job_id = rig.submit(spec(database, nap=0.01, shards=3))
    children = rig.jobs.store.facts(job_id)["children"].split(",")
    until(lambda: rig.jobs.get(job_id).status == "started")
    rig.jobs.cancel(job_id)
    until(lambda: all(rig.jobs.get(child).status == "cancelled" for child in children), 20)
    assert rig.jobs.get(job_id).status == "cancelled"


def test_a_split_job_fails_with_the_first_of_its_parts(rig, database):
    rig.start_worker()
    job = wait_for_end(rig.jobs, rig.submit(spec(database, "broken", shards=2)))
    assert (job.status, job.code, job.error) == ("failed", "job-failed", "the job failed: OperationalError")


def test_rows_can_be_read_long_before_the_end(rig, database):
    rig.start_worker()
    job_id = rig.submit(spec(database, nap=0.002, order="any"))
    until(lambda: rig.jobs.get(job_id).status == "started")
    begin = time.monotonic()
    job = wait_for_rows(rig.jobs, job_id)
    assert time.monotonic() - begin < 6, "of some 12 s; the benchmark of jobs shows how soon on a quiet machine"
    assert job.status == "started"
    with pytest.raises(JobNotComplete):
        rig.jobs.result(job_id).page("moves")
    rig.jobs.cancel(job_id)


def test_a_job_that_fails_says_why(rig, database):
    rig.start_worker()
    job = wait_for_end(rig.jobs, rig.submit(spec(database, "broken")))
    assert (job.status, job.code, job.error) == ("failed", "job-failed", "the job failed: OperationalError")


def test_a_domain_may_fail_where_that_was_asked_for(rig, database):
    rig.start_worker()
    job_id = rig.submit(spec(database, "broken", on_failure="partial"))
    assert wait_for_end(rig.jobs, job_id).status == "finished"
    manifest = rig.jobs.result(job_id).manifest
    assert manifest.failed_domains == ["holds"]
    assert [(missing.domain, missing.count) for missing in manifest.missing_keys] == [("holds", len(KEYS))]
    assert rows_of(rig.jobs, job_id) == {"moves": expected(database)["moves"]}


def test_a_job_ends_at_its_deadline(rig, database):
    rig.start_worker()
    begin = time.monotonic()
    job = wait_for_end(rig.jobs, rig.submit(spec(database, "stuck", timeout=1.5)))
    assert (job.status, job.code) == ("failed", "job-timeout")
    assert time.monotonic() - begin < 4


def test_a_chunk_that_is_gone_is_told_and_never_skipped(rig, database):
    rig.start_worker()
    job_id = rig.submit(spec(database))
    assert wait_for_end(rig.jobs, job_id).status == "finished"
    result = rig.jobs.result(job_id)
    second = [chunk for chunk in result.manifest.chunks if chunk.domain == "moves"][1]
    rig.remove_chunk(job_id, second)
    with pytest.raises(ChunkLost, match=r"chunk 1 of .moves. of job .* is gone"):
        b"".join(result.page("moves").data)


# -- cancelling


@pytest.mark.parametrize("function", ["events", "stuck"])
def test_a_job_is_cancelled_within_two_seconds(rig, database, function):
    rig.start_worker()
    job_id = rig.submit(spec(database, function, nap=0.01 if function == "events" else None))
    until(lambda: rig.jobs.get(job_id).status == "started")
    horse = horse_of(rig.jobs, job_id)
    begin = time.monotonic()
    rig.jobs.cancel(job_id)
    job = wait_for_end(rig.jobs, job_id)
    assert job.status == "cancelled"
    assert time.monotonic() - begin < 2
    until(lambda: not is_alive(horse), 2, "the end of the process")
    with pytest.raises(StatusConflict):
        rig.jobs.store.change(job_id, {"status": "finished"})
    assert rig.jobs.cancel(job_id).status == "cancelled"


def test_a_job_that_waits_is_cancelled_at_once(rig, database):
    rig.start_worker()
    first, second = rig.submit(spec(database, nap=0.01)), rig.submit(spec(database))
    until(lambda: rig.jobs.get(first).status == "started")
    assert rig.jobs.cancel(second).status == "cancelled"
    rig.jobs.cancel(first)
    wait_for_end(rig.jobs, first)


# -- faults


@pytest.mark.parametrize("victim", ["horse", "worker", "both"])
@pytest.mark.parametrize("turn", [0, pytest.param("long", marks=[pytest.mark.long, pytest.mark.timeout(1_800)])])
def test_a_job_whose_processes_are_killed_is_finished_by_others(rig, database, victim, turn):
    for number in range(1 if turn == 0 else 50):
        kill_and_see(rig, database, victim, random.Random(f"{victim} {number}").uniform(0, 1.5))
        rig.stop_workers()


def kill_and_see(rig, database, victim, pause):
    worker = rig.start_worker()
    job_id = rig.submit(spec(database, nap=NAP))
    wait_for_rows(rig.jobs, job_id)
    time.sleep(pause)
    horse = horse_of(rig.jobs, job_id)
    if victim != "worker":
        kill(horse)
    if victim != "horse":
        worker.kill()
        worker.wait()
        until(lambda: not is_alive(horse), 1.0, "the end of the orphan")
        rig.start_worker()
    until(lambda: rig.jobs.get(job_id).ended or horse_of(rig.jobs, job_id) != horse, FOUND_SECONDS, "another worker")
    assert wait_for_end(rig.jobs, job_id).status == "finished"
    assert_whole(rig, job_id, database)


def test_a_worker_that_is_stopped_gives_its_job_back_at_a_batch(rig, database):
    worker = rig.start_worker()
    job_id = rig.submit(spec(database, nap=0.0005))
    wait_for_rows(rig.jobs, job_id, 200)
    begin = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    worker.wait(10)
    assert time.monotonic() - begin < 10
    job = rig.jobs.get(job_id)
    assert (job.status, job.interruption) == ("queued", "worker-stopped")
    assert 0 < published(rig.jobs, job_id) < 5_000
    rig.start_worker()
    wait_for_end(rig.jobs, job_id)
    assert_whole(rig, job_id, database)
    assert rig.jobs.get(job_id).attempt == 2


@pytest.mark.parametrize(("appetite", "status"), [(40, "finished"), (400, "failed")])
def test_a_job_that_is_too_large_for_the_memory_is_tried_once_more_with_half(rig, database, appetite, status):
    rig.start_worker(memory_limit=280 * MiB)
    job = wait_for_end(rig.jobs, rig.submit(spec(database, "hungry", arguments={"appetite": appetite})))
    assert (job.status, job.interruption, job.attempt) == (status, "job-out-of-memory", 2)
    assert job.code == ("job-out-of-memory" if status == "failed" else None)


def test_a_job_that_kills_every_worker_fails_in_the_end(rig, database):
    rig.start_worker()
    job = wait_for_end(rig.jobs, rig.submit(spec(database, "suicidal")))
    assert (job.status, job.code) == ("failed", "job-keeps-dying")


def test_a_job_whose_store_was_emptied_is_lost(rig, database):
    rig.start_worker()
    job_id = rig.submit(spec(database, nap=0.001))
    wait_for_rows(rig.jobs, job_id)
    rig.wipe()

    def lost():
        try:
            return rig.jobs.get(job_id).status == "lost"
        except JobNotFound:
            return False

    until(lost, 10)
    with pytest.raises(JobNotComplete, match="lost"):
        rig.jobs.result(job_id).page("moves")
    assert rig.jobs.cancel(job_id).status == "lost"
