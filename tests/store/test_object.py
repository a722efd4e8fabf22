"""The store in a storage without locks: two workers in the same moment."""

from __future__ import annotations

import pytest

from mesbatch.errors import LeaseLost, StatusConflict, StoreUnavailable
from mesbatch.store import ResultReader
from tests.store.results import finish, new_job, publish, rows_of, writer_of

obstore = pytest.importorskip("obstore", reason="no object storage: obstore is not installed")
ObjectStore = pytest.importorskip("mesbatch.store.object").ObjectStore


@pytest.fixture
def store(monkeypatch):
    # Every lease has run out at once, so that two workers are alive. The clock goes ahead of the storage's: the store
    # reads it with a delay, and a lease of no seconds would be alive for as long as that took.
    store = ObjectStore(obstore.store.MemoryStore(), lease_seconds=0.0)
    now = store.objects.now
    monkeypatch.setattr(store.objects, "now", lambda: now() + 60)
    return store


def between(store, name, monkeypatch, happen):
    """Let *happen* run once, right before the first object whose name contains *name* is created."""
    create, pending = store.objects.create, [happen]

    def interrupted(path, data):
        if name in path and pending:
            pending.pop()()
        return create(path, data)

    monkeypatch.setattr(store.objects, "create", interrupted)


def test_a_chunk_that_a_late_writer_adds_after_the_check_is_never_seen(store, monkeypatch):
    job_id = new_job(store)
    late, others = writer_of(store, job_id, "late"), []
    between(store, "/chunks/", monkeypatch, lambda: others.append(writer_of(store, job_id, "next")))
    publish(late, "a", rows_of(666))
    (other,) = others
    publish(other, "a", rows_of(1))
    finish(other)
    assert b"".join(ResultReader(store, job_id).page("a").data) == b'[{"ID":"lot0001","N":1}]'


def test_a_manifest_that_a_late_writer_adds_after_the_check_is_refused_and_never_seen(store, monkeypatch):
    job_id = new_job(store)
    late, others = writer_of(store, job_id, "late"), []
    publish(late, "a", rows_of(1))
    between(store, "/results/", monkeypatch, lambda: others.append(writer_of(store, job_id, "next")))
    with pytest.raises(LeaseLost):
        finish(late)
    assert store.manifest(job_id) is None
    publish(others[0], "a", rows_of(2))
    finish(others[0])
    assert store.manifest(job_id).total_records == 2


def test_a_worker_that_comes_while_the_result_is_finished_leaves_it_finished(store, monkeypatch):
    job_id = new_job(store)
    first = writer_of(store, job_id, "first")
    between(store, "/leases/", monkeypatch, lambda: finish(first, ["a"]))
    with pytest.raises(StatusConflict, match="finished"):
        writer_of(store, job_id, "second")
    assert ResultReader(store, job_id).manifest.domains["a"].status == "complete"


def test_a_storage_that_does_not_answer_is_our_error():
    nobody = obstore.store.HTTPStore("http://127.0.0.1:9/", retry_config={"max_retries": 0})
    with pytest.raises(StoreUnavailable, match="cannot list") as raised:
        ObjectStore(nobody).facts("0" * 32)
    assert "\n" not in str(raised.value)


def test_a_look_at_the_clock_that_fails_leaves_no_object(store, monkeypatch):
    job_id = new_job(store)

    def refuse(*_):
        raise StoreUnavailable("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(store.objects, "modified", refuse)
        with pytest.raises(StoreUnavailable):
            store.objects.now()
    assert store.objects.names("clock") == []
    assert list(store.job_ids()) == [job_id]
