from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesbatch.errors import (
    ChunkLost,
    CorruptChunk,
    InvalidDomain,
    InvalidJobId,
    InvalidKey,
    InvalidPage,
    JobNotComplete,
    JobNotFound,
    LeaseHeld,
    LeaseLost,
    ResultExpired,
    StatusConflict,
)
from mesbatch.keys.resume import decode_key, encode_key
from mesbatch.store import KeyList, Lease, MissingKeys, ResultReader, new_job_id, read_keys, store_keys
from tests.rig.until import until
from tests.store.results import COLUMNS, encode, finish, new_job, publish, rows_of, writer_of, written

SHORT = 0.05  # seconds of a lease that runs out while a test waits for it


def page_of(store, job_id, domain="a", **page):
    return json.loads(b"".join(ResultReader(store, job_id).page(domain, **page).data))


def taken_over(store, job_id, owner="next"):
    """Make a writer whose lease follows one that ran out."""

    def acquire():
        try:
            return writer_of(store, job_id, owner)
        except LeaseHeld:
            return None

    return until(acquire)


# -- facts -----------------------------------------------------------------------------------------


def test_facts_come_back_and_change_together(store):
    job_id = new_job(store, owner="me")
    assert store.facts(job_id)["owner"] == "me"
    changed = store.change(job_id, {"status": "finished", "progress": '{"rows":1}', "note": "焊接"})
    assert changed == store.facts(job_id)
    assert (changed["status"], changed["owner"], changed["note"]) == ("finished", "me", "焊接")


def test_a_job_is_created_once(store):
    job_id = new_job(store)
    with pytest.raises(StatusConflict):
        store.create(job_id, {"status": "queued"})


@pytest.mark.parametrize("end", ["finished", "failed", "cancelled", "lost"])
def test_an_ended_job_stays_as_it_ended(store, end):
    job_id = new_job(store)
    store.change(job_id, {"status": end})
    for status in {"queued", "started", "finished", "failed", "cancelled", "lost"} - {end}:
        with pytest.raises(StatusConflict, match=end):
            store.change(job_id, {"status": status, "note": "x"})
    assert store.facts(job_id)["status"] == end
    assert "note" not in store.facts(job_id)
    assert store.change(job_id, {"seen": "1"})["seen"] == "1"


def test_a_change_asks_for_the_status_it_starts_from(store):
    job_id = new_job(store)
    with pytest.raises(StatusConflict, match="started"):
        store.change(job_id, {"status": "started"}, only_if={"queued"})
    assert store.change(job_id, {"status": "cancelled"}, only_if={"queued", "started"})["status"] == "cancelled"


def test_of_many_who_end_a_job_at_once_one_does(rig):
    store = rig.open()
    job_id = new_job(store)

    def end(status):
        try:
            return rig.open().change(job_id, {"status": status}, only_if={"started"})["status"]
        except StatusConflict:
            return None

    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(end, ["finished", "failed", "cancelled", "lost"] * 2))
    (end_of_it,) = filter(None, ends)
    assert store.facts(job_id)["status"] == end_of_it


def test_changes_of_different_facts_at_once_are_all_kept(rig):
    store = rig.open()
    job_id = new_job(store)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.change(job_id, {f"fact{number}": str(number)}), range(16)))
    assert {f"fact{number}" for number in range(16)} <= store.facts(job_id).keys()


def test_an_unknown_job_is_not_found(store):
    job_id = new_job_id()
    for ask in (store.facts, lambda job: store.change(job, {"a": "b"}), lambda job: store.acquire(job, "me")):
        with pytest.raises(JobNotFound):
            ask(job_id)
    assert store.holder(job_id) is None
    assert store.journal(job_id, 0, 9) == []
    assert store.manifest(job_id) is None


def test_a_deleted_job_is_gone(store):
    job_id = written(store, [("a", rows_of(1))])
    store_keys(store, job_id, ["x"])
    assert job_id in set(store.job_ids())
    store.delete(job_id)
    assert job_id not in set(store.job_ids())
    assert store.keys(job_id, 0) is None
    with pytest.raises(JobNotFound):
        _ = ResultReader(store, job_id).manifest
    store.delete(job_id)


