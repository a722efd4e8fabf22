"""Local jobs of several processes: one of them runs the jobs, and another goes on after its end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection
from importlib import import_module
from json import loads
from pathlib import Path

import pytest

from mesbatch.jobs import LocalJobs
from mesbatch.jobs.job import ending, first_facts
from mesbatch.jobs.local import lock_path
from mesbatch.jobs.machine_lock import MachineLock
from mesbatch.jobs.recovery import waiting_jobs
from mesbatch.store import DirectoryStore, new_job_id
from tests.jobs.functions import FUNCTIONS, KEYS, expected
from tests.jobs.rig import LOCAL, LocalRig, importable, is_alive, kill, rows_of, running, spec, until, wait_for_end

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
HOOKED = ["-c", str(ROOT / "deploy/gunicorn.conf.py")]


@pytest.fixture
def rig(tmp_path):
    yield from running(LocalRig(tmp_path))


def processes_of_jobs(parents):
    """Count the processes that run jobs for one of these."""
    found = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) in parents:
                found += b"mesbatch.jobs.child" in (stat.parent / "cmdline").read_bytes()
    return found


def test_two_processes_run_no_more_jobs_than_one(rig, database):
    hosts = [rig.start_worker(), rig.start_worker()]
    jobs = [rig.submit(spec(database, nap=0.0003 + each / 1e6)) for each in range(3)]
    most = 0
    deadline = time.monotonic() + 60
    while not all(rig.jobs.get(job_id).ended for job_id in jobs):
        most = max(most, processes_of_jobs({host.pid for host in hosts}))
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert most == 1
    assert all(rows_of(rig.jobs, job_id) == expected(database) for job_id in jobs)


def test_another_process_goes_on_when_the_one_that_ran_jobs_is_killed(rig, database):
    first = rig.start_worker()
    job_id = rig.submit(spec(database, nap=0.0005))
    until(lambda: rig.jobs.get(job_id).status == "started")
    rig.start_worker()
    kill(first.pid)
    first.wait()
    job = wait_for_end(rig.jobs, job_id, 30)
    assert (job.status, job.attempt) == ("finished", 2)
    assert rows_of(rig.jobs, job_id) == expected(database)


def test_a_process_that_ends_by_itself_gives_its_job_back_at_once(rig, database):
    first = rig.start_worker()
    job_id = rig.submit(spec(database, nap=0.0005))
    until(lambda: rig.jobs.get(job_id).status == "started")
    assert first.stdin is not None
    first.stdin.close()  # its loop ends, and nobody calls close()
    assert first.wait(20) == 0
    assert rig.jobs.get(job_id).status == "queued"


def test_a_fork_has_no_part_in_the_lock(tmp_path):
    lock, other = MachineLock(tmp_path / "lock"), MachineLock(tmp_path / "lock")
    assert lock.take()
    assert not other.take()
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    child.start()
    try:
        lock.drop()
        until(other.take, 10, "the end of the lock, which the child kept,")
    finally:
        child.kill()
        child.join()


def test_a_fork_may_start_anew(tmp_path, database):
    module = importable(tmp_path, LOCAL, directory=str(tmp_path / "store"))
    jobs = import_module(module).jobs
    jobs.start()
    job_id = jobs.submit(spec(database), KEYS).job_id
    wait_for_end(jobs, job_id)

    def child():
        assert jobs._supervisor is None
        jobs.start()
        os._exit(0 if jobs.get(job_id).status == "finished" else 1)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(20)
    assert process.exitcode == 0
    jobs.close()
    sys.path.remove(str(tmp_path))


def test_nothing_is_started_in_the_process_of_a_job(tmp_path, monkeypatch):
    monkeypatch.setattr("mesbatch.jobs.local.is_job", lambda: True)
    with LocalJobs(FUNCTIONS, DirectoryStore(tmp_path / "store"), app="nowhere:jobs") as jobs:
        jobs.start()
        assert jobs._supervisor is None
    assert not lock_path(jobs.store, "x").exists()


def test_an_app_that_cannot_be_imported_is_told_once_in_the_log(tmp_path, caplog):
    with LocalJobs(FUNCTIONS, DirectoryStore(tmp_path / "store"), app="nowhere:jobs") as jobs:
        for _ in range(3):
            jobs.attend()
    assert [record.getMessage() for record in caplog.records] == ["no job can be run"]


class Counting:
    """A store that counts what it is asked."""

    def __init__(self, store):
        self._store, self.asked = store, 0

    def __getattr__(self, name):
        found = getattr(self._store, name)

        def operation(*args, **options):
            self.asked += 1
            return found(*args, **options)

        return operation


def test_a_look_costs_the_same_however_many_jobs_have_ended(tmp_path, database):
    store = DirectoryStore(tmp_path / "store")

    def create(count, **facts):
        for _ in range(count):
            job_id = new_job_id()
            store.create(job_id, {**first_facts(spec(database), 1, time.time()), "keys": "x", **facts})
            yield job_id

    open_jobs = set(create(2))

    def cost():
        counting = Counting(store)
        assert {job_id for job_id, _ in waiting_jobs(counting)} == open_jobs
        return counting.asked

    few = cost()
    for job_id in list(create(60)):
        store.change(job_id, ending("cancelled"))
    assert cost() == few


def test_a_look_into_redis_costs_the_same_however_many_jobs_have_ended(valkey, database):
    pytest.importorskip("redis")
    from mesbatch.store.redis import RedisStore

    with RedisStore(valkey.url, prefix=f"look{time.monotonic_ns()}") as store:
        client = store._server.client

        def create():
            job_id = new_job_id()
            store.create(job_id, {**first_facts(spec(database), 1, time.time()), "keys": "x"})
            return job_id

        waiting, expired = {create(), create()}, create()
        client.delete(f"{store.prefix}:trace:job:{expired}:meta")

        def cost():
            before = client.info("stats")["total_commands_processed"]
            assert {job_id for job_id, _ in waiting_jobs(store)} == waiting
            return client.info("stats")["total_commands_processed"] - before

        assert cost() > cost(), "a job that is gone is looked at once"
        few = cost()
        for _ in range(300):
            store.change(create(), ending("cancelled"))
        assert cost() == few
        old = create()
        client.srem(f"{store.prefix}:trace:open", old)  # as by a version that keeps no list
        assert cost() == few
        assert set(store.open_jobs(unlisted=True)) - waiting >= {old}
        store.delete(old)
        gone = create()
        client.delete(f"{store.prefix}:trace:job:{gone}:meta")
        store.sweep()
        assert set(store.open_jobs()) == waiting


def test_a_job_that_an_older_version_submitted_is_found_and_one_that_it_ended_is_let_go(tmp_path, database):
    store = DirectoryStore(tmp_path / "store")
    job_id = new_job_id()
    store.create(job_id, {**first_facts(spec(database), 1, time.time()), "keys": "x"})
    (tmp_path / "store" / "open" / job_id).unlink()
    assert list(waiting_jobs(store)) == []
    assert [found for found, _ in waiting_jobs(store, store.open_jobs(unlisted=True))] == [job_id]
    (tmp_path / "store" / "open" / job_id).touch()
    store._versions.change(job_id, ending("finished"), lambda _: None)  # by a version that keeps no list
    assert list(waiting_jobs(store)) == []
    assert not (tmp_path / "store" / "open" / job_id).exists()


# -- gunicorn

SITE = """
from flask import Flask
from mesbatch.adapters.flask import job_routes
from {module} import jobs
from mesbatch.jobs import JobSpec
from tests.jobs.functions import KEYS

