"""A double click is one job: the same submission while the first waits or runs, from any process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from mesbatch.errors import JobNotFound
from mesbatch.jobs import JobSpec, LocalJobs
from mesbatch.jobs.run import run_job
from mesbatch.store import DirectoryStore, new_job_id
from tests.jobs.functions import FUNCTIONS
from tests.jobs.rig import ROOT
from tests.store.conftest import redis_rig, rig, store, valkey_server  # noqa: F401  # fixtures

NAMES = [f"{number:064x}" for number in range(3)]


class Waiting(LocalJobs):
    """Jobs that are not run."""

    def start(self) -> None:
        """Start nothing."""


@pytest.fixture
def jobs(store) -> Waiting:  # noqa: F811
    return Waiting(FUNCTIONS, store, app="nowhere:jobs")


def spec(**more: Any) -> JobSpec:
    return JobSpec(**{"function": "events", "domains": ("moves",), "arguments": {"path": "x"}, "owner": "ann", **more})


def test_the_same_submission_is_the_same_job(jobs):
    first = jobs.submit(spec(arguments={"path": "x", "nap": 0.0}), ["b", "a"])
    second = jobs.submit(spec(arguments={"nap": 0.0, "path": "x"}), iter(["a", "b", "a"]))
    assert first == second
    assert list(jobs.store.job_ids()) == [first.job_id]


@pytest.mark.parametrize(
    "more",
    [
        {"owner": "bob"}, {"owner": None}, {"function": "stuck"}, {"arguments": {"path": "y"}}, {"domains": ("holds",)},
        {"profile": "p"}, {"shards": 2}, {"shape": "arrays"}, {"order": "any"},
    ],
)  # fmt: skip
def test_a_submission_that_differs_is_another_job(jobs, more):
    jobs.functions["stuck"] = jobs.functions["events"]
    first = jobs.submit(spec(), ["a", "b"])
    assert jobs.submit(spec(**more), ["a", "b"]).job_id != first.job_id
    assert jobs.submit(spec(), ["a", "b"]).job_id == first.job_id


def test_keys_differ_by_value_and_by_type_and_from_none(jobs):
    asked = [["1"], [1], ["1", "2"], None, ["2"]]
    first = [jobs.submit(spec(), keys).job_id for keys in asked]
    assert len(set(first)) == len(asked)
    assert [jobs.submit(spec(), keys).job_id for keys in asked] == first


def test_inputs_count_by_their_checksums(jobs):
    first = jobs.submit(spec(), ["a"], inputs={"lineage": b"x" * 3_000_000, "more": {"a": 1}})
    same = jobs.submit(spec(), ["a"], inputs={"more": {"a": 1}, "lineage": io.BytesIO(b"x" * 3_000_000)})
    assert same.job_id == first.job_id
    other = b"x" * 2_999_999 + b"y"
    for inputs in ({"lineage": other, "more": {"a": 1}}, {"lineage": b"x" * 3_000_000}, {}, {"more": b"x" * 3_000_000}):
        assert jobs.submit(spec(), ["a"], inputs=inputs).job_id != first.job_id


@pytest.mark.parametrize("end", ["finished", "failed", "cancelled", "lost"])
def test_a_job_that_has_ended_does_not_catch_a_new_submission(jobs, end):
    first = jobs.submit(spec(), ["a"])
    jobs.store.change(first.job_id, {"status": "started"})
    assert jobs.submit(spec(), ["a"]).job_id == first.job_id
    jobs.store.change(first.job_id, {"status": end})
    second = jobs.submit(spec(), ["a"])
    assert second.job_id != first.job_id
    assert jobs.submit(spec(), ["a"]).job_id == second.job_id


def test_neither_does_one_that_is_being_cancelled_or_is_gone_or_was_never_ready(jobs, monkeypatch):
    monkeypatch.setattr("mesbatch.jobs.base.READY_SECONDS", 0.1)
    first = jobs.submit(spec(), ["a"])
    jobs.store.change(first.job_id, {"cancel": "1"})
    second = jobs.submit(spec(), ["a"])
    assert second.job_id != first.job_id
    jobs.store.delete(second.job_id)
    third = jobs.submit(spec(), ["a"])
    assert third.job_id != second.job_id
    jobs.store.change(third.job_id, {"status": "failed"})
    with monkeypatch.context() as patch:  # its process dies between the claim and the end of the submission
        patch.setattr(jobs, "_begin", lambda job_id, ready: jobs.store.facts(job_id))
        died = jobs.submit(spec(), ["a"])
    assert jobs.submit(spec(), ["a"]).job_id != died.job_id


def test_again_makes_a_new_job(jobs):
    first = jobs.submit(spec(), ["a"])
    assert jobs.submit(spec(), ["a"], again=True).job_id != first.job_id
    assert jobs.submit(spec(), ["a"]).job_id == first.job_id


def test_shards_of_a_job_that_is_there_already_leave_nothing(jobs):
    first = jobs.submit(spec(shards=3), [f"k{n}" for n in range(9)])
    before = sorted(jobs.store.job_ids())
    assert len(before) == 4
    assert jobs.submit(spec(shards=3), [f"k{n}" for n in range(9)]).job_id == first.job_id
    assert sorted(jobs.store.job_ids()) == before


def test_many_that_submit_at_once_get_one_job(rig):  # noqa: F811
    everybody = [Waiting(FUNCTIONS, rig.open(), app="nowhere:jobs") for _ in range(8)]
    for round_ in range(5):
        barrier = Barrier(len(everybody))

        def submit(jobs: Waiting, barrier: Barrier = barrier, round_: int = round_) -> str:
            barrier.wait()
            return jobs.submit(spec(arguments={"path": str(round_)}), ["a", "b"]).job_id

        with ThreadPoolExecutor(len(everybody)) as pool:
            found = set(pool.map(submit, everybody))
        assert len(found) == 1
    assert len(list(everybody[0].store.job_ids())) == 5


WEB = """
import json, sys, time
from mesbatch.jobs import JobSpec
from mesbatch.jobs.rq import RQJobs
from mesbatch.store.redis import RedisStore
from tests.jobs.functions import FUNCTIONS
url, at = sys.argv[1], float(sys.argv[2])
jobs = RQJobs(FUNCTIONS, RedisStore(url, prefix="same"), app="nowhere:jobs", url=url)
jobs.check_listening()
print("ready", flush=True)
found = []
for n in range(40):
    sys.stdin.readline()
    spec = JobSpec(function="events", domains=("moves",), arguments={"path": str(n)}, owner="ann")
    print(json.dumps(jobs.submit(spec, ["a", "b"]).job_id), flush=True)
