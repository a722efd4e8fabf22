"""Jobs with large inputs, whose processes are killed for real."""

from __future__ import annotations

import time

import pytest

from mesbatch.errors import InvalidJob
from tests.jobs.functions import KEYS, expected
from tests.jobs.rig import (
    LocalRig,
    horse_of,
    is_alive,
    kill,
    rows_of,
    running,
    spec,
    until,
    wait_for_end,
    wait_for_rows,
)

WEIGHTS = {key: number for number, key in enumerate([*KEYS, "padding" + "x" * 3_000_000])}  # three parts
FOUND_SECONDS = 20.0


def assert_weighed(rig, job_id, database):
    job = wait_for_end(rig.jobs, job_id)
    assert (job.status, job.error) == ("finished", None)
    rows = rows_of(rig.jobs, job_id)
    assert rows == expected(database)
    total = sum(WEIGHTS[row[0]] for found in rows.values() for row in found.elements())
    counted = {domain: found.total() for domain, found in rows.items()}
    assert rig.jobs.result(job_id).aggregation() == (
        f'{{"rows":{{"moves":{counted["moves"]},"holds":{counted["holds"]}}},"total":{total}}}'.encode()
    )


@pytest.mark.parametrize("shards", [1, 3])
def test_a_function_opens_the_inputs_of_its_job(rig, database, shards):
    rig.start_worker()
    job_id = rig.submit(spec(database, "weighing", shards=shards), inputs={"weights": WEIGHTS})
    assert_weighed(rig, job_id, database)
    facts = rig.jobs.store.facts(job_id)
    assert sum(map(len, facts.values())) < 5_000, "neither the facts nor the spec hold an input"


@pytest.mark.parametrize("rig", ["rq"], indirect=True)
def test_inputs_do_not_go_into_the_queue(rig, database):
    connection = rig.jobs.connection
    before = {*connection.scan_iter(count=1_000)}
    rig.start_worker()
    job_id = rig.submit(spec(database, "weighing", nap=0.0005), inputs={"weights": WEIGHTS})
    until(lambda: rig.jobs.get(job_id).status == "started")
    names = {*connection.scan_iter(count=1_000)} - before
    large = {name.decode() for name in names if (connection.memory_usage(name) or 0) > 50_000}
    assert {name.rpartition(f"{job_id}:")[2] for name in large} == {"input:0", "input:1", "input:2"}
    assert_weighed(rig, job_id, database)
    rig.jobs.store.delete(job_id)
    assert not list(connection.scan_iter(f"*:{job_id}:*", count=1_000))


@pytest.mark.parametrize("victim", ["horse", "worker"])
def test_a_job_whose_processes_are_killed_reads_its_inputs_again(rig, database, victim):
    worker = rig.start_worker()
    job_id = rig.submit(spec(database, "weighing", nap=0.0003), inputs={"weights": WEIGHTS})
    wait_for_rows(rig.jobs, job_id)
    time.sleep(0.3)
    horse = horse_of(rig.jobs, job_id)
    if victim == "horse":
        kill(horse)
    else:
        worker.kill()
        worker.wait()
        until(lambda: not is_alive(horse), 1.0, "the end of the orphan")
        rig.start_worker()
    until(lambda: rig.jobs.get(job_id).ended or horse_of(rig.jobs, job_id) != horse, FOUND_SECONDS, "another worker")
    assert rig.jobs.get(job_id).attempt == 2
    assert_weighed(rig, job_id, database)


def test_a_part_that_was_damaged_fails_the_job(rig, database):
    rig.start_worker()
    blocking = rig.submit(spec(database, "stuck"))
    until(lambda: rig.jobs.get(blocking).status == "started")
    job_id = rig.submit(spec(database, "weighing"), inputs={"weights": WEIGHTS})
    part = rig.jobs.store.input(job_id, 1)
    rig.jobs.store.put_input(job_id, 1, part[:-1] + bytes([part[-1] ^ 1]))
    rig.jobs.cancel(blocking)
    job = wait_for_end(rig.jobs, job_id)
    assert (job.status, job.code) == ("failed", "corrupt-chunk")
    assert f"part 1 of the input 'weights' of job {job_id} is damaged" in job.error


def test_an_input_that_is_refused_leaves_no_job(tmp_path, database, monkeypatch):
    for rig in running(LocalRig(tmp_path)):
        monkeypatch.setattr(rig.jobs, "start", lambda: None)
        monkeypatch.setattr("mesbatch.store.inputs.MOST_BYTES", 2_000_000)
        for inputs in ({"weights": WEIGHTS}, {"a": b"x" * 2_000_001}, {"../a": b""}, {"a": {1}}):
            with pytest.raises(InvalidJob, match="input"):
                rig.jobs.submit(spec(database, "weighing"), KEYS, inputs=inputs)
        assert list(rig.jobs.store.job_ids()) == []
