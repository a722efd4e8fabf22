from __future__ import annotations

import threading
from time import monotonic

from mesbatch.read.deadline import interrupted_at


def test_a_block_that_ends_in_time_is_not_interrupted():
    calls = []
    with interrupted_at(monotonic() + 60, lambda: calls.append(1)):
        pass
    assert calls == []


def test_a_block_without_a_deadline_starts_no_thread():
    before = threading.active_count()
    with interrupted_at(None, lambda: None):
        assert threading.active_count() == before


def test_a_block_is_interrupted_again_until_it_is_left_and_never_after(monkeypatch):
    monkeypatch.setattr("mesbatch.read.deadline.AGAIN_SECONDS", 0.001)
    calls = threading.Semaphore(0)
    with interrupted_at(0.0, calls.release):
        for _ in range(3):
            assert calls.acquire(timeout=30)
    assert not [thread for thread in threading.enumerate() if thread.name == "mesbatch-deadline"]
