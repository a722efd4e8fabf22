"""A Redis that is full, read-only, cannot save or does not let us in: both Redis 7 and Valkey."""

from __future__ import annotations

import json
import shutil
import threading
import time

import pytest

from mesbatch.errors import ResultStoreFull, StoreRefused, StoreUnavailable
from mesbatch.store import ResultReader
from mesbatch.store.stored_lines import stored_lines
from tests.rig.servers import SERVERS, server_or_skip
from tests.store.results import finish, new_job, publish, rows_of, writer_of, written
from tests.store.rigs import RedisRig

redis = pytest.importorskip("redis", reason="no redis client: redis is not installed")


@pytest.fixture(params=SERVERS)
def server(request):
    with server_or_skip(request.param) as server:
        yield server


@pytest.fixture
def rig(server):
    rig = RedisRig(server.url)
    yield rig
    rig.close()


def test_a_full_server_still_shows_what_it_holds(rig):
    store = rig.open(patience=0.2)
    job_id = written(store, [("a", rows_of(1, 2))])
    rig.client().config_set("maxmemory", 1)
    assert store.facts(job_id)["status"] == "finished"
    assert json.loads(b"".join(ResultReader(store, job_id).page("a").data)) == rows_of(1, 2)
    assert json.loads(list(stored_lines(store, job_id))[-1])["type"] == "complete"
    assert store.holder(job_id) == "worker"


def test_a_full_server_lets_a_job_be_held_changed_cancelled_and_finished(rig):
    store, client = rig.open(patience=0.2), rig.client()
    job_id, other = new_job(store), new_job(store)
    writer = writer_of(store, job_id)
    publish(writer, "a", rows_of(1))
    client.config_set("maxmemory", 1)
    store.renew(writer._lease)
    store.change(job_id, {"cancel": "1", "progress": "{}"}, token=writer._lease.token)
    lease = store.acquire(other, "another")
    assert store.holder(other) == "another"
    store.release(lease)
    assert store.holder(other) is None
    with pytest.raises(ResultStoreFull, match="no memory"):
        publish(writer, "a", rows_of(2))
    with pytest.raises(ResultStoreFull):
        new_job(store)
    with pytest.raises(ResultStoreFull):
        store.put_keys(job_id, 0, b"x")
    assert finish(writer).total_records == 1
    store.change(job_id, {"status": "failed", "code": "result-store-full"}, token=writer._lease.token)
    assert store.facts(job_id)["code"] == "result-store-full"


def test_a_chunk_that_moves_to_another_job_moves_whole_or_not_on_a_full_server(rig):
    store = rig.open(patience=0.2)
    shard, whole = new_job(store), new_job(store)
    publish(writer_of(store, shard), "a", rows_of(1))
    (entry,) = store.journal(shard, 0, 9)
    writer = writer_of(store, whole)
    writer.start("a", [{"name": "ID"}, {"name": "N"}])
    rig.client().config_set("maxmemory", 1)
    assert writer.adopt(shard, [(entry.chunk, entry.domains["a"])]) == 1
    assert [one.chunk.rows for one in store.journal(whole, 0, 9)] == [1]
    assert store.chunk(whole, store.journal(whole, 0, 1)[0].chunk) is not None


def readonly(client, server):
    client.replicaof("127.0.0.1", 1)
    return lambda: client.replicaof("NO", "ONE")


def misconf(client, server):
    shutil.rmtree(server.directory)  # it cannot save any more
    client.config_set("save", "1 1")
    client.set("x", 1)
    client.bgsave()
    until = time.monotonic() + 10
    while client.info("persistence")["rdb_last_bgsave_status"] == "ok":
        assert time.monotonic() < until
        time.sleep(0.05)
    return lambda: client.config_set("save", "")


TROUBLES = [readonly, misconf]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_server_that_takes_no_writes_is_waited_for(rig, server, trouble):
    store = rig.open(patience=20)
    job_id = new_job(store)
    thread = threading.Timer(0.7, trouble(rig.client(), server))
    thread.start()
    assert store.change(job_id, {"progress": "{}"})["progress"] == "{}"
    thread.join()


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_server_that_takes_no_writes_for_long_still_shows_what_it_holds(rig, server, trouble):
    store = rig.open(patience=0.3)
    job_id = written(store, [("a", rows_of(1, 2))])
    trouble(rig.client(), server)
    with pytest.raises(StoreUnavailable, match=r"did not answer for 0\.3 s"):
        store.change(job_id, {"progress": "{}"})
    assert store.facts(job_id)["status"] == "finished"
    assert json.loads(b"".join(ResultReader(store, job_id).page("a").data)) == rows_of(1, 2)


def test_a_wrong_password_is_told_at_once(rig, server):
    rig.client().config_set("requirepass", "secret")
    began = time.monotonic()
    store = RedisRig(server.url.replace("//", "//:wrong@")).open(patience=30)
    with pytest.raises(StoreUnavailable, match="Redis refused"):
        new_job(store)
    assert time.monotonic() - began < 5


def test_a_client_may_be_passed_and_stays_open(rig, server):
    with redis.Redis.from_url(server.url) as client:
        store = RedisRig(client).open()
        job_id = written(store, [("a", rows_of(1))])
        store.close()
        assert client.ping()
        assert store.facts(job_id)["status"] == "finished"


def test_a_client_that_cannot_keep_jobs_is_refused(server):
    with (
        redis.Redis.from_url(server.url, decode_responses=True) as client,
        pytest.raises(StoreRefused, match="decode_responses"),
    ):
        RedisRig(client).open()
    cluster = redis.RedisCluster.__new__(redis.RedisCluster)
    with pytest.raises(StoreRefused, match="Cluster"):
        RedisRig(cluster).open()
