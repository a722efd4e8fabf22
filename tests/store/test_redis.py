"""The store in Redis, which may be full, evict, be away, come back empty, and expire by itself."""

from __future__ import annotations

import json
import logging
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesbatch.errors import (
    ChunkLost,
    JobNotFound,
    LeaseHeld,
    LeaseLost,
    ResultExpired,
    ResultStoreFull,
    StoreUnavailable,
)
from mesbatch.store import DirectoryStore, ResultReader
from mesbatch.store.stored_lines import stored_lines
from tests.rig.until import until
from tests.rig.valkey import PrivateValkey
from tests.store.results import COLUMNS, encode, finish, new_job, publish, rows_of, writer_of, written
from tests.store.rigs import RedisRig

redis = pytest.importorskip("redis", reason="no redis client: redis is not installed")


@pytest.fixture
def own_server(valkey_server):
    """Start a server that this test may fill, stop and kill."""
    with PrivateValkey() as server:
        yield server


@pytest.fixture
def own_rig(own_server):
    rig = RedisRig(own_server.url)
    yield rig
    rig.close()


def fill(writer, size=200_000, chunks=1_000):
    writer.start("a", COLUMNS)
    data = json.dumps([{"ID": "x" * size}], separators=(",", ":")).encode()
    for number in range(chunks):
        writer.publish("a", data, 1, number)


def pages(store, job_id, domain="a"):
    return json.loads(b"".join(ResultReader(store, job_id).page(domain).data))


def test_a_full_server_is_an_error_that_leaves_older_results_untouched(own_rig):
    store, client = own_rig.open(), own_rig.client()
    older = written(store, [("a", rows_of(1, 2))])
    client.config_set("maxmemory", client.info("memory")["used_memory"] + 2_000_000)
    writer = writer_of(store, new_job(store))
    with pytest.raises(ResultStoreFull, match="no memory"):
        fill(writer)
    published = writer.domains["a"].chunks
    assert 0 < published < 20
    assert pages(store, older) == rows_of(1, 2)
    client.config_set("maxmemory", 0)
    fill(writer, chunks=1)
    manifest = finish(writer)
    assert [chunk.number for chunk in manifest.chunks] == list(range(published + 1))
    assert len(pages(store, writer._lease.job_id)) == published + 1


def test_a_server_that_may_evict_is_warned_about_once(own_rig, caplog):
    client = own_rig.client()
    client.config_set("maxmemory-policy", "allkeys-lru")
    with caplog.at_level(logging.WARNING, "mesbatch"):
        store = own_rig.open()
        new_job(store)
        new_job(store)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "the maxmemory-policy of this Redis is allkeys-lru"
    ]


def test_a_server_that_keeps_what_it_has_is_not_warned_about(own_rig, caplog):
    new_job(own_rig.open())
    assert not caplog.records


def test_chunks_that_the_server_evicted_are_an_error_and_no_shorter_result(own_rig):
    store, client = own_rig.open(), own_rig.client()
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    fill(writer, chunks=30)
    finish(writer)
    store.change(job_id, {"status": "finished"})
    client.config_set("maxmemory-policy", "volatile-random")
    client.config_set("maxmemory", client.info("memory")["used_memory"] - 2_000_000)
    client.set("more", "x" * 1_000)
    assert not all(client.exists(f"{own_rig.prefix}:trace:job:{job_id}:result:a:{number}") for number in range(30))
    with pytest.raises((ChunkLost, JobNotFound, ResultExpired)):
        pages(store, job_id)


def test_a_job_whose_chunk_was_evicted_does_not_finish(redis_rig):
    store = redis_rig.open()
    writer = writer_of(store, new_job(store))
    publish(writer, "a", rows_of(1))
    publish(writer, "a", rows_of(2))
    redis_rig.put_chunk(writer._lease.job_id, writer._chunks[0], None)
    with pytest.raises(ChunkLost, match="chunk 0 of 'a'"):
        finish(writer)
    assert store.manifest(writer._lease.job_id) is None