# -- ids -------------------------------------------------------------------------------------------

HOSTILE = [
    "", ".", "..", "../../etc/passwd", "a" * 300, "0" * 31, "0" * 33, "0" * 32 + "\n", "0" * 31 + "/", "*",
    "0" * 31 + "G", "%2e%2e%2f", "0:1", "trace-evt-*", "trace-evt-0123456789ab:meta", "0" * 31 + "\0",
    "\N{FULLWIDTH DIGIT ZERO}" * 32, "0" * 16 + "\r\nFLUSHALL\r\n",
]  # fmt: skip


@pytest.mark.parametrize("job_id", HOSTILE)
def test_an_id_that_is_not_ours_is_refused_before_anything_is_touched(store, job_id):
    forged = Lease(job_id, "me", 1)
    manifest = finish(writer_of(store, new_job(store)))
    for ask in (
        lambda: store.create(job_id, {"status": "queued"}),
        lambda: store.facts(job_id),
        lambda: store.change(job_id, {"a": "b"}),
        lambda: store.delete(job_id),
        lambda: store.acquire(job_id, "me"),
        lambda: store.renew(forged),
        lambda: store.release(forged),
        lambda: store.holder(job_id),
        lambda: store.put_keys(job_id, 0, b""),
        lambda: store.keys(job_id, 0),
        lambda: store.finish(forged, manifest, None),
        lambda: store.journal(job_id, 0, 1),
        lambda: store.manifest(job_id),
        lambda: store.aggregation(job_id),
        lambda: store.whole_result(job_id),
        lambda: store.hold(job_id, new_job_id()),
        lambda: store.let_go(job_id, new_job_id()),
        lambda: ResultReader(store, job_id),
        lambda: store_keys(store, job_id, ["a"]),
    ):
        with pytest.raises(InvalidJobId) as raised:
            ask()
        assert len(str(raised.value)) < 200


@pytest.mark.parametrize("domain", ["", "a:b", "a/b", "../a", "a,b", "a\n", "x" * 65, "焊"])
def test_a_domain_that_could_become_part_of_another_name_is_refused(store, domain):
    with pytest.raises(InvalidDomain):
        writer_of(store, new_job(store)).start(domain, COLUMNS)


# -- the lease -------------------------------------------------------------------------------------


def test_a_lease_has_one_holder_until_it_is_released(store):
    job_id = new_job(store)
    first = store.acquire(job_id, "first")
    assert store.holder(job_id) == "first"
    with pytest.raises(LeaseHeld, match="first"):
        store.acquire(job_id, "second")
    store.release(first)
    assert store.holder(job_id) is None
    second = store.acquire(job_id, "second")
    assert second.token > first.token
    assert store.holder(job_id) == "second"


def test_a_lease_that_is_not_renewed_runs_out(rig):
    store = rig.open(lease_seconds=SHORT)
    job_id = new_job(store)
    store.acquire(job_id, "first")
    until(lambda: store.holder(job_id) is None)
    assert store.acquire(job_id, "second").token == 2


def test_a_renewed_lease_does_not_run_out(rig):
    store = rig.open(lease_seconds=1.0)
    job_id = new_job(store)
    lease = store.acquire(job_id, "first")
    for _ in range(5):
        store.renew(lease)
        assert store.holder(job_id) == "first"


def test_many_who_take_a_job_at_once_get_one_lease(rig):
    job_id = new_job(rig.open())

    def acquire(number):
        try:
            return rig.open().acquire(job_id, f"worker{number}")
        except LeaseHeld:
            return None

    with ThreadPoolExecutor(8) as pool:
        leases = list(filter(None, pool.map(acquire, range(8))))
    assert len(leases) == 1


