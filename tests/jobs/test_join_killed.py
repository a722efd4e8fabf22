"""A join of shards that is killed: at every operation of the store, and at every touch of a file."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mesbatch.errors import JobNotFound
from mesbatch.jobs.job import read_job
from mesbatch.jobs.recovery import waiting_jobs
from mesbatch.store import DirectoryStore, Lease, ResultReader
from tests.jobs import test_run
from tests.jobs.test_run import DOMAINS, EXPECTED, Killed, Mortal, assert_joined, run, split

path, store, quiet_heart = test_run.path, test_run.store, test_run.quiet_heart  # fixtures
ROWS = sum(EXPECTED[domain].total() for domain in DOMAINS[:2])


@pytest.fixture(params=["directory", "redis"])
def any_store(request):
    if request.param == "directory":
        yield request.getfixturevalue("store")
        return
    pytest.importorskip("redis")
    from mesbatch.store.redis import RedisStore

    with RedisStore(request.getfixturevalue("valkey").url, lease_seconds=60) as found:
        yield found


def read_split(store, path):
    """Submit a job in shards, each of which has been read."""
    job_id, children = split(store, path)
    for child in children:
        assert run(store, child) == "finished"
    return job_id, children


def recover(store, job_id):
    """Do what the next worker does, after the lease of the dead one."""
    store.release(Lease(job_id, "worker", int(store.facts(job_id).get("token", 1))))
    for found, _ in waiting_jobs(store, [job_id]):
        run(store, found)


def is_there(store, job_id):
    with suppress(JobNotFound):
        return bool(store.facts(job_id))
    return False


def assert_whole_or_open(store, job_id):
    """Check that whoever asks is told of no end before the whole result is there, and of no row less."""
    job = read_job(job_id, store.facts(job_id))
    if job.status == "finished":
        assert ResultReader(store, job_id).manifest.total_records == ROWS
        assert (job.progress.get("rows"), job.progress.get("percent")) == (ROWS, 100.0)
    else:
        assert job.status in {"queued", "started"}


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.long)])
def test_a_killed_join_shows_all_rows_once_it_is_finished_and_leaves_no_part(any_store, path, step):
    for at in range(1, 999, step):
        job_id, children = read_split(any_store, path)
        try:
            run(Mortal(any_store, at, Killed), job_id)
        except Killed:
            assert_whole_or_open(any_store, job_id)
            recover(any_store, job_id)
        else:
            break
        assert_whole_or_open(any_store, job_id)
        assert_joined(any_store, job_id)
        assert not any(is_there(any_store, child) for child in children)
    assert at > 30


class FilesEnd:
    """The death of this process at its *at*-th touch of a file below *folder*: that and every later one raises."""

    TOUCHES = frozenset({"open", "os.link", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir"})

    def __init__(self):
        self.at, self.touched, self.folder = 0, 0, ""
        sys.addaudithook(self._hear)  # which is for ever: without a folder it hears nothing

    def _hear(self, event, arguments):
        if self.folder and event in self.TOUCHES and str(arguments[0]).startswith(self.folder):
            self.touched += 1
            if self.touched >= self.at:
                raise Killed(f"touch {self.at}")

    @contextmanager
    def armed(self, folder, at):
        self.at, self.touched, self.folder = at, 0, str(folder)
        try:
            yield
        finally:
            self.folder = ""


@pytest.fixture(scope="module")
def files_end():
    return FilesEnd()


@pytest.mark.parametrize("step", [29, pytest.param(1, marks=pytest.mark.long)])
def test_a_join_that_is_killed_at_any_touch_of_a_file_is_whole_after_the_next(store, path, files_end, tmp_path, step):
    job_id, children = read_split(store, path)
    for at in range(1, 99_999, step):
        copied = Path(shutil.copytree(store.path, store.path.with_name(f"{store.path.name}-{at}")))
        other = DirectoryStore(copied, lease_seconds=60)
        try:
            with suppress(Killed), files_end.armed(copied, at):
                run(other, job_id)
            is_dead = files_end.touched >= at
            assert_whole_or_open(other, job_id)
            recover(other, job_id)
            assert_whole_or_open(other, job_id)
            assert_joined(other, job_id)
            assert not any(is_there(other, child) for child in children)
        finally:
            shutil.rmtree(copied)
        if not is_dead:
            break
    assert at > 200


def test_a_shard_whose_journal_is_shorter_than_its_manifest_says_is_no_smaller_result(valkey, path):
    pytest.importorskip("redis")
    from mesbatch.store.redis import RedisStore

    with RedisStore(valkey.url, lease_seconds=60) as store:  # an evicting server forgets whole keys
        job_id, children = read_split(store, path)
        assert store._server.client.delete(f"mes_wip:trace:job:{children[1]}:journal")
        assert run(store, job_id) == "failed"
        facts = store.facts(job_id)
        assert (facts["status"], facts["code"]) == ("failed", "chunk-lost")
