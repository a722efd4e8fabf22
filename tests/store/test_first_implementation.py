"""Results of the first implementation, read by us, and results of ours, read by a reader like it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mesbatch.errors import ChunkLost, CorruptChunk, InvalidPage, JobNotFound
from mesbatch.store import ResultReader, new_job_id
from mesbatch.store.result_json import result_json
from mesbatch.store.stored_lines import stored_lines
from tests.store.results import finish, new_job, publish, rows_of, writer_of

GOLDEN = Path(__file__).parent / "golden"  # bytes of the first implementation, made of invented rows
OLD_JOB = "trace-evt-0123456789ab"


def golden(name):
    text = (GOLDEN / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if name.endswith("ndjson") else json.loads(text)


@pytest.fixture
def restored(redis_rig):
    """Put a recorded layout into Redis, and give a store on it."""

    def restore(name):
        client = redis_rig.client()
        for key, entry in golden(name).items():
            ours = key.replace("mes_wip", redis_rig.prefix, 1)
            if isinstance(entry["value"], dict):
                client.hset(ours, mapping=entry["value"])
            else:
                client.set(ours, entry["value"])
            client.expire(ours, entry["ttl"])
        return redis_rig.open()

    return restore


def old_reader(client, prefix, job_id):
    """Read a finished result as the first implementation does: its account, chunk by chunk, the aggregation."""

    def get(name):
        value = client.get(f"{prefix}:trace:job:{job_id}:{name}")
        return None if value is None else json.loads(value)

    meta = get("result:meta")
    if meta is None:
        return None
    results = {
        name: [row for number in range(domain["chunks"]) for row in get(f"result:{name}:{number}")]
        for name, domain in meta["domains"].items()
    }
    assert {name: domain["total"] for name, domain in meta["domains"].items()} == {
        n: len(r) for n, r in results.items()
    }
    return meta, results, get("result:aggregation")


def test_the_recorded_chunks_are_streamed_as_they_were(restored):
    stream = [json.loads(line) for line in stored_lines(restored("redis_chunked.json"), OLD_JOB)]
    expected = golden("stream.ndjson")
    assert [line["type"] for line in stream] == [line["type"] for line in expected]
    assert [{member: line[member] for member in theirs} for line, theirs in zip(stream, expected)] == expected


@pytest.mark.parametrize("from_", range(5))
def test_the_recorded_chunks_are_streamed_from_any_of_them(restored, from_):
    stream = [json.loads(line) for line in stored_lines(restored("redis_chunked.json"), OLD_JOB, from_=from_)]
    records = [line for line in golden("stream.ndjson") if line["type"] == "records"]
    assert [line["data"] for line in stream if line["type"] == "records"] == [line["data"] for line in records][from_:]
    assert stream[-1]["total_records"] == 9


def test_the_recorded_chunks_are_the_recorded_result(restored):
    reader = ResultReader(restored("redis_chunked.json"), OLD_JOB)
    assert json.loads(b"".join(result_json(reader))) == golden("result.json")


def test_the_recorded_page_is_read(restored):
    reader = ResultReader(restored("redis_chunked.json"), OLD_JOB)
    page = result_json(reader, ["upstream_history"], offset=2, limit=3)
    assert json.loads(b"".join(page)) == golden("result_page.json")


def test_the_recorded_status_is_read(restored):
    facts, status = restored("redis_chunked.json").facts(OLD_JOB), golden("status.json")["queued"]
    assert (facts["status"], facts["profile"], facts["progress"]) == ("queued", status["profile"], status["progress"])
    assert (int(facts["cid_count"]), facts["domains"].split(",")) == (status["cid_count"], status["domains"])
    assert float(facts["created_at"]) == status["created_at"]


def test_the_recorded_single_key_is_one_full_result_line(restored):
    (line,) = stored_lines(restored("redis_legacy.json"), OLD_JOB)
    assert [json.loads(line)] == golden("legacy_stream.ndjson")
    assert line.count(b"\n") == 1


def test_the_recorded_single_key_has_pages(restored):
    reader = ResultReader(restored("redis_legacy.json"), OLD_JOB)
    whole = json.loads(b"".join(result_json(reader)))
    expected = golden("legacy_stream.ndjson")[0]["data"]
    for domain in expected["results"].values():
        domain["total"] = domain["count"]
    assert whole == expected
    page = json.loads(b"".join(result_json(reader, ["materials"], offset=1, limit=1)))
    assert page["results"]["materials"]["data"] == expected["results"]["materials"]["data"][1:]
    with pytest.raises(InvalidPage):
        result_json(reader, ["holds"])


def test_a_recorded_chunk_that_was_evicted_is_an_error(redis_rig, restored):
    store = restored("redis_chunked.json")
    redis_rig.client().delete(f"{redis_rig.prefix}:trace:job:{OLD_JOB}:result:upstream_history:1")
    with pytest.raises(ChunkLost, match="chunk 1 of 'upstream_history'"):
        result_json(ResultReader(store, OLD_JOB))
    with pytest.raises(ChunkLost):
        stored_lines(store, OLD_JOB)


@pytest.mark.parametrize(("value", "error"), [("[]", ChunkLost), ("[{", CorruptChunk), ('{"a":1}', CorruptChunk)])
def test_a_recorded_chunk_that_is_another_is_an_error(redis_rig, restored, value, error):
    store = restored("redis_chunked.json")
    redis_rig.client().set(f"{redis_rig.prefix}:trace:job:{OLD_JOB}:result:materials:0", value)
    with pytest.raises(error):
        result_json(ResultReader(store, OLD_JOB))


@pytest.mark.parametrize("value", ["", "[]", '{"results":[]}'])
def test_a_recorded_single_key_that_is_another_is_an_error(redis_rig, restored, value):
    store = restored("redis_legacy.json")
    redis_rig.client().set(f"{redis_rig.prefix}:trace:job:{OLD_JOB}:result", value)
    with pytest.raises(CorruptChunk):
        result_json(ResultReader(store, OLD_JOB))


def test_a_job_without_a_result_has_none(redis_rig):
    store = redis_rig.open()
    with pytest.raises(JobNotFound):
        stored_lines(store, OLD_JOB)
    with pytest.raises(JobNotFound):
        ResultReader(store, new_job_id()).page("a")


def test_a_reader_of_the_first_implementation_reads_ours(redis_rig):
    store, client = redis_rig.open(), redis_rig.client()
    job_id = new_job(store, owner="me", domains="a,b,c")
    writer = writer_of(store, job_id)
    publish(writer, "a", rows_of(1, 2))
    assert old_reader(client, redis_rig.prefix, job_id) is None
    publish(writer, "b", rows_of(7))
    publish(writer, "a", rows_of(3))
    writer.aggregate({"total": 4})
    finish(writer, ["a", "b", "c"], failed_domains=["holds"])
    meta, results, aggregation = old_reader(client, redis_rig.prefix, job_id)
    assert meta == {
        "profile": "p",
        "domains": {"a": {"chunks": 2, "total": 3}, "b": {"chunks": 1, "total": 1}, "c": {"chunks": 0, "total": 0}},
        "failed_domains": ["holds"],
    }
    assert results == {"a": rows_of(1, 2, 3), "b": rows_of(7), "c": []}
    assert aggregation == {"total": 4}
    hash_of_job = client.hgetall(f"{redis_rig.prefix}:trace:job:{job_id}:meta")
    assert hash_of_job == {b"status": b"started", b"profile": b"p", b"cid_count": b"7", b"domains": b"a,b,c"}


def test_our_keys_have_the_prefix_of_the_job_and_a_time(redis_rig):
    store, client = redis_rig.open(ttl=100.0), redis_rig.client()
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    publish(writer, "a", rows_of(1))
    finish(writer)
    keys = list(client.scan_iter(f"{redis_rig.prefix}:*"))
    assert len(keys) == 8
    of_all = f"{redis_rig.prefix}:trace:open".encode()
    assert all(key.startswith(f"{redis_rig.prefix}:trace:job:{job_id}:".encode()) for key in keys if key != of_all)
    assert {0 < client.ttl(key) <= 160 for key in keys} == {True}