def test_a_late_writer_is_fenced_off_at_every_publication(rig):
    store = rig.open(lease_seconds=SHORT)
    job_id = new_job(store)
    late = writer_of(store, job_id)
    publish(late, "a", rows_of(1, 2))
    late_lease = late._lease
    now = taken_over(store, job_id)
    late.end("a")
    for publication in (
        lambda: late.publish("a", encode(rows_of(3)), 1),
        late.finish,
        lambda: store.renew(late_lease),
        lambda: store.change(job_id, {"status": "finished"}, token=late_lease.token),
    ):
        with pytest.raises(LeaseLost, match=job_id):
            publication()
    store.release(late_lease)
    assert store.holder(job_id) == "next"
    assert store.manifest(job_id) is None
    publish(now, "a", rows_of(3))
    finish(now)
    assert page_of(store, job_id) == rows_of(1, 2, 3)


def test_a_job_that_vanished_is_lost_for_its_writer(store):
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    store.delete(job_id)
    with pytest.raises(LeaseLost, match="knows no lease"):
        publish(writer, "a", rows_of(1))
    with pytest.raises(LeaseLost):
        store.renew(writer._lease)
    assert list(store.job_ids()) == []


@pytest.mark.parametrize("status", ["finished", "failed", "cancelled", "lost"])
def test_an_ended_job_gets_no_worker(store, status):
    job_id = new_job(store)
    store.change(job_id, {"status": status})
    with pytest.raises(StatusConflict, match=status):
        store.acquire(job_id, "me")


def test_a_finished_result_gets_no_second_worker(store):
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    finish(writer, ["a"])
    store.release(writer._lease)
    with pytest.raises(StatusConflict, match="finished"):
        store.acquire(job_id, "late")


# -- results ---------------------------------------------------------------------------------------


def test_a_result_is_not_there_before_its_manifest(store):
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    publish(writer, "a", rows_of(1))
    with pytest.raises(JobNotComplete, match="started"):
        ResultReader(store, job_id).page("a")
    finish(writer)
    assert page_of(store, job_id) == rows_of(1)


def test_a_domain_that_did_not_end_keeps_the_result_open(store):
    writer = writer_of(store, new_job(store))
    publish(writer, "a", rows_of(1))
    with pytest.raises(JobNotComplete, match="a did not end"):
        writer.finish()


def test_what_is_missing_is_in_the_manifest(store):
    missing = MissingKeys("b", "k1", "k9", 9)
    job_id = written(store, [("a", rows_of(1))], failed_domains=["b"], missing_keys=[missing])
    manifest = ResultReader(store, job_id).manifest
    assert (manifest.failed_domains, manifest.missing_keys, manifest.total_records) == (["b"], [missing], 1)


def test_an_aggregation_comes_back(store):
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    writer.aggregate({"pareto": [{"name": "焊接", "count": 5}], "rate": 0.125})
    finish(writer, ["a"])
    assert ResultReader(store, job_id).aggregation() == '{"pareto":[{"name":"焊接","count":5}],"rate":0.125}'.encode()
    assert ResultReader(store, written(store, [])).aggregation() is None


@settings(max_examples=15)
@given(
    sizes=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5)), max_size=8),
    offset=st.integers(0, 12),
    limit=st.integers(0, 12),
)
def test_a_page_is_a_slice_of_all_rows_however_they_were_cut(rig, sizes, offset, limit):
    store = rig.open()
    rows = {"a": [], "b": []}
    chunks = []
    for domain, size in sizes:
        part = rows_of(*range(len(rows[domain]), len(rows[domain]) + size))
        rows[domain] += part
        chunks.append((domain, part))
    reader = ResultReader(store, written(store, chunks, ("a", "b")))
    for domain, truth in rows.items():
        if offset > len(truth):
            with pytest.raises(InvalidPage):
                reader.page(domain, offset=offset, limit=limit)
            continue
        page = reader.page(domain, offset=offset, limit=limit)
        expected = truth[offset : offset + limit] if limit else truth[offset:]
        data = b"".join(page.data)
        assert (json.loads(data), page.count, page.total) == (expected, len(expected), len(truth))
        assert data == encode(expected)


@pytest.mark.parametrize(
    "page", [{"offset": -1}, {"limit": -1}, {"offset": 4}, {"domain": "nothing"}, {"offset": 10**30}]
)
def test_a_page_that_no_result_can_have_is_refused(store, page):
    job_id = written(store, [("a", rows_of(1, 2, 3))])
    with pytest.raises(InvalidPage):
        ResultReader(store, job_id).page(**{"domain": "a", **page})