def test_a_journal_that_was_evicted_ends_the_job(redis_rig):
    store = redis_rig.open()
    writer = writer_of(store, new_job(store))
    publish(writer, "a", rows_of(1))
    redis_rig.client().delete(f"{redis_rig.prefix}:trace:job:{writer._lease.job_id}:journal")
    with pytest.raises(ChunkLost, match="0 entries"):
        publish(writer, "a", rows_of(2))


def test_a_server_that_restarted_empty_makes_the_worker_stop(own_server, own_rig):
    store = own_rig.open()
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    publish(writer, "a", rows_of(1))
    stream = stored_lines(store, job_id, poll=0.005)
    next(stream)
    own_server.kill()
    own_server.start()
    with pytest.raises(LeaseLost, match="knows no lease"):
        publish(writer, "a", rows_of(2))
    with pytest.raises(LeaseLost):
        store.renew(writer._lease)
    with pytest.raises(JobNotFound):
        store.facts(job_id)
    assert json.loads(list(stream)[-1])["type"] == "error"
    assert own_rig.client().dbsize() == 0


def test_a_server_that_is_away_for_a_while_is_waited_for(own_server, own_rig):
    store = own_rig.open(patience=20.0)
    writer = writer_of(store, new_job(store))
    own_server.pause()
    thread = threading.Timer(0.3, own_server.resume)
    thread.start()
    publish(writer, "a", rows_of(1))
    thread.join()
    finish(writer)
    assert pages(store, writer._lease.job_id) == rows_of(1)


def test_a_server_that_stays_away_is_an_error_within_the_patience(own_server, own_rig):
    store = own_rig.open(patience=0.2)
    writer = writer_of(store, new_job(store))
    publish(writer, "a", rows_of(1))
    own_server.kill()
    with pytest.raises(StoreUnavailable, match=r"0\.2 s"):
        publish(writer, "a", rows_of(2))
    assert writer.domains["a"].rows == 1


class LosingAnswers:
    """A client whose first answer to each script is lost on the way, after the server did what was asked."""

    def __init__(self, client):
        self._client, self.lost = client, 0

    def __getattr__(self, name):
        return getattr(self._client, name)

    def eval(self, *arguments):
        answer = self._client.eval(*arguments)
        self.lost += 1
        if self.lost % 2:
            raise redis.ConnectionError("the answer was lost")
        return answer


def test_what_was_done_though_the_answer_was_lost_is_done_once(redis_rig):
    store = redis_rig.open()
    store._server.client = LosingAnswers(store._server.client)
    job_id = new_job(store, status="queued")
    store.change(job_id, {"status": "started"}, only_if={"queued"})
    writer = writer_of(store, job_id)
    publish(writer, "a", rows_of(1))
    publish(writer, "a", rows_of(2))
    store.renew(writer._lease)
    finish(writer)
    store.change(job_id, {"status": "finished"}, only_if={"started"})
    store.release(writer._lease)
    assert store._server.client.lost == 18
    assert pages(store, job_id) == rows_of(1, 2)


def test_a_result_over_its_budget_goes_on_in_the_second_store(redis_rig, tmp_path):
    second = DirectoryStore(tmp_path / "jobs")
    store = redis_rig.open(max_bytes=100, overflow=second)
    chunks = [("a", rows_of(number, number)) for number in range(5)]
    job_id = written(store, chunks)
    manifest = store.manifest(job_id)
    assert [chunk.overflow for chunk in manifest.chunks] == [False, False, True, True, True]
    assert pages(store, job_id) == [row for _, rows in chunks for row in rows]
    assert json.loads(list(stored_lines(store, job_id))[-1])["total_records"] == 10
    (second.objects.root / job_id / "chunks" / "00000001" / "00000003").unlink()
    with pytest.raises(ChunkLost, match="chunk 3"):
        pages(store, job_id)


