"""The end of a work-horse, as its worker accounts for it; none is started here."""

from __future__ import annotations

import signal
from types import SimpleNamespace

import pytest

pytest.importorskip("rq")
pytest.importorskip("redis")

from mesbatch.jobs.rq_worker import JobWorker
from tests.jobs.rig import RqRig, running, spec

EXIT_1 = 1 << 8  # as `os.wait` gives it


@pytest.fixture
def rig(tmp_path, valkey):
    yield from running(RqRig(tmp_path, valkey))


@pytest.mark.parametrize(
    ("ended", "begun", "status"),
    [
        (EXIT_1, False, "failed"),  # it would not begin the next time either
        (EXIT_1, True, "started"),  # its rows are there, and another goes on
        (int(signal.SIGKILL), False, "queued"),
    ],
)
def test_a_job_fails_only_where_its_work_horse_could_not_begin(rig, database, ended, begun, status):
    rig.jobs.listening.beat("nobody")
    asked = spec(database, profile=f"{ended} {begun}")  # one job each, and none that another test submits
    job_id, store, worker = rig.submit(asked), rig.jobs.store, JobWorker(rig.jobs)
    if begun:
        lease = store.acquire(job_id, f"{worker.name}:4321")
        store.change(job_id, {"status": "started", "worker": lease.owner, "token": str(lease.token)})
        store.release(lease)
    worker.handle_work_horse_killed(SimpleNamespace(id=f"{job_id}_12345678"), 4321, ended, None)
    assert store.facts(job_id)["status"] == status
