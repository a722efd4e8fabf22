from __future__ import annotations

import json
import threading
import zlib
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesbatch.errors import InvalidPage, JobNotFound, LeaseHeld, ResultExpired, StoreUnavailable
from mesbatch.store import MissingKeys, ResultReader, new_job_id
from mesbatch.store.stored_lines import stored_lines
from tests.rig.until import until
from tests.store.results import COLUMNS, encode, finish, new_job, publish, rows_of, writer_of, written

FAST = {"poll": 0.005}


def lines_of(store, job_id, **options):
    return [json.loads(line) for line in stored_lines(store, job_id, **{**FAST, **options})]


def kinds_of(lines):
    return [" ".join(filter(None, (line["type"], line.get("domain")))) for line in lines if line["type"] != "progress"]


def records_of(store, job_id, **options):
    return [
        line for line in stored_lines(store, job_id, **{**FAST, **options}) if line.startswith(b'{"type":"records"')
    ]


def next_writer(store, job_id):
    def acquire():
        try:
            return writer_of(store, job_id, "next")
        except LeaseHeld:
            return None

    return until(acquire)


def test_a_finished_result_is_the_stream_that_clients_know(store):
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    publish(writer, "a", rows_of(1, 2))
    publish(writer, "a", rows_of(3))
    writer.end("a")
    publish(writer, "b", rows_of(1))
    writer.start("c", COLUMNS)
    writer.end("c")
    writer.aggregate({"total": 4})
    missing = MissingKeys("holds", "k1", "k2", 2)
    finish(writer, failed_domains=["holds"], missing_keys=[missing], elapsed_seconds=1.5)
    lines = lines_of(store, job_id)
    assert kinds_of(lines) == [
        "meta", "domain_start a", "records a", "records a", "domain_end a", "domain_start b", "records b",
        "domain_end b", "domain_start c", "domain_end c", "aggregation", "warning", "complete",
    ]  # fmt: skip
    checksum = f"{zlib.crc32(encode(rows_of(1, 2, 3))[1:-1]):08x}"
    assert lines[:5] == [
        {"type": "meta", "job_id": job_id, "profile": "p", "domains": ["a", "b"], "version": 1, "cid_count": 7,
         "shape": "objects"},
        {"type": "domain_start", "domain": "a", "total": 3, "columns": COLUMNS},
        {"type": "records", "domain": "a", "batch": 0, "count": 2, "data": rows_of(1, 2)},
        {"type": "records", "domain": "a", "batch": 1, "count": 1, "data": rows_of(3)},
        {"type": "domain_end", "domain": "a", "count": 3, "status": "complete", "checksum": checksum},
    ]  # fmt: skip
    assert lines[-3:-1] == [
        {"type": "aggregation", "data": {"total": 4}},
        {"type": "warning", "code": "EVENTS_PARTIAL_FAILURE", "failed_domains": ["holds"],
         "failed_keys": [{"domain": "holds", "first": "k1", "last": "k2", "count": 2}]},
    ]  # fmt: skip
    assert (lines[-1]["total_records"], lines[-1]["elapsed_seconds"]) == (4, 1.5)
    assert lines[-1]["domains"]["a"] == {"rows": 3, "checksum": checksum}


def test_stored_bytes_become_part_of_the_line_as_they_are(store):
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    writer.start("a", COLUMNS)
    odd = b'[{"ID":"x",  "N":1e5}]'
    writer.publish("a", odd, 1)
    finish(writer)
    (line,) = records_of(store, job_id)
    assert odd in line


def test_rows_as_arrays_stand_in_rows(store):
    job_id = new_job(store, shape="arrays")
    writer = writer_of(store, job_id)
    writer.start("a", COLUMNS)
    writer.publish("a", b'[["x",1]]', 1)
    finish(writer, shape="arrays")
    meta, _, records, *_ = lines_of(store, job_id)
    assert (meta["shape"], records["rows"], "data" in records) == ("arrays", [["x", 1]], False)


def test_a_growing_result_is_followed_to_its_end(rig):
    store = rig.open()
    job_id = new_job(store, status="queued")
    seen, stream = [], stored_lines(rig.open(), job_id, **FAST)

    def follow():
        seen.extend(json.loads(line) for line in stream)

    def saw(kind):
        return until(lambda: kind in kinds_of(seen))

    thread = threading.Thread(target=follow)
    thread.start()
    until(lambda: [line for line in seen if line["type"] == "progress"])
    writer = writer_of(store, job_id)
    publish(writer, "a", rows_of(1))
    saw("records a")
    writer.end("a")
    publish(writer, "b", rows_of(1))
    saw("records b")
    assert "domain_end a" in kinds_of(seen)
    finish(writer)
    thread.join(20)
    assert kinds_of(seen) == [
        "meta", "domain_start a", "records a", "domain_end a", "domain_start b", "records b", "domain_end b", "complete"
    ]  # fmt: skip
    assert seen[1]["type"] == "progress"
    assert [line["total"] for line in seen if line["type"] == "domain_start"] == [None, None]