def test_what_overflowed_is_swept_with_its_job_and_only_then(redis_rig, tmp_path):
    second = DirectoryStore(tmp_path / "jobs")
    own = written(second, [("a", rows_of(1))])
    store = redis_rig.open(max_bytes=10, overflow=second)
    kept, gone = (written(store, [("a", rows_of(1))]) for _ in range(2))
    redis_rig.client().delete(f"{redis_rig.prefix}:trace:job:{gone}:meta")
    assert store.sweep() == 1
    assert set(second.job_ids()) == {own, kept}
    assert second.sweep() == 0
    assert pages(store, kept) == rows_of(1)
    store.delete(kept)
    assert set(second.job_ids()) == {own}


def test_a_result_over_its_budget_without_a_second_store_is_refused(redis_rig):
    store = redis_rig.open(max_bytes=100)
    writer = writer_of(store, new_job(store))
    publish(writer, "a", rows_of(1, 2))
    with pytest.raises(ResultStoreFull, match="100 B"):
        publish(writer, "a", rows_of(3, 4, 5))
    assert writer.domains["a"].rows == 2


def test_a_retry_gets_back_the_bytes_that_were_dropped(redis_rig):
    size = len(encode(rows_of(1)))
    store = redis_rig.open(max_bytes=2 * size)
    job_id = new_job(store)
    for _ in range(3):
        writer = writer_of(store, job_id)
        publish(writer, "a", rows_of(1), ends_key=False)
        store.release(writer._lease)
    writer = writer_of(store, job_id)
    publish(writer, "a", rows_of(1))
    publish(writer, "a", rows_of(2))
    with pytest.raises(ResultStoreFull):
        publish(writer, "a", rows_of(3))


def test_chunks_are_renewed_while_the_job_lives_and_at_its_end(redis_rig):
    store, client = redis_rig.open(ttl=0.6), redis_rig.client()
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    publish(writer, "a", rows_of(1))
    key = f"{redis_rig.prefix}:trace:job:{job_id}:result:a:0"
    client.pexpire(key, 5_000)
    store.renew(writer._lease)
    assert client.pttl(key) <= 5_000
    client.hset(f"{redis_rig.prefix}:trace:job:{job_id}:lease", "touched", 0)  # as if a third of the time had passed
    store.renew(writer._lease)
    assert client.pttl(key) > 50_000
    client.pexpire(key, 5_000)
    finish(writer)
    assert client.pttl(key) > 50_000
    until(lambda: store.manifest(job_id) is None)
    assert client.exists(key)


def test_a_result_that_is_being_read_outlives_its_time(redis_rig):
    store, client = redis_rig.open(ttl=100.0), redis_rig.client()
    job_id = written(store, [("a", rows_of(1)), ("a", rows_of(2))])
    stream = stored_lines(store, job_id)
    [next(stream) for _ in range(2)]
    keys = list(client.scan_iter(f"{redis_rig.prefix}:*result*"))
    assert len(keys) == 4
    assert all(client.ttl(key) > 500 for key in keys)
    stream.close()


@settings(max_examples=10)
@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_any_facts_come_back(redis_rig, facts):
    facts = {name: text.encode(errors="replace").decode() for name, text in facts.items() if _is_text(name)}
    store = redis_rig.open()
    job_id = new_job(store)
    assert store.change(job_id, facts).items() >= facts.items()


def _is_text(name):
    return name.encode(errors="replace").decode() == name and name != "status"


def test_a_lease_is_measured_by_the_clock_of_the_server(redis_rig, monkeypatch):
    store = redis_rig.open()
    job_id = new_job(store)
    store.acquire(job_id, "me")
    monkeypatch.setattr("time.time", lambda: 4e9)
    with pytest.raises(LeaseHeld):
        store.acquire(job_id, "you")