def test_a_page_reads_only_the_chunks_that_it_lies_in(rig, store):
    job_id = written(store, [("a", rows_of(0, 1)), ("a", rows_of(2, 3)), ("a", rows_of(4, 5))])
    first, _, last = store.manifest(job_id).chunks
    rig.put_chunk(job_id, first, None)
    rig.put_chunk(job_id, last, b"[]")
    assert page_of(store, job_id, offset=2, limit=2) == rows_of(2, 3)
    assert page_of(store, job_id, offset=3, limit=1) == rows_of(3)


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_missing_chunk_is_an_error_and_no_shorter_page(rig, store, lost):
    job_id = written(store, [("a", rows_of(number)) for number in range(3)])
    rig.put_chunk(job_id, store.manifest(job_id).chunks[lost], None)
    with pytest.raises(ChunkLost, match=f"chunk {lost} of 'a'"):
        page_of(store, job_id)


def test_a_chunk_with_any_bit_flipped_or_cut_anywhere_is_an_error(rig, store):
    job_id = written(store, [("a", rows_of(1, 2))])
    (chunk,) = store.manifest(job_id).chunks
    data, reader = encode(rows_of(1, 2)), ResultReader(store, job_id)
    damaged = [data[:cut] for cut in range(len(data))]
    damaged += [bytes([*data[:at], data[at] ^ 1 << at % 8, *data[at + 1 :]]) for at in range(len(data))]
    damaged += [data + b" ", data[:-1] + b"],"]
    for other in damaged:
        rig.put_chunk(job_id, chunk, other)
        with pytest.raises(CorruptChunk, match="chunk 0 of 'a'"):
            b"".join(reader.page("a").data)
    rig.put_chunk(job_id, chunk, data)
    assert page_of(store, job_id) == rows_of(1, 2)


# -- resuming --------------------------------------------------------------------------------------


def test_a_retry_goes_on_after_the_last_chunk_that_ends_a_key(rig):
    store = rig.open(lease_seconds=SHORT)
    job_id = new_job(store)
    first = writer_of(store, job_id)
    publish(first, "a", rows_of(1, 2))
    publish(first, "b", rows_of(1))
    publish(first, "a", rows_of(3), ends_key=False)
    publish(first, "a", rows_of(3), ends_key=False)
    second = taken_over(store, job_id)
    assert second._lease.length == 2
    assert {name: (domain.rows, domain.last_key) for name, domain in second.domains.items()} == {
        "a": (2, "lot0002"),
        "b": (1, "lot0001"),
    }
    publish(second, "a", rows_of(3, 3, 4))
    third = taken_over(store, job_id, "third")
    assert third.domains["a"].rows == 5
    publish(third, "b", rows_of(2))
    manifest = finish(third)
    assert [(chunk.domain, chunk.number) for chunk in manifest.chunks] == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    assert page_of(store, job_id, "a") == rows_of(1, 2, 3, 3, 4)
    assert page_of(store, job_id, "b") == rows_of(1, 2)
    whole = new_job(store)
    writer = writer_of(store, whole)
    publish(writer, "a", rows_of(1, 2, 3, 3, 4))
    publish(writer, "b", rows_of(1, 2))
    assert {name: domain.checksum for name, domain in manifest.domains.items()} == {
        name: domain.checksum for name, domain in finish(writer).domains.items()
    }


def test_a_retry_keeps_nothing_when_no_chunk_ends_a_key(rig):
    store = rig.open(lease_seconds=SHORT)
    job_id = new_job(store)
    publish(writer_of(store, job_id), "a", rows_of(1), ends_key=False)
    second = taken_over(store, job_id)
    assert (second.domains, second._lease.length) == ({}, 0)
    publish(second, "a", rows_of(1, 1))
    finish(second)
    assert page_of(store, job_id) == rows_of(1, 1)