def test_a_silent_job_says_that_it_goes_on(store):
    job_id = new_job(store, progress='{"keys_done":3,"keys_total":7,"rows":30}')
    moments = iter(range(1_000))
    stream = stored_lines(store, job_id, clock=lambda: next(moments), sleep=lambda _: None, progress=5.0)
    _, first, second = islice(stream, 3)
    stream.close()
    assert json.loads(first).items() >= {"type": "progress", "keys_done": 3, "keys_total": 7, "rows": 30}.items()
    assert json.loads(second)["elapsed_seconds"] - json.loads(first)["elapsed_seconds"] >= 5.0


@pytest.mark.parametrize("progress", ["", "reading holds", "[1]", '"a"'])
def test_progress_that_is_no_object_is_left_out(store, progress):
    stream = stored_lines(store, new_job(store, progress=progress), sleep=lambda _: None)
    assert json.loads(next(islice(stream, 1, None))).keys() == {"type", "elapsed_seconds", "rows"}
    stream.close()


@settings(max_examples=10)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), max_size=6), st.data())
def test_a_stream_cut_anywhere_and_resumed_gives_the_same_records(rig, sizes, data):
    store = rig.open()
    job_id = written(store, [(domain, rows_of(*range(size))) for domain, size in sizes], ("a", "b"))
    whole = records_of(store, job_id)
    cut = data.draw(st.integers(0, len(whole)))
    assert records_of(store, job_id, from_=cut) == whole[cut:]
    resumed = kinds_of(lines_of(store, job_id, from_=cut))
    assert (resumed[0], resumed[-1]) == ("meta", "complete")
    assert len(whole) == len(sizes)


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_a_stream_of_a_growing_result_is_resumed(rig, cut):
    store = rig.open()
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    publish(writer, "a", rows_of(1))
    seen = []
    stream = stored_lines(rig.open(), job_id, from_=cut, **FAST)
    thread = threading.Thread(target=lambda: seen.extend(json.loads(line) for line in stream))
    thread.start()
    until(lambda: seen)
    publish(writer, "a", rows_of(2))
    writer.end("a")
    publish(writer, "b", rows_of(3))
    finish(writer)
    thread.join(20)
    assert [line["data"] for line in seen if line["type"] == "records"] == [rows_of(1), rows_of(2), rows_of(3)][cut:]
    assert kinds_of(seen)[-1] == "complete"


def test_a_domain_without_rows_that_ended_before_a_resumed_stream_is_not_repeated(store):
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    writer.start("b", COLUMNS)
    writer.end("b")
    publish(writer, "a", rows_of(1))
    publish(writer, "a", rows_of(2))
    finish(writer)
    assert kinds_of(lines_of(store, job_id, from_=1)) == ["meta", "records a", "domain_end a", "complete"]


@pytest.mark.parametrize("from_", [-1, 3])
def test_a_start_that_no_result_has_is_refused(store, from_):
    job_id = written(store, [("a", rows_of(1)), ("a", rows_of(2))])
    with pytest.raises(InvalidPage, match=f"from={from_}"):
        stored_lines(store, job_id, from_=from_)


def test_a_job_that_is_not_there_has_no_stream(store):
    with pytest.raises(JobNotFound):
        stored_lines(store, new_job_id())
    job_id = new_job(store)
    store.change(job_id, {"status": "finished"})
    with pytest.raises(ResultExpired):
        stored_lines(store, job_id)


class Finishing:
    """A store in which the job finishes right before the *at*-th question that a reader asks."""

    def __init__(self, store, job_id, at):
        self._store, self._job_id, self._at, self._asked = store, job_id, at, 0

    def __getattr__(self, name):
        asked = getattr(self._store, name)

        def ask(*arguments, **options):
            if self._asked == self._at:
                writer = writer_of(self._store, self._job_id)
                publish(writer, "a", rows_of(2))
                finish(writer)
                self._store.change(self._job_id, {"status": "finished"})
            self._asked += 1
            return asked(*arguments, **options)

        return ask


@pytest.mark.parametrize("from_", [0, 2])
@pytest.mark.parametrize("at", range(9))
def test_a_job_that_finishes_at_any_moment_is_followed_to_its_end(store, at, from_):
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    publish(writer, "a", rows_of(1))
    store.release(writer._lease)
    lines = lines_of(Finishing(store, job_id, at), job_id, from_=from_)
    assert [line["data"] for line in lines if line["type"] == "records"] == [rows_of(1), rows_of(2)][from_:]
    assert kinds_of(lines)[-1] == "complete"


