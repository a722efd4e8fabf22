"""Local jobs: processes of this one."""

from __future__ import annotations

import sys
import threading
from importlib import import_module

import pytest

from mesbatch.jobs import LocalJobs
from mesbatch.store import DirectoryStore
from tests.jobs.functions import FUNCTIONS, KEYS, expected
from tests.jobs.rig import LOCAL, horse_of, importable, is_alive, rows_of, spec, until, wait_for_end, wait_for_rows

BROKEN = """
import sys
if getattr(sys.modules["__main__"].__spec__, "name", "") == "mesbatch.jobs.child":
    raise RuntimeError("not in a job's process")
"""


@pytest.fixture
def make(tmp_path):
    """Make jobs in a new module, with more *text* in it."""
    made = []

    def make(text=""):
        module = importable(tmp_path, LOCAL + text, directory=str(tmp_path / "store"))
        made.append(import_module(module).jobs)
        return made[-1]

    yield make
    for jobs in made:
        jobs.close()
        sys.path.remove(str(tmp_path))


def test_a_process_that_cannot_even_begin_fails_its_job(make, database):
    jobs = make(BROKEN)
    job = wait_for_end(jobs, jobs.submit(spec(database), KEYS).job_id)
    assert (job.status, job.code) == ("failed", "job-failed")
    assert job.error == "the job's process ended with status 1: see its standard error"


def test_closing_lets_a_job_stop_and_leaves_no_process_and_no_thread(make, database):
    jobs = make()
    job_id = jobs.submit(spec(database, nap=0.001), KEYS).job_id
    wait_for_rows(jobs, job_id)
    process = horse_of(jobs, job_id)
    jobs.close()
    jobs.close()
    assert not is_alive(process)
    assert not [thread for thread in threading.enumerate() if thread.name == "mesbatch-jobs"]
    assert jobs.get(job_id).status == "queued"
    jobs.start()
    assert wait_for_end(jobs, job_id).status == "finished"
    assert rows_of(jobs, job_id) == expected(database)


def test_what_waits_already_is_begun_at_once(make, database, monkeypatch):
    jobs = make()
    job_id = jobs.submit(spec(database, nap=0.001), KEYS).job_id
    wait_for_rows(jobs, job_id)
    jobs.close()
    monkeypatch.setattr("mesbatch.jobs.supervisor.SCAN_SECONDS", 600.0)
    jobs.start()
    assert wait_for_end(jobs, job_id).status == "finished"


def test_what_has_expired_is_swept(make, database, monkeypatch):
    monkeypatch.setattr("mesbatch.jobs.supervisor.SWEEP_SECONDS", 0.1)
    jobs = make()
    swept = []
    monkeypatch.setattr(jobs.store, "sweep", lambda: swept.append(1))
    jobs.start()
    until(lambda: swept, 10, "the sweeper")


@pytest.mark.parametrize("workers", [0, -1])
def test_there_is_at_least_one_worker(tmp_path, workers):
    with pytest.raises(ValueError, match="workers must be at least 1"):
        LocalJobs(FUNCTIONS, DirectoryStore(tmp_path), app="x:jobs", workers=workers)
