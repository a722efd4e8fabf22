"""The thread that starts the processes of local jobs."""

from __future__ import annotations

import pytest

from mesbatch.jobs import supervisor
from mesbatch.jobs.machine_lock import MachineLock
from mesbatch.jobs.supervisor import Supervisor
from mesbatch.store import DirectoryStore
from tests.jobs.rig import until


@pytest.mark.parametrize(("seconds", "again"), [(600.0, False), (0.0, True)])
def test_jobs_of_others_are_looked_for_as_often_as_it_says(tmp_path, monkeypatch, seconds, again):
    monkeypatch.setattr(supervisor, "SCAN_SECONDS", seconds)
    looks, rounds, take = [], [], MachineLock.take
    monkeypatch.setattr(supervisor, "waiting_jobs", lambda *_: looks.append(1) or ())
    monkeypatch.setattr(MachineLock, "take", lambda lock: rounds.append(1) or take(lock))
    store, lock = DirectoryStore(tmp_path / "store"), MachineLock(tmp_path / "lock")
    watching = Supervisor(store, "nowhere:jobs", 1, None, lock)
    watching.start()
    try:
        until(lambda: len(rounds) > 5)
        assert (len(looks) > 1) is again
    finally:
        watching.close()