app = Flask("site")
app.register_blueprint(job_routes(jobs, lambda: "ann"))

@app.post("/submit/<encoded>")
def submit(encoded):
    return {{"job_id": jobs.submit(JobSpec.decode(bytes.fromhex(encoded)), KEYS).job_id}}
"""


class Site:
    """gunicorn with two workers, before local jobs."""

    def __init__(self, folder, *options):
        pytest.importorskip("gunicorn", reason="no web server: gunicorn is not installed")
        pytest.importorskip("flask", reason="no web framework: flask is not installed")
        module = importable(folder, LOCAL, directory=str(folder / "store"))
        (folder / "site_app.py").write_text(SITE.format(module=module))
        self.jobs = import_module(module).jobs  # only asked
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        command = [
            sys.executable, "-m", "gunicorn", "-w", "2", "-k", "gthread", "--threads", "2", "--graceful-timeout", "2",
            "-b", f"127.0.0.1:{self.port}", *options, "site_app:app",
        ]  # fmt: skip
        paths = os.pathsep.join([str(folder), str(ROOT), *filter(None, sys.path)])
        self.process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths})
        self._folder = str(folder)

    def ask(self, method, path):
        for _ in range(100):
            connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                connection.request(method, path)
                return loads(connection.getresponse().read())
            except OSError:
                time.sleep(0.1)
            finally:
                connection.close()
        raise TimeoutError(path)

    def workers(self):
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError, ValueError):
                if int(stat.read_text().rpartition(")")[2].split()[1]) == self.process.pid:
                    found.append(int(stat.parent.name))
        return found

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        sys.path.remove(self._folder)


@pytest.mark.parametrize(
    ("trouble", "options"),
    [
        ("hup", []),
        ("kill", []),
        ("recycled", ["--max-requests", "8"]),
        ("kill", HOOKED),
    ],
)
def test_a_job_survives_the_web_processes_though_nobody_posts(tmp_path, database, trouble, options):
    site = Site(tmp_path, *options)
    try:
        encoded = spec(database, nap=0.0008, owner="ann", timeout=120.0).encode().hex()
        job_id = site.ask("POST", f"/submit/{encoded}")["job_id"]
        until(lambda: site.jobs.get(job_id, owner="ann").status == "started", 60)
        before = site.workers()
        if trouble == "hup":
            site.process.send_signal(signal.SIGHUP)
        elif trouble == "kill":
            for pid in before:
                kill(pid)
        else:
            for _ in range(40):
                site.ask("GET", f"/api/trace/job/{job_id}")
        until(lambda: not any(map(is_alive, before)), 20, "the end of the old processes")

        if options != HOOKED:  # else not even a GET is needed
            for _ in range(2):  # the first may be the last one of a worker that is recycled, as a page asks again
                site.ask("GET", f"/api/trace/job/{job_id}")
                time.sleep(1)
        until(lambda: site.jobs.get(job_id, owner="ann").ended, 60)
        assert site.jobs.get(job_id, owner="ann").status == "finished"
        assert rows_of_owner(site.jobs, job_id) == expected(database)
    finally:
        site.close()


def rows_of_owner(jobs, job_id):
    class Ours:
        def result(self, job_id):
            return jobs.result(job_id, owner="ann")

    return rows_of(Ours(), job_id)