"""


def test_two_web_servers_that_submit_at_once_get_one_job_in_the_queue(valkey_server):  # noqa: F811
    pytest.importorskip("rq", reason="rq is not installed")
    import redis

    from mesbatch.jobs.listening import Listening, queue_name

    client = redis.Redis.from_url(valkey_server.url)
    queue = queue_name("trace-events", "same")
    Listening(client, queue).beat("somebody")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(ROOT)])}
    webs = [
        subprocess.Popen(
            [sys.executable, "-c", WEB, valkey_server.url, "0"], env=environment, text=True, cwd=ROOT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    try:
        assert [web.stdout.readline() for web in webs] == ["ready\n"] * 2
        different = 0
        for _ in range(40):
            Listening(client, queue).beat("somebody")
            for web in webs:
                web.stdin.write("\n")
            for web in webs:
                web.stdin.flush()
            one, other = (json.loads(web.stdout.readline()) for web in webs)
            different += one != other
        assert different == 0
        assert client.llen(f"rq:queue:{queue}") == 40
    finally:
        for web in webs:
            web.stdin.close()
            web.wait(20)
            web.stdout.close()
        client.close()


def test_a_submission_that_died_before_the_queue_catches_no_other(valkey_server, monkeypatch):  # noqa: F811
    pytest.importorskip("rq", reason="rq is not installed")
    from mesbatch.jobs.rq import RQJobs
    from mesbatch.store.redis import RedisStore

    monkeypatch.setattr("mesbatch.jobs.base.READY_SECONDS", 0.1)
    found = RQJobs(FUNCTIONS, RedisStore(valkey_server.url, prefix="died"), app="nowhere:jobs", url=valkey_server.url)
    found.listening.beat("somebody")
    with monkeypatch.context() as patch:
        patch.setattr(found, "_enqueue", lambda job_id: None)
        died = found.submit(spec(), ["a"])
    second = found.submit(spec(), ["a"])
    assert second.job_id != died.job_id
    assert found.submit(spec(), ["a"]).job_id == second.job_id
    assert found.queue.connection.llen(found.queue.key) == 1
    found.store.close()
    found.close()


def test_a_claim_belongs_to_one_job_at_a_time(store):  # noqa: F811
    first, second, third = (new_job_id() for _ in range(3))
    assert store.claim(NAMES[0], first, None) == first
    assert store.claim(NAMES[0], second, None) == first
    assert store.claim(NAMES[1], second, None) == second
    assert store.claim(NAMES[0], third, second) == first
    assert store.claim(NAMES[0], third, first) == third
    assert store.claim(NAMES[0], second, first) == third
    assert list(store.job_ids()) == []
    with pytest.raises(ValueError, match="SHA-256"):
        store.claim("../x", first, None)


def test_old_claims_are_swept(tmp_path):
    found = DirectoryStore(tmp_path, ttl=3_600)
    assert found.claim(NAMES[0], new_job_id(), None)
    assert found.claim(NAMES[1], new_job_id(), None)
    old = time.time() - 8_000
    for path in Path(tmp_path, "claims", NAMES[0]).iterdir():
        os.utime(path, (old, old))
    found.sweep()
    assert [path.name for path in Path(tmp_path, "claims").iterdir()] == [NAMES[1]]


def test_the_one_job_is_run_once_and_is_whole(jobs, database):
    asked = spec(arguments={"path": database})
    first, second = jobs.submit(asked, ["c0001", "c0002"]), jobs.submit(asked, ["c0001", "c0002"])
    assert run_job(jobs.store, first.job_id, FUNCTIONS, "w") == "finished"
    assert second.job_id == first.job_id
    assert jobs.get(second.job_id, owner="ann").status == "finished"
    with pytest.raises(JobNotFound):
        jobs.get(first.job_id, owner="bob")
