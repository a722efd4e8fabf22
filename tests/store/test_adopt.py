from __future__ import annotations

import zlib

import pytest

from mesbatch.errors import ChunkLost, LeaseLost
from mesbatch.store import Chunk, DomainAccount, Entry, Lease, ResultReader, ResultWriter, new_job_id

FIRST = b'[{"ID":0}]'
ROWS = b'[{"ID":1},{"ID":2}]'


def begun(store):
    job_id = new_job_id()
    store.create(job_id, {"status": "started"})
    writer = ResultWriter(store, store.acquire(job_id, "me"))
    writer.start("holds", [{"name": "ID"}])
    return job_id, writer


def test_a_chunk_of_one_job_becomes_that_of_another(store):
    part, writer = begun(store)
    writer.publish("holds", ROWS, 2, last_key=2)
    writer.end("holds")
    chunk = writer.finish().chunks[0]
    whole, joined = begun(store)
    joined.publish("holds", FIRST, 1, last_key=0)
    checksum = f"{zlib.crc32(b'%b,%b' % (FIRST[1:-1], ROWS[1:-1])):08x}"
    joined.adopt(part, chunk, DomainAccount([{"name": "ID"}], rows=3, checksum=checksum, last_key=2))
    joined.end("holds")
    assert joined.finish().total_records == 3
    store.delete(part)
    page = ResultReader(store, whole).page("holds")
    assert b"".join(page.data) == b'[{"ID":0},{"ID":1},{"ID":2}]'
    assert ResultReader(store, whole).manifest.domains["holds"].checksum == checksum


def test_a_chunk_that_is_gone_is_not_adopted(store):
    job_id, writer = begun(store)
    with pytest.raises(ChunkLost, match=r"chunk 0 of 'holds' of job .* is gone"):
        writer.adopt(new_job_id(), Chunk(0, "holds", 0, 2, len(ROWS), zlib.crc32(ROWS), 1), writer.domains["holds"])
    assert store.journal(job_id, 0, 9) == []


def test_only_the_holder_of_the_lease_adopts(store):
    part, writer = begun(store)
    writer.publish("holds", ROWS, 2, last_key=2)
    whole, joined = begun(store)
    late = Lease(whole, "me", 1)
    store.release(late)
    store.acquire(whole, "another")
    chunk = store.journal(part, 0, 1)[0].chunk
    account = joined.domains["holds"]
    with pytest.raises(LeaseLost):
        store.adopt(late, Entry(chunk, {"holds": account}), part, chunk)
