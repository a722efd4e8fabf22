"""Refusals before anything is touched, and the owners of jobs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mesbatch.errors import (
    InvalidJob,
    InvalidJobId,
    InvalidKey,
    InvalidPage,
    JobNotComplete,
    JobNotFound,
    ResultExpired,
)
from mesbatch.jobs import JobSpec, LocalJobs
from mesbatch.jobs.job import ending
from mesbatch.jobs.run import run_job
from mesbatch.store import DirectoryStore, new_job_id
from tests.jobs.functions import DOMAINS, FUNCTIONS, KEYS
from tests.jobs.rig import until


class Waiting(LocalJobs):
    """Jobs that are accepted, and not run."""

    def start(self):
        pass


@pytest.fixture
def jobs(tmp_path):
    with Waiting(FUNCTIONS, DirectoryStore(tmp_path / "store"), app="nowhere:jobs") as jobs:
        yield jobs


def spec(database, **more):
    return JobSpec(**{"function": "events", "domains": DOMAINS, "arguments": {"path": database}, **more})


@pytest.mark.parametrize(
    ("more", "keys", "error"),
    [
        ({"function": "os.system"}, KEYS, InvalidJob),
        ({"arguments": {}}, KEYS, InvalidJob),
        ({"arguments": {"path": 1}}, KEYS, InvalidJob),
        ({"arguments": {"path": "x" * 70_000}}, KEYS, InvalidJob),
        ({}, [], InvalidKey),
        ({}, ["a", None], InvalidKey),
        ({}, [" "], InvalidKey),
        ({}, ["a\0"], InvalidKey),
        ({}, ["\ud800"], InvalidKey),
        ({}, [float("nan")], InvalidKey),
        ({}, [1, "a"], InvalidKey),
        ({}, [["a"]], InvalidKey),
        ({}, "c0001", InvalidKey),
    ],
)
def test_a_job_that_cannot_be_done_is_refused_before_anything_is_touched(jobs, database, more, keys, error):
    with pytest.raises(error):
        jobs.submit(spec(database, **more), keys)
    assert list(jobs.store.job_ids()) == []


def test_keys_are_stored_once_sorted_and_distinct(jobs, database):
    job = jobs.submit(spec(database), iter(["b", "a", "b"]))
    assert (job.status, job.key_count) == ("queued", 2)
    facts = jobs.store.facts(job.job_id)
    assert jobs.store.keys(job.job_id, 0).endswith(b'["a","b"]')
    assert not any('"a"' in fact for fact in facts.values())


def test_a_submission_that_fails_leaves_nothing(jobs, database, monkeypatch):
    def full(*_):
        raise OSError("full")

    monkeypatch.setattr(jobs.store, "put_keys", full)
    with pytest.raises(OSError, match="full"):
        jobs.submit(spec(database), KEYS)
    assert list(jobs.store.job_ids()) == []


IDS = [
    "", "x", "../../etc/passwd", "..", "/etc/passwd", "0" * 31, "0" * 33, "0" * 300, "G" * 32, "A" * 32,
    "0" * 31 + "\n", "0" * 32 + "\n", "*" * 32, "0" * 32 + ":meta", "trace-evt-0123456789AB", "\0" * 32, "\uff10" * 32,
    "{" + "0" * 30 + "}", "%2e%2e%2f",
]  # fmt: skip


@pytest.mark.parametrize("job_id", IDS)
@pytest.mark.parametrize("method", ["get", "cancel", "result", "lines"])
def test_an_id_that_is_not_ours_is_not_looked_up(jobs, job_id, method, monkeypatch):
    monkeypatch.setattr(jobs, "store", None)
    with pytest.raises(InvalidJobId):
        getattr(jobs, method)(job_id)


@pytest.mark.parametrize("method", ["get", "cancel", "result", "lines"])
def test_a_job_is_there_for_its_owner_alone(jobs, database, method):
    job_id = jobs.submit(spec(database, owner="ann"), KEYS).job_id
    call = getattr(jobs, method)
    for other in (None, "", "bob", "ann ", "Ann", "an", "änn"):
        with pytest.raises(JobNotFound, match=f"there is no job {job_id}, or it has expired"):
            call(job_id, owner=other)
    assert jobs.get(job_id, owner="ann").status == "queued"
    call(job_id, owner="ann")


def test_a_job_without_an_owner_is_there_for_everybody(jobs, database):
    job_id = jobs.submit(spec(database), KEYS).job_id
    assert jobs.get(job_id).owner is None
    assert jobs.get(job_id, owner="bob").job_id == job_id


def test_an_unknown_job_is_not_found(jobs):
    with pytest.raises(JobNotFound):
        jobs.get(new_job_id())


def test_pages_are_refused_as_long_as_they_make_no_sense(jobs, database):
    job_id = jobs.submit(spec(database, owner="ann"), KEYS).job_id
    with pytest.raises(JobNotComplete, match="is queued"):
        jobs.result(job_id, owner="ann").page("moves")
    run_job(jobs.store, job_id, FUNCTIONS, "me")
    result = jobs.result(job_id, owner="ann")
    for domain, offset, limit in (("moves", -1, 0), ("moves", 0, -1), ("moves", 10**9, 1), ("nowhere", 0, 0)):
        with pytest.raises(InvalidPage):
            result.page(domain, offset=offset, limit=limit)
    assert b"".join(result.page("moves", offset=result.manifest.domains["moves"].rows).data) == b"[]"


def test_a_job_that_nobody_took_before_its_deadline_has_failed(jobs, database):
    job_id = jobs.submit(spec(database, timeout=0.01), KEYS).job_id
    until(lambda: jobs.get(job_id).ended, 2)
    job = jobs.get(job_id)
    assert (job.status, job.code, job.attempt) == ("failed", "job-timeout", 0)


def test_an_expired_result_is_said_to_be_one(jobs, database):
    job_id = jobs.submit(spec(database), KEYS).job_id
    jobs.store.change(job_id, {"status": "started"})
    jobs.store.change(job_id, ending("finished"))
    with pytest.raises(ResultExpired):
        jobs.result(job_id).page("moves")


def test_an_app_that_cannot_be_imported_is_told_at_once(tmp_path, database):
    for app in ("nowhere:jobs", "mesbatch:MiB", "mesbatch.jobs", "__main__:jobs", "tests.jobs.functions:FUNCTIONS"):
        store = DirectoryStore(tmp_path / "store")
        with LocalJobs(FUNCTIONS, store, app=app) as jobs, pytest.raises(InvalidJob, match="app"):
            jobs.submit(spec(database), KEYS)
        assert list(store.job_ids()) == []


@pytest.mark.parametrize("module", ["mesbatch", "mesbatch.jobs", "mesbatch.jobs.child", "mesbatch.store"])
def test_neither_rq_nor_redis_is_loaded_unless_it_is_asked_for(module):
    code = f"import sys, {module}; sys.exit(any(name in sys.modules for name in ('rq', 'redis', 'flask', 'pyarrow')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_job_whose_worker_died_is_cancelled_at_once(jobs, database):
    job_id = jobs.submit(spec(database), KEYS).job_id
    lease = jobs.store.acquire(job_id, "worker")
    jobs.store.change(job_id, {"status": "started", "token": str(lease.token)})
    assert jobs.cancel(job_id).status == "started", "its worker may be alive"
    jobs.store.release(lease)
    assert jobs.cancel(job_id).status == "cancelled"


def test_a_stream_goes_on_where_it_was_left(jobs, database):
    job_id = jobs.submit(spec(database), KEYS).job_id
    run_job(jobs.store, job_id, FUNCTIONS, "me")
    whole = [line for line in jobs.lines(job_id) if line.startswith(b'{"type":"records"')]
    rest = [line for line in jobs.lines(job_id, from_=1) if line.startswith(b'{"type":"records"')]
    assert rest == whole[1:] != []


def test_a_job_of_the_first_implementation_is_shown(jobs):
    job_id = "trace-evt-0123456789ab"
    facts = {"profile": "p", "cid_count": "7", "domains": "a,b", "status": "queued", "progress": "reading",
             "created_at": "1771995600.25", "completed_at": "", "error": ""}  # fmt: skip
    jobs.store.create(job_id, facts)
    shown = jobs.get(job_id).as_json()
    assert (shown["cid_count"], shown["domains"], shown["progress"]) == (7, ["a", "b"], {"text": "reading"})
    assert (shown["status"], shown["created_at"], shown["error"]) == ("queued", 1771995600.25, None)
    assert shown["attempt"] == 0
