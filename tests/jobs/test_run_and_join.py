"""The worker of the last shard joins them all."""

from __future__ import annotations

from contextlib import suppress

import pytest

from mesbatch.errors import JobNotFound
from mesbatch.jobs.recovery import after_death, waiting_jobs
from mesbatch.jobs.run_and_join import run_and_join
from mesbatch.jobs.stop import Stop
from tests.jobs import test_run
from tests.jobs.functions import expected
from tests.jobs.rig import rows_of, spec, until, wait_for_end
from tests.jobs.test_run import Killed, Mortal, asking, assert_joined, split

path, store, quiet_heart = test_run.path, test_run.store, test_run.quiet_heart


def run(store, job_id, functions=None, **more):
    return run_and_join(store, job_id, functions or {"read": test_run.read}, "worker", **more)


def test_the_worker_of_the_last_shard_joins_them_all(store, path):
    job_id, shards = split(store, path)
    for shard in reversed(shards):
        assert store.facts(job_id)["status"] == "queued"
        assert run(store, shard) == "finished"
    assert_joined(store, job_id)
    assert list(store.job_ids()) == [job_id]


def test_a_job_that_is_no_shard_is_run_alone(store, path):
    job_id = test_run.submitted(store, path)
    assert run(store, job_id) == "finished"
    test_run.assert_whole(store, job_id)


def test_a_failed_shard_ends_the_whole_job_at_once(store, path):
    def failing(work, path):
        raise OSError("no")

    job_id, shards = split(store, path)
    for shard in shards[1:]:
        run(store, shard)
    assert run(store, shards[0], {"read": failing}) == "failed"
    assert (store.facts(job_id)["status"], store.facts(job_id)["code"]) == ("failed", "job-failed")


def test_a_worker_that_is_to_stop_leaves_the_join_to_another(store, path):
    job_id, shards = split(store, path)
    for shard in shards[1:]:
        run(store, shard)
    stop = Stop()

    class Late:
        """A store that asks for a stop with the last change of the shard."""

        def __getattr__(self, name):
            return getattr(store, name)

        def change(self, changed, changes, **more):
            if changes.get("status") == "finished":
                stop.ask("shutdown")
            return store.change(changed, changes, **more)

    assert run(Late(), shards[0], stop=stop) == "finished"
    assert (store.facts(job_id)["status"], store.facts(job_id)["attempt"]) == ("queued", "0")
    assert [found for found, _ in waiting_jobs(store)] == [job_id]


def test_a_shard_that_is_given_back_is_not_joined(store, path):
    job_id, shards = split(store, path)
    stop = Stop()
    assert run(store, shards[0], {"read": asking(stop, "shutdown")}, stop=stop) == "queued"
    assert store.facts(job_id)["status"] == "queued"


@pytest.mark.parametrize("for_memory", [False, True])
def test_another_worker_may_join_at_once_after_the_death_of_the_one_that_did(store, path, for_memory):
    job_id, shards = split(store, path)
    for shard in shards[1:]:
        run(store, shard)
    dead = Mortal(store, 10**9, Killed)

    class Dying:
        """A store whose user is killed at the first chunk that is joined."""

        def __getattr__(self, name):
            if name == "adopt":
                dead._at = 0
            return getattr(dead, name)

    with pytest.raises(Killed):
        run(Dying(), shards[0])
    assert store.facts(job_id)["status"] == "started"
    assert list(waiting_jobs(store)) == [], "its lease has not run out"
    assert not after_death(store, shards[0], "another", for_memory=for_memory)
    assert list(waiting_jobs(store)) == []
    assert after_death(store, shards[0], "worker", for_memory=for_memory)
    assert [found for found, _ in waiting_jobs(store)] == [job_id]
    assert store.facts(job_id).get("interruption") == ("job-out-of-memory" if for_memory else "")
    assert run(store, job_id) == "finished"
    assert_joined(store, job_id)


def test_no_worker_is_started_for_the_join(rig, database):
    rig.start_worker()
    job_id = rig.submit(spec(database, shards=3))
    shards, workers = rig.jobs.store.facts(job_id)["children"].split(","), set()

    def joined():
        for shard in shards:
            with suppress(JobNotFound):
                workers.add(rig.jobs.store.facts(shard).get("worker"))
        return rig.jobs.get(job_id).ended

    until(joined, 60)
    assert wait_for_end(rig.jobs, job_id).status == "finished"
    assert rows_of(rig.jobs, job_id) == expected(database)
    assert rig.jobs.store.facts(job_id)["worker"] in workers
