"""Owners of jobs: text from the submission on, and a job whose facts are gone is there for nobody."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path

import pytest

from mesbatch.errors import InvalidJob, JobNotFound
from mesbatch.jobs import JobSpec, LocalJobs
from mesbatch.jobs.job import first_facts
from mesbatch.jobs.run import run_job
from mesbatch.store import DirectoryStore, new_job_id
from tests.jobs.functions import DOMAINS, FUNCTIONS
from tests.rig.servers import SERVERS, server_or_skip

GOLDEN = Path(__file__).parents[1] / "store" / "golden"
OLD_JOB = "trace-evt-0123456789ab"
METHODS = ("get", "cancel", "result", "lines")


class Waiting(LocalJobs):
    """Jobs that are accepted, and not run."""

    def start(self):
        pass


class Name(str):
    __slots__ = ()


def spec(database, **more):
    return JobSpec(**{"function": "events", "domains": DOMAINS, "arguments": {"path": database}, **more})


@pytest.fixture(params=SERVERS)
def redis_store(request):
    with server_or_skip(request.param) as server:
        from mesbatch.store.redis import RedisStore

        with RedisStore(server.url) as store:
            yield store


def client_of(store):
    return store._server.client


def jobs_in(store, **more):
    return Waiting(FUNCTIONS, store, app="nowhere:jobs", **more)


def see(jobs, job_id, owner):
    for method in METHODS:
        getattr(jobs, method)(job_id, owner=owner)


def assert_hidden(jobs, job_id, *owners):
    for owner in owners:
        for method in METHODS:
            with pytest.raises(JobNotFound, match="there is no job"):
                getattr(jobs, method)(job_id, owner=owner)


@pytest.mark.parametrize("owner", [5, 0, uuid.UUID(int=7), "ann", Name("ann"), "安娜", "x" * 5_000, "a\0b"])
def test_a_principal_is_the_same_when_it_submits_and_later(tmp_path, database, owner):
    with jobs_in(DirectoryStore(tmp_path / "store")) as jobs:
        job = jobs.submit(spec(database, owner=owner), ["a"])
        assert job.owner == str(owner)
        assert jobs.get(job.job_id, owner=owner).owner == str(owner)
        assert_hidden(jobs, job.job_id, "bob", None, 6)


@pytest.mark.parametrize("owner", [b"ann", True, 1.5, ("ann",), "", "\ud800"])
def test_any_other_principal_is_refused_before_anything_is_touched(tmp_path, database, owner):
    with jobs_in(DirectoryStore(tmp_path / "store")) as jobs:
        with pytest.raises(InvalidJob, match="an owner"):
            jobs.submit(spec(database, owner=owner), ["a"])
        assert not list(jobs.store.job_ids())


@pytest.mark.parametrize("lost", ["facts", "owner", "other owner", "no hash", "no text", "digest"])
def test_a_job_of_ours_that_has_lost_its_facts_is_there_for_nobody(redis_store, database, lost):
    jobs = jobs_in(redis_store)
    job_id = jobs.submit(spec(database, owner="ann"), ["c0001"]).job_id
    run_job(redis_store, job_id, FUNCTIONS, "worker")
    see(jobs, job_id, "ann")
    client, name = client_of(redis_store), f"mes_wip:trace:job:{job_id}"
    match lost:
        case "facts":
            client.delete(f"{name}:facts")
        case "owner":
            client.hdel(f"{name}:facts", "owner")
        case "other owner":
            client.hset(f"{name}:facts", "owner", "bob")
        case "no hash":
            client.delete(f"{name}:facts")
            client.set(f"{name}:facts", "x")
        case "no text":
            client.hset(f"{name}:facts", "owner", b"\xff\xfe")
        case "digest":
            client.hdel(f"{name}:meta", "owner_digest")
    assert_hidden(jobs, job_id, None, "ann", "bob")


def test_a_job_for_everybody_that_has_lost_its_facts_is_there_for_nobody(redis_store, database):
    jobs = jobs_in(redis_store)
    job_id = jobs.submit(spec(database), ["c0001"]).job_id
    assert jobs.get(job_id, owner="bob").owner is None
    client_of(redis_store).delete(f"mes_wip:trace:job:{job_id}:facts")
    assert_hidden(jobs, job_id, None, "bob")


def test_a_job_of_the_first_implementation_is_shown_unless_that_is_switched_off(redis_store):
    for key, entry in json.loads((GOLDEN / "redis_chunked.json").read_text(encoding="utf-8")).items():
        if isinstance(entry["value"], dict):
            client_of(redis_store).hset(key, mapping=entry["value"])
        else:
            client_of(redis_store).set(key, entry["value"])
    for owner in (None, "ann"):
        see(jobs_in(redis_store), OLD_JOB, owner)
    assert_hidden(jobs_in(redis_store, unmarked=False), OLD_JOB, None, "ann")


def test_facts_that_cannot_be_read_hide_their_job_and_harm_no_other(tmp_path, database):
    store = DirectoryStore(tmp_path / "store")
    jobs = jobs_in(store)
    good, bad = (jobs.submit(spec(database, owner="ann"), [key]).job_id for key in "ab")
    for path in (tmp_path / "store" / bad / "facts").iterdir():
        path.write_bytes(b"x")
    assert_hidden(jobs, bad, None, "ann")
    assert jobs.get(good, owner="ann").status == "queued"
    assert store.sweep() == 0


def test_the_mark_stands_beside_the_facts_that_old_clients_read(redis_store, database):
    job_id = new_job_id()
    redis_store.create(job_id, first_facts(spec(database, owner="ann"), 1, time.time()))
    meta = client_of(redis_store).hgetall(f"mes_wip:trace:job:{job_id}:meta")
    assert meta[b"mesbatch"] == b"1"
    assert b"owner" not in meta
    assert b"ann" not in meta[b"owner_digest"]
