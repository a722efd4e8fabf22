"""Workers of RQ beside a Redis that refuses, and beside those of another deployment."""

from __future__ import annotations

import logging
import time
from contextlib import suppress

import pytest

pytest.importorskip("rq")
pytest.importorskip("redis")

import redis

from mesbatch.errors import LimiterBusy, NoWorker, StoreRefused
from mesbatch.jobs.listening import Listening
from mesbatch.jobs.rq import OldQueue, RQJobs
from mesbatch.jobs.stop import Stop
from mesbatch.store.redis import RedisStore
from tests.jobs.functions import FUNCTIONS, KEYS, expected
from tests.jobs.rig import LEASE_SECONDS, RqRig, rows_of, spec, wait_for_end, wait_for_rows
from tests.rig.servers import SERVERS, server_or_skip

pytestmark = pytest.mark.slow

# As docs/jobs.md has it.
RULES = (
    "~mes_wip:* ~mesbatch:* ~rq:* resetchannels &rq:* -@all +@read +@write +@transaction +@scripting +@connection "
    "+@pubsub +info +time -@dangerous"
)


@pytest.fixture(params=SERVERS)
def server(request):
    with server_or_skip(request.param) as server:
        yield server


@pytest.fixture
def rig(tmp_path, server):
    rig = RqRig(tmp_path, server)
    yield rig
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", 0)
        client.replicaof("NO", "ONE")
    rig.close()


@pytest.mark.parametrize("trouble", ["full", "readonly", "cut"])
def test_a_worker_survives_a_redis_that_refuses_and_its_job_ends_whole_or_says_why(rig, server, database, trouble):
    worker = rig.start_worker()
    client = redis.Redis.from_url(server.url)
    job_id = rig.submit(spec(database, nap=0.0004))
    wait_for_rows(rig.jobs, job_id)
    until_seconds = time.monotonic() + LEASE_SECONDS + 4
    match trouble:
        case "full":
            client.config_set("maxmemory", 1)
        case "readonly":
            client.replicaof("127.0.0.1", 1)
    while time.monotonic() < until_seconds:
        if trouble == "cut":
            client.client_kill_filter(_type="normal", skipme=True)
        assert rig.jobs.get(job_id).job_id == job_id
        time.sleep(0.3)
    client.config_set("maxmemory", 0)
    client.replicaof("NO", "ONE")
    client.close()
    job = wait_for_end(rig.jobs, job_id, 60)
    if trouble == "full":
        assert (job.status, job.code) == ("failed", "result-store-full")
    else:
        assert job.status == "finished"
        assert rows_of(rig.jobs, job_id) == expected(database)
    assert worker.poll() is None
    after = rig.submit(spec(database))
    assert wait_for_end(rig.jobs, after, 30).status == "finished"


def test_an_idle_worker_survives_a_full_redis(rig, server, database):
    worker = rig.start_worker()
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", 1)
        time.sleep(17)  # RQ's own heartbeat comes every 15 s
        assert worker.poll() is None
        assert rig.jobs.listening.workers()
        client.config_set("maxmemory", 0)
    assert wait_for_end(rig.jobs, rig.submit(spec(database)), 30).status == "finished"


def jobs_of(url, prefix, queue="trace-events"):
    return RQJobs(FUNCTIONS, RedisStore(url, prefix=prefix), app="nowhere:jobs", url=url, queue=queue)


def test_two_deployments_on_one_redis_share_no_queue_no_worker_and_no_watch(server, database):
    with jobs_of(server.url, "mes_wip") as default, jobs_of(server.url, "staging") as staging:
        assert (default.queue.name, staging.queue.name) == ("trace-events", "staging:trace-events")
        staging.listening.beat("theirs")
        with pytest.raises(NoWorker, match="'trace-events'"):
            default.submit(spec(database), KEYS)
        default.listening.beat("ours")
        job_id = default.submit(spec(database), KEYS).job_id
        assert staging.queue.job_ids == []
        assert staging.watched_jobs() == []
        assert default.watched_jobs() == [job_id]
        assert default.queue.count == 1
        assert staging.listening.workers() == ["theirs"]
        assert default.listening.workers() == ["ours"]


def test_jobs_of_an_older_web_server_are_taken_out_of_the_old_queue_and_no_others(server, database):
    with jobs_of(server.url, "mes_wip") as default, jobs_of(server.url, "staging") as staging:
        default.listening.beat("ours")
        others = default.submit(spec(database), KEYS).job_id
        staging.listening.beat("theirs")
        old = staging.submit(spec(database), KEYS).job_id
        staging.queue.empty()
        staging.listening.remove_job(old)
        rq_id = staging.store.facts(old)["rq_id"]
        staging.connection.rpush("rq:queue:trace-events", rq_id)
        Listening(staging.connection, "trace-events").add_job(old)
        assert staging.watched_jobs() == [old]
        assert OldQueue(staging.connection, "trace-events").jobs() == [others]
        assert default.queue.count == 1
        assert default.queue.job_ids != [rq_id]


def test_a_web_server_that_cannot_enqueue_warns_once(server, caplog):
    with jobs_of(server.url, "mes_wip") as jobs, caplog.at_level(logging.WARNING, "mesbatch.jobs.rq"):
        for _ in range(3):
            with pytest.raises(NoWorker):
                jobs.check_listening()
        assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["nothing can become a job"]
        jobs.listening.beat("one")
        jobs.check_listening()
        jobs.listening.leave("one")
        with suppress(NoWorker):
            jobs.check_listening()
        assert len(caplog.records) == 2


def test_a_client_may_be_passed_instead_of_a_url(server):
    with redis.Redis.from_url(server.url) as client:
        store = RedisStore(client)
        with RQJobs(FUNCTIONS, store, app="x:jobs", url=client) as jobs:
            assert jobs.listening.workers() == []
        assert client.ping()
    with redis.Redis.from_url(server.url, decode_responses=True) as client, pytest.raises(StoreRefused):
        RQJobs(FUNCTIONS, store, app="x:jobs", url=client)


def test_the_limit_of_connections_holds_for_those_who_pass_a_client_too(server):
    with redis.Redis.from_url(server.url) as client:
        options = {"app": "x:jobs", "max_connections": 1}
        with (
            RQJobs(FUNCTIONS, RedisStore(client), url=client, **options) as by_client,
            RQJobs(FUNCTIONS, RedisStore(server.url), url=server.url, **options) as by_url,
            by_client.read_limit() as one,
            by_url.read_limit() as other,
        ):
            with one.held(Stop()), pytest.raises(LimiterBusy):
                other._limiter.permit(0, timeout=0)
            with other.held(Stop()), pytest.raises(LimiterBusy):
                one._limiter.permit(0, timeout=0)
            by_url.store.close()
        assert client.ping(), "it stays the caller's"


def test_the_documented_rules_of_access_are_enough_for_web_and_worker(tmp_path, server, database):
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL", "SETUSER", "mesbatch", "on", ">secret", "resetkeys", *RULES.split())
    allowed = RqRig.__new__(RqRig)

    class Server:
        url = server.url.replace("//", "//mesbatch:secret@")

    allowed.__init__(tmp_path, Server())
    try:
        allowed.start_worker()
        job_id = allowed.submit(spec(database))
        assert wait_for_end(allowed.jobs, job_id, 30).status == "finished"
        assert rows_of(allowed.jobs, job_id) == expected(database)
        allowed.jobs.cancel(allowed.submit(spec(database, nap=0.01)))
    finally:
        allowed.close()