@pytest.mark.parametrize("at", [0, 1])
def test_a_job_that_finishes_while_a_page_is_asked_for_has_not_expired(store, at):
    job_id = new_job(store)
    page = ResultReader(Finishing(store, job_id, at), job_id).page("a")
    assert json.loads(b"".join(page.data)) == rows_of(2)


@pytest.mark.parametrize("status", ["failed", "cancelled", "lost"])
def test_a_job_that_ends_without_a_result_ends_its_stream_with_an_error(store, status):
    job_id = new_job(store)
    publish(writer_of(store, job_id), "a", rows_of(1))
    store.change(job_id, {"status": status, "error": "out of memory"})
    lines = lines_of(store, job_id)
    assert kinds_of(lines) == ["meta", "domain_start a", "records a", "error"]
    assert lines[-1]["message"] == f"the job ended as {status}, without a result: out of memory"
    assert lines[-1]["problem"]["code"] == "JOB_FAILED"


@pytest.mark.parametrize("lost", [0, 1, 2])
@pytest.mark.parametrize(("data", "code"), [(None, "CHUNK_LOST"), (b'[{"ID":"lot0001"}]', "CORRUPT_CHUNK")])
def test_a_chunk_that_is_lost_or_damaged_ends_the_stream_with_an_error(rig, store, lost, data, code):
    job_id = written(store, [("a", rows_of(number)) for number in range(3)])
    rig.put_chunk(job_id, store.manifest(job_id).chunks[lost], data)
    lines = lines_of(store, job_id)
    assert kinds_of(lines) == ["meta", *["domain_start a"] * (lost > 0), *["records a"] * lost, "error"]
    assert lines[-1]["problem"]["code"] == code


def test_a_chunk_that_is_lost_while_the_job_runs_ends_the_stream_with_an_error(rig, store):
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    publish(writer, "a", rows_of(1))
    rig.put_chunk(job_id, writer._chunks[0], None)
    assert lines_of(store, job_id)[-1]["problem"]["code"] == "CHUNK_LOST"


@pytest.mark.parametrize(("again", "end"), [((2, 3), "complete"), ((5,), "error")])
def test_a_retry_that_gives_other_rows_than_were_sent_is_an_error(rig, again, end):
    store = rig.open(lease_seconds=0.05)
    job_id = new_job(store)
    first = writer_of(store, job_id)
    publish(first, "a", rows_of(1))
    publish(first, "a", rows_of(2), ends_key=False)
    stream = stored_lines(rig.open(), job_id, **FAST)
    sent = []
    while kinds_of(sent).count("records a") < 2:
        sent.append(json.loads(next(stream)))
    second = next_writer(store, job_id)
    publish(second, "a", rows_of(again[0]))
    if again[1:]:
        publish(second, "a", rows_of(*again[1:]))
    finish(second)
    sent += [json.loads(line) for line in stream]
    assert kinds_of(sent)[-1] == end
    if end == "error":
        assert sent[-1]["problem"]["code"] == "RESULT_CHANGED"
    else:
        assert [line["data"] for line in sent if line["type"] == "records"] == [rows_of(1), rows_of(2), rows_of(3)]


def test_a_retry_that_takes_a_chunk_back_before_it_was_sent_is_not_noticed(rig):
    store = rig.open(lease_seconds=0.05)
    job_id = new_job(store)
    first = writer_of(store, job_id)
    publish(first, "a", rows_of(1))
    stream = stored_lines(rig.open(), job_id, **FAST)
    sent = [json.loads(line) for line in islice(stream, 3)]
    publish(first, "a", rows_of(9), ends_key=False)
    second = next_writer(store, job_id)
    publish(second, "a", rows_of(2))
    finish(second)
    sent += [json.loads(line) for line in stream]
    assert [line["data"] for line in sent if line["type"] == "records"] == [rows_of(1), rows_of(2)]
    assert kinds_of(sent)[-1] == "complete"


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_stream_that_is_left_lets_the_result_go(rig, taken):
    store = rig.open()
    job_id = written(store, [("a", rows_of(1))])
    stream = stored_lines(store, job_id)
    list(islice(stream, taken))
    stream.close()
    stream.close()
    if hasattr(store, "objects"):
        assert store.objects.names(f"{job_id}/held") == []


def test_a_hold_that_cannot_be_given_back_adds_no_line_and_closes_in_peace(store, monkeypatch):
    job_id = new_job(store)
    writer = writer_of(store, job_id)
    for n in range(3):
        publish(writer, "a", rows_of(n))
    writer.end("a")
    finish(writer)

    def refuse(*_):
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(store, "let_go", refuse)
    assert [line["type"] for line in lines_of(store, job_id)][-2:] == ["domain_end", "complete"]
    with stored_lines(store, job_id, **FAST) as cut:  # by its client, in the middle
        next(cut), next(cut)
    assert len(json.loads(b"".join(ResultReader(store, job_id).page("a").data))) == 3