@settings(max_examples=15)
@given(st.lists(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3), st.booleans()), max_size=4), max_size=4))
def test_any_number_of_workers_that_die_leave_every_row_once(rig, attempts):
    store = rig.open()
    job_id = new_job(store)
    for attempt in attempts:
        writer = writer_of(store, job_id)
        for domain, size, ends_key in attempt:
            begin = writer.domains[domain].rows if domain in writer.domains else 0
            publish(writer, domain, rows_of(*range(begin, begin + size)), ends_key=ends_key)
        store.release(writer._lease)
    last = writer_of(store, job_id)
    finish(last, ["a", "b"])
    for domain, account in last.domains.items():
        assert page_of(store, job_id, domain) == rows_of(*range(account.rows))


# -- keys ------------------------------------------------------------------------------------------


def test_keys_come_back_in_order_part_by_part(store):
    job_id = new_job(store)
    keys = [f"4881038{number:09}" for number in range(25_000)]
    handle = store_keys(store, job_id, iter(keys))
    assert (handle.count, handle.parts) == (25_000, 3)
    assert list(read_keys(store, handle)) == keys
    assert list(read_keys(store, store_keys(store, job_id, []))) == []
    numbers = store_keys(store, job_id, [1, -5, 2**63])
    assert list(read_keys(store, numbers)) == [1, -5, 2**63]


KEYS = [
    ["a", "a\t", "焊接"], [0, -(2**63), 2**64 - 1, 10**40], [1.5, -0.0, 1e300], [b"", b"\xff"], [UUID(int=7)],
    [Decimal("1.50"), Decimal("1E+400")], [date(2026, 2, 25)], [datetime(2026, 2, 25, 8, 0, 0, 5)],
    [datetime(2026, 2, 25, 8, tzinfo=timezone(timedelta(hours=8)))],
]  # fmt: skip


@pytest.mark.parametrize("keys", KEYS, ids=repr)
def test_keys_of_every_type_come_back_as_they_were(store, keys):
    found = list(read_keys(store, store_keys(store, new_job(store), keys)))
    assert [(type(key), repr(key)) for key in found] == [(type(key), repr(key)) for key in keys]


def test_text_and_integers_are_stored_as_the_json_that_they_always_were(store):
    job_id = new_job(store)
    store_keys(store, job_id, ["a", 7, 2**64 - 1])
    assert store.keys(job_id, 0)[8:] == b'["a",7,18446744073709551615]'


def test_the_last_key_of_a_chunk_and_missing_keys_have_their_type(rig):
    store, last = rig.open(), date(2026, 2, 25)
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    writer.start("a", COLUMNS)
    writer.publish("a", encode(rows_of(1)), 1, last)
    store.release(writer._lease)
    writer = writer_of(rig.open(), job_id)
    assert decode_key(writer.domains["a"].last_key) == last
    missing = MissingKeys("b", encode_key(b"a"), encode_key(b"b"), 2)
    finish(writer, missing_keys=[missing])
    assert rig.open().manifest(job_id).missing_keys == [missing]


@pytest.mark.parametrize("key", [None, float("nan"), Decimal("sNaN"), True, ["a"], "\ud800"])
def test_a_key_that_would_come_back_as_another_is_refused(store, key):
    with pytest.raises(InvalidKey):
        store_keys(store, new_job(store), ["a", key])


def test_a_part_of_the_keys_that_is_lost_or_damaged_is_an_error(store):
    job_id = new_job(store)
    handle = store_keys(store, job_id, ["a", "b"])
    store.put_keys(job_id, 0, b"00000000" + b'["a"]')
    with pytest.raises(CorruptChunk, match="part 0"):
        list(read_keys(store, handle))
    store_keys(store, job_id, ["a", "b"])
    with pytest.raises(ChunkLost, match="part 1"):
        list(read_keys(store, KeyList(job_id, 4, 2)))
    with pytest.raises(ChunkLost, match="2 of 3 keys"):
        list(read_keys(store, KeyList(job_id, 3, 1)))


# -- time ------------------------------------------------------------------------------------------


def test_a_finished_job_whose_result_is_gone_has_expired(store):
    job_id = new_job(store)
    store.change(job_id, {"status": "finished"})
    with pytest.raises(ResultExpired):
        ResultReader(store, job_id).page("a")
