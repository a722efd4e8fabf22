from __future__ import annotations

import zlib
from operator import attrgetter

import msgspec
import pytest

from mesbatch.errors import ChunkLost, LeaseLost
from mesbatch.store import Chunk, DirectoryStore, DomainAccount, Entry, Lease, ResultReader, ResultWriter, new_job_id
from mesbatch.store.writer import read_journal

FIRST = b'[{"ID":0}]'
ROWS = b'[{"ID":1},{"ID":2}]'
MANY = 130  # more than a directory and an object store take at once


def begun(store):
    job_id = new_job_id()
    store.create(job_id, {"status": "started"})
    writer = ResultWriter(store, store.acquire(job_id, "me"))
    writer.start("holds", [{"name": "ID"}])
    return job_id, writer


def part_of(store, count):
    """Make a job of *count* chunks of one row each, and give out its chunks with the accounts after them."""
    part, writer = begun(store)
    for n in range(count):
        writer.publish("holds", b'[{"ID":%d}]' % n, 1, last_key=n)
    return part, [(entry.chunk, entry.domains["holds"]) for entry in read_journal(store, part, count)]


def adopt_all(writer, source, chunks):
    """Adopt *chunks*, and return how many went in each step."""
    steps = []
    while chunks:
        steps.append(writer.adopt(source, chunks))
        chunks = chunks[steps[-1] :]
    return steps


def rows_of(store, job_id):
    return msgspec.json.decode(b"".join(ResultReader(store, job_id).page("holds").data))


def test_a_chunk_of_one_job_becomes_that_of_another(store):
    part, writer = begun(store)
    writer.publish("holds", ROWS, 2, last_key=2)
    writer.end("holds")
    chunk = writer.finish().chunks[0]
    whole, joined = begun(store)
    joined.publish("holds", FIRST, 1, last_key=0)
    checksum = f"{zlib.crc32(b'%b,%b' % (FIRST[1:-1], ROWS[1:-1])):08x}"
    account = DomainAccount([{"name": "ID"}], rows=3, checksum=checksum, last_key=2)
    assert joined.adopt(part, [(chunk, account)]) == 1
    joined.end("holds")
    assert joined.finish().total_records == 3
    store.delete(part)
    assert rows_of(store, whole) == [{"ID": 0}, {"ID": 1}, {"ID": 2}]
    assert ResultReader(store, whole).manifest.domains["holds"].checksum == checksum


def test_many_chunks_are_adopted_in_few_steps_and_in_their_order(store):
    part, chunks = part_of(store, MANY)
    whole, writer = begun(store)
    steps = adopt_all(writer, part, chunks)
    assert sum(steps) == MANY
    assert len(steps) <= 3
    journal = list(read_journal(store, whole, MANY))
    assert [entry.chunk.position for entry in journal] == list(range(MANY))
    assert [entry.domains["holds"].rows for entry in journal] == list(range(1, MANY + 1))
    writer.publish("holds", b'[{"ID":-1}]', 1, last_key=MANY)
    writer.end("holds")
    manifest = writer.finish()
    assert rows_of(store, whole) == [*({"ID": n} for n in range(MANY)), {"ID": -1}]
    text = b",".join(b'{"ID":%d}' % n for n in (*range(MANY), -1))
    assert manifest.domains["holds"].checksum == f"{zlib.crc32(text):08x}"


def test_what_was_adopted_before_an_error_is_adopted_once(store):
    part, chunks = part_of(store, 9)
    whole, writer = begun(store)
    sent = []

    class Deaf:
        """A store whose answer to the first adoption is lost on its way."""

        def __getattr__(self, name):
            return getattr(store, name)

        def adopt(self, *args):
            sent.append(store.adopt(*args))
            if len(sent) == 1:
                raise ConnectionError
            return sent[-1]

    writer._store = Deaf()
    with pytest.raises(ConnectionError):
        writer.adopt(part, chunks)
    assert adopt_all(writer, part, chunks) == [9]
    assert sent[0] == sent[1]
    assert [entry.chunk.position for entry in store.journal(whole, 0, 99)] == list(range(9))


@pytest.mark.parametrize("gone", [0, 3, 8])
def test_none_comes_after_a_chunk_that_is_gone(store, rig, gone):
    part, chunks = part_of(store, 9)
    whole, writer = begun(store)
    rig.put_chunk(part, chunks[gone][0], None)
    with pytest.raises(ChunkLost, match=rf"chunk {gone} of 'holds' of job {part} is gone"):
        adopt_all(writer, part, chunks)
    assert len(store.journal(whole, 0, 99)) <= gone


def test_a_chunk_of_no_job_is_not_adopted(store):
    job_id, writer = begun(store)
    chunk = Chunk(0, "holds", 0, 2, len(ROWS), zlib.crc32(ROWS), 1)
    with pytest.raises(ChunkLost, match=r"chunk 0 of 'holds' of job .* is gone"):
        writer.adopt(new_job_id(), [(chunk, writer.domains["holds"])])
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
        store.adopt(late, [Entry(chunk, {"holds": account})], part, [chunk])


def test_chunks_that_overflowed_are_adopted_among_others(redis_rig, tmp_path):
    second = DirectoryStore(tmp_path / "second")
    store = redis_rig.open(max_bytes=35, overflow=second)
    part, chunks = part_of(store, 6)
    assert [chunk.overflow for chunk, _ in chunks] == [False, False, False, True, True, True]
    whole, writer = begun(store)
    assert adopt_all(writer, part, chunks) == [3, 1, 1, 1]
    stored = list(map(attrgetter("chunk"), store.journal(whole, 0, 9)))
    assert [chunk.overflow for chunk in stored] == [False, False, False, True, True, True]
    writer.end("holds")
    writer.finish()
    store.delete(part)
    assert rows_of(store, whole) == [{"ID": n} for n in range(6)]
