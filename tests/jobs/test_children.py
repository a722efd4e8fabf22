"""Processes of local jobs that are ready before their job is there."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from mesbatch.errors import InvalidKey
from mesbatch.jobs.children import ReadyChildren
from tests.jobs.functions import KEYS, expected
from tests.jobs.rig import (
    LOCAL,
    horse_of,
    importable,
    is_alive,
    kill,
    rows_of,
    spec,
    until,
    wait_for_end,
    wait_for_rows,
)


@pytest.fixture
def module(tmp_path):
    name = importable(tmp_path, LOCAL, directory=str(tmp_path / "store"))
    yield name
    sys.path.remove(str(tmp_path))


@pytest.fixture
def jobs(module):
    with import_module(module).jobs as jobs:
        yield jobs


def ready(jobs):
    """Return the processes that wait for a job."""
    return [child.process.pid for child in jobs._supervisor._ready._ready] if jobs._supervisor else []


def slowly(jobs, found):
    """Give out the keys once a process is ready, which goes into *found*."""
    until(lambda: ready(jobs), 20, "a process that is ready")
    found += ready(jobs)
    yield from KEYS


def test_the_process_of_a_job_starts_while_its_keys_are_read(jobs, database):
    found = []
    job_id = jobs.submit(spec(database, nap=0.0002), slowly(jobs, found)).job_id
    wait_for_rows(jobs, job_id)
    assert [horse_of(jobs, job_id)] == found
    assert ready(jobs) == []
    assert wait_for_end(jobs, job_id).status == "finished"
    assert rows_of(jobs, job_id) == expected(database)


def test_no_more_processes_are_ready_than_may_run(jobs, database):
    job_id = jobs.submit(spec(database, nap=0.001, shards=3), slowly(jobs, found := [])).job_id
    assert len(found) == 1
    first = jobs.store.facts(job_id)["children"].split(",")[0]
    until(lambda: jobs.get(first).status == "started")
    with pytest.raises(InvalidKey):
        jobs.submit(spec(database), [""])
    assert ready(jobs) == []
    jobs.cancel(job_id)


def test_a_process_whose_job_never_comes_ends(jobs, database, monkeypatch):
    for place in ("children", "supervisor"):
        monkeypatch.setattr(f"mesbatch.jobs.{place}.READY_SECONDS", 0.5)
    with pytest.raises(InvalidKey):
        jobs.submit(spec(database), [""])
    (process,) = until(lambda: ready(jobs), 20, "a process that is ready")
    until(lambda: not is_alive(process), 20, "its end")
    until(lambda: not ready(jobs), 5, "the end of its waiting")


def test_closing_ends_a_process_without_a_job(jobs, database):
    with pytest.raises(InvalidKey):
        jobs.submit(spec(database), [""])
    (process,) = until(lambda: ready(jobs), 20, "a process that is ready")
    jobs.close()
    assert not is_alive(process)


def test_a_process_that_died_while_it_waited_gets_no_job(jobs, database):
    def keys():
        found = []
        yield from slowly(jobs, found)
        kill(found[0])
        until(lambda: not is_alive(found[0]))

    job = wait_for_end(jobs, jobs.submit(spec(database), keys()).job_id)
    assert (job.status, job.attempt) == ("finished", 1)


def test_a_process_without_a_job_ends_with_the_one_that_started_it(module):
    waiting = ReadyChildren(f"{module}:jobs", None)
    waiting.prepare(2)
    first, second = waiting._ready
    first.close()  # as the kernel does
    until(lambda: not first.is_alive, 20, "its end")
    assert second.is_alive
    waiting.retire(after=-1.0)
    assert not is_alive(second.process.pid)
