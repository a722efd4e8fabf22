"""Inputs of a job on every store: streamed in, streamed out, never believed when damaged."""

from __future__ import annotations

import io
import json
import time
from decimal import Decimal

import pytest

from mesbatch.errors import ChunkLost, CorruptChunk, InvalidJob
from mesbatch.store import inputs as module
from mesbatch.store import new_job_id
from mesbatch.store.inputs import GivenInputs, StoredInputs, decode_handles, store_inputs
from mesbatch.units import MiB

LINEAGE = {f"4881038000{n:06x}": [f"4881038000{n + m:06x}" for m in range(n % 4)] for n in range(5_000)}


@pytest.fixture
def job_id(store):
    job_id = new_job_id()
    store.create(job_id, {"status": "queued"})
    return job_id


@pytest.fixture(autouse=True)
def short_parts(monkeypatch):
    monkeypatch.setattr(module, "PART_BYTES", 10_000)
    monkeypatch.setattr("mesbatch.store.input_json.PIECE_BYTES", 10_000)


def opened(store, handles):
    return StoredInputs(store, handles)


def test_inputs_come_back_as_they_were(rig, store, job_id):
    data = bytes(range(256)) * 200
    given = {
        "lineage": LINEAGE, "seeds": list(LINEAGE), "raw": data, "view": memoryview(bytearray(data)),
        "file": io.BytesIO(data), "empty": b"", "none": {}, "word": "ä", "deep": {"a": [[1.5, None], {"b": (True,)}]},
    }  # fmt: skip
    handles = store_inputs(store, job_id, given)
    found = opened(rig.open(), handles)  # as another process has it
    assert list(found) == list(given)
    assert dict(found["lineage"].members()) == LINEAGE
    assert list(found["seeds"].elements()) == list(LINEAGE)
    for name in ("raw", "view", "file"):
        assert found[name].read() == data
        assert found[name].size == len(data)
        assert found[name].read(7) == data[:7], "each look-up begins at the beginning"
    assert found["empty"].read() == b""
    assert dict(found["none"].members()) == {}
    assert json.loads(found["word"].read()) == "ä"
    assert json.loads(found["deep"].read()) == {"a": [[1.5, None], {"b": [True]}]}
    assert io.BufferedReader(found["raw"]).read(20_001) == data[:20_001]
    with pytest.raises(KeyError):
        found["absent"]


def test_handles_are_small_and_come_back_from_their_fact(store, job_id):
    handles = store_inputs(store, job_id, {"lineage": LINEAGE})
    fact = module.msgspec.json.encode(handles).decode()
    assert len(fact) < 200
    assert decode_handles(fact) == handles
    assert decode_handles("") == {}


