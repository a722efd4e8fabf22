"""The limit of the jobs that read at once: waiting, stopping meanwhile, holders that died, permits that were lost."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import pytest

pytest.importorskip("redis")

from mesbatch.admission.redis import RedisLimiter
from mesbatch.errors import PermitLost
from mesbatch.jobs import JobSpec, LocalJobs
from mesbatch.jobs.limit import ReadLimit
from mesbatch.jobs.run import run_job
from mesbatch.jobs.stop import Stop, Stopped
from mesbatch.store import DirectoryStore
from tests.jobs.functions import DOMAINS, KEYS, events, expected
from tests.jobs.rig import published, rows_of, until
from tests.rig.postgres import RigUnavailable
from tests.rig.valkey import PrivateValkey


class Waiting(LocalJobs):
    """Jobs that are accepted, and not run."""

    def start(self):
        pass


@pytest.fixture
def limiter():
    """Make limiters, as workers of several hosts have them."""
    with ExitStack() as stack:

        def make(url, name, permits=1, lease=15.0):
            made = RedisLimiter(url, name, permits, 1, max_waiting=0, lease=lease)
            stack.callback(made.close)
            return made

        yield make


def test_no_more_than_so_many_read_at_once_and_the_dead_give_their_place_back(valkey, limiter, monkeypatch):
    monkeypatch.setattr("mesbatch.jobs.limit.WAIT_SECONDS", 0.005)
    reading, most = [], []

    def read(number):
        with ReadLimit(limiter(valkey.url, "places", 3)).held(Stop()):
            reading.append(number)
            most.append(len(reading))
            time.sleep(0.02)
            reading.remove(number)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 20
    assert max(most) <= 3
    with ExitStack() as dead:
        for _ in range(3):
            holder = limiter(valkey.url, "places", 3, lease=1.0)
            dead.enter_context(ReadLimit(holder).held(Stop()))
            holder.close()  # as if its process were gone: nobody renews
        begin = time.monotonic()
        with ReadLimit(limiter(valkey.url, "places", 3)).held(Stop()):
            assert 0.1 < time.monotonic() - begin < 3


def test_what_is_given_back_is_free_at_once_and_asked_about_no_more(valkey, limiter):
    given_back = ReadLimit(limiter(valkey.url, "others"))
    with given_back.held(Stop()):
        given_back.check()
    given_back.check()
    begin = time.monotonic()
    with ReadLimit(limiter(valkey.url, "others")).held(Stop()):
        assert time.monotonic() - begin < 3


def test_a_job_that_waits_hears_that_it_is_to_stop(valkey, limiter):
    stop = Stop()
    with ReadLimit(limiter(valkey.url, "full")).held(Stop()):
        threading.Timer(0.2, stop.ask, ["cancel"]).start()
        with pytest.raises(Stopped), ReadLimit(limiter(valkey.url, "full")).held(stop):
            pass


def test_without_a_limiter_nobody_waits():
    limit = ReadLimit()
    with limit.held(Stop()):
        limit.check()


def test_a_holder_that_was_late_learns_that_another_has_its_place(valkey, limiter, monkeypatch):
    late = limiter(valkey.url, "one", lease=0.3)
    monkeypatch.setattr(late, "_keep_renewing", lambda: None)
    first, second = ReadLimit(late), ReadLimit(limiter(valkey.url, "one"))
    with first.held(Stop()), second.held(Stop()):
        with pytest.raises(PermitLost):
            first.check()
        second.check()


# -- in a running job


@pytest.fixture
def jobs(tmp_path):
    with Waiting({"read": read}, DirectoryStore(tmp_path / "store", lease_seconds=0.3), app="nowhere:jobs") as jobs:
        yield jobs


NAP = {0: 0.0}  # seconds that a row costs now


def read(work, path):
    return events(work, path, NAP[0])


class Run(threading.Thread):
    """A worker's run of a job; *outcome* is there at its end."""

    def __init__(self, jobs, job_id, limit):
        super().__init__()
        self._call, self.outcome = (jobs, job_id, limit), None
        self.start()

    def run(self):
        jobs, job_id, limit = self._call
        stop = Stop(kill=lambda: None)
        self.outcome = run_job(jobs.store, job_id, jobs.functions, self.name, stop=stop, limit=limit)


def submitted(jobs, database, monkeypatch, nap):
    monkeypatch.setitem(NAP, 0, nap)
    return jobs.submit(JobSpec(function="read", domains=DOMAINS, batch_size=200, arguments={"path": database}), KEYS)


def begun(jobs, job_id):
    until(lambda: published(jobs, job_id) > 0, 30, "the first rows")


def assert_whole(jobs, job_id, database):
    assert jobs.get(job_id).status == "finished"
    assert rows_of(jobs, job_id) == expected(database)


def test_a_job_whose_place_was_taken_reads_no_further_and_goes_on_later(valkey, limiter, jobs, database, monkeypatch):
    late = limiter(valkey.url, "jobs", lease=3.0)
    monkeypatch.setattr(late, "_keep_renewing", lambda: None)
    job_id = submitted(jobs, database, monkeypatch, nap=0.003).job_id  # some 20 s
    first = Run(jobs, job_id, ReadLimit(late))
    begun(jobs, job_id)
    with ReadLimit(limiter(valkey.url, "jobs")).held(Stop()):
        first.join(10)
        assert first.outcome == "queued", "it still reads beside the one that has its place"
        job = jobs.get(job_id)
        assert (job.status, job.interruption) == ("queued", "permit-lost")
        before = published(jobs, job_id)
        monkeypatch.setitem(NAP, 0, 0.0)
        second = Run(jobs, job_id, ReadLimit(limiter(valkey.url, "jobs")))
        until(lambda: jobs.get(job_id).status == "started")
        time.sleep(0.3)
        assert published(jobs, job_id) == before, "it reads without a permit"
    second.join(30)
    assert second.outcome == "finished"
    assert_whole(jobs, job_id, database)


def test_a_job_outlives_a_limiter_that_is_silent_for_longer_than_its_lease(limiter, jobs, database, monkeypatch):
    try:
        with PrivateValkey() as server:
            job_id = submitted(jobs, database, monkeypatch, nap=0.003).job_id
            first = Run(jobs, job_id, ReadLimit(limiter(server.url, "jobs", lease=1.0)))
            begun(jobs, job_id)
            server.pause()
            first.join(15)
            assert first.outcome == "queued"
            monkeypatch.setitem(NAP, 0, 0.0)
            second = Run(jobs, job_id, ReadLimit(limiter(server.url, "jobs", lease=1.0)))
            until(lambda: jobs.get(job_id).status == "started")
            server.resume()
            second.join(30)
            assert second.outcome == "finished"
            assert_whole(jobs, job_id, database)
    except RigUnavailable as error:
        pytest.skip(str(error))