def test_a_part_with_any_byte_flipped_is_an_error(store, job_id):
    handles = store_inputs(store, job_id, {"first": b"12345", "lineage": LINEAGE})
    number = handles["lineage"].first + 3
    whole = store.input(job_id, number)
    for at in (0, 3, 4, len(whole) // 2, len(whole) - 1):
        store.put_input(job_id, number, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        reader = opened(store, handles)["lineage"]
        assert len(reader.read(10_000)) == 10_000
        with pytest.raises(CorruptChunk, match=rf"part 3 of the input 'lineage' of job {job_id} is damaged"):
            reader.read()
        with pytest.raises(CorruptChunk):
            dict(opened(store, handles)["lineage"].members())
    store.put_input(job_id, number, store.input(job_id, number + 1))
    with pytest.raises(CorruptChunk, match="part 3"):
        opened(store, handles)["lineage"].read()
    assert opened(store, handles)["first"].read() == b"12345"


def test_a_part_that_is_gone_is_an_error(rig, store, job_id):
    handles = store_inputs(store, job_id, {"lineage": LINEAGE})
    fewer = {"lineage": module.msgspec.structs.replace(handles["lineage"], parts=handles["lineage"].parts - 1)}
    with pytest.raises(ChunkLost, match=r"bytes of the input 'lineage' of job .* are there"):
        opened(store, fewer)["lineage"].read()
    store.delete(job_id)
    with pytest.raises(ChunkLost, match=r"part 0 of the input 'lineage' of job .* is gone"):
        opened(store, handles)["lineage"].read()


def test_inputs_are_given_back_with_their_job(rig, store, job_id):
    handles = store_inputs(store, job_id, {"lineage": LINEAGE})
    numbers = range(handles["lineage"].parts)
    assert all(store.input(job_id, number) for number in numbers)
    store.delete(job_id)
    assert not any(rig.open().input(job_id, number) for number in numbers)


def test_inputs_expire_with_their_job(redis_rig, job_id_of):
    store = redis_rig.open(ttl=0.2)
    job_id = job_id_of(store)
    store_inputs(store, job_id, {"lineage": LINEAGE})
    client = redis_rig.client()
    names = [name for name in client.keys(f"{redis_rig.prefix}:*") if b":input:" in name]
    assert names
    assert all(0 < client.pttl(name) <= 60_200 for name in names)


def test_a_long_job_keeps_its_keys_and_inputs(redis_rig, job_id_of, monkeypatch):
    monkeypatch.setattr("mesbatch.store.redis.SLACK_SECONDS", 0.0)
    store = redis_rig.open(ttl=0.9, lease_seconds=30)
    job_id = job_id_of(store)
    handles = store_inputs(store, job_id, {"lineage": b"12345"})
    store.put_keys(job_id, 0, b"x")
    lease = store.acquire(job_id, "worker")
    for _ in range(5):
        time.sleep(0.35)
        store.renew(lease)
    assert opened(store, handles)["lineage"].read() == b"12345"
    assert store.keys(job_id, 0) == b"x"


@pytest.fixture
def job_id_of():
    def make(store):
        job_id = new_job_id()
        store.create(job_id, {"status": "queued"})
        return job_id

    return make


@pytest.mark.parametrize(
    "kind", [bytes, io.BytesIO, lambda data: {"a": data.decode()}, lambda data: list(data.decode())]
)
def test_too_large_an_input_is_refused_with_its_name_size_and_limit(store, job_id, monkeypatch, kind):
    value = kind(b"x" * 101)
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    with pytest.raises(InvalidJob, match=r"the input 'lineage' has \d\d\d bytes or more") as caught:
        store_inputs(store, job_id, {"lineage": value})
    assert "the inputs of a job may have 100 in all" in str(caught.value)


def test_the_limit_is_for_all_inputs_together(store, job_id, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    store_inputs(store, job_id, {"a": b"x" * 60, "b": b"x" * 40})
    with pytest.raises(InvalidJob, match="'b' has 41 bytes or more, after 60 of others"):
        store_inputs(store, job_id, {"a": b"x" * 60, "b": b"x" * 41})


def test_the_limit_is_256_mib():
    assert 256 * MiB == module.MOST_BYTES


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a b", "1", "x" * 65, "a\n", 3])
def test_a_name_that_no_input_can_have_is_refused(store, job_id, name):
    with pytest.raises(InvalidJob, match="needs another name"):
        store_inputs(store, job_id, {name: b""})


@pytest.mark.parametrize(
    "value", [object(), {1: 2}, [Decimal(1)], {"a": float("nan")}, [float("inf")], "\ud800", {"a": {"b": {1}}}]
)
def test_what_is_no_json_is_refused(store, job_id, value):
    with pytest.raises(InvalidJob, match="the input 'x'"):
        store_inputs(store, job_id, {"x": value})


def test_a_file_of_text_is_refused(store, job_id):
    with pytest.raises(InvalidJob, match="open it as a binary one"):
        store_inputs(store, job_id, {"x": io.StringIO("abc")})


def test_an_input_that_is_other_json_than_asked_for_says_so(store, job_id):
    found = opened(store, store_inputs(store, job_id, {"x": [1], "y": b"\xff"}))
    with pytest.raises(InvalidJob, match=r"the input 'x' is not the JSON that was asked for: wanted \{"):
        list(found["x"].members())
    with pytest.raises(InvalidJob, match="the input 'y'"):
        list(found["y"].elements())


def test_given_inputs_are_read_where_they_lie():
    data = bytearray(b'{"a":[1]}')
    given = GivenInputs({"x": memoryview(data)})
    assert dict(given["x"].members()) == {"a": [1]}
    assert (given["x"].size, given["x"].read(2), list(given), len(given)) == (9, b'{"', ["x"], 1)


@pytest.mark.parametrize("rig", ["directory"], indirect=True)
@pytest.mark.limit_memory("9 MB")
def test_an_input_is_streamed_in_and_out_in_flat_memory(store, job_id, monkeypatch):
    """Fails where an input is read into memory at once, on either side."""
    monkeypatch.setattr(module, "PART_BYTES", MiB)
    monkeypatch.setattr("mesbatch.store.input_json.PIECE_BYTES", MiB)
    size = 40 * MiB

    class Zeros:
        left = size

        def read(self, count):
            count = min(count, self.left)
            self.left -= count
            return bytes(count)

    found = opened(store, store_inputs(store, job_id, {"zeros": Zeros()}))
    reader, total = found["zeros"], 0
    while some := reader.read(64 * 1024):
        total += len(some)
    assert total == size
