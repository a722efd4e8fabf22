from __future__ import annotations

import gc
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesbatch import read_sql_iter
from mesbatch.read.threads import Ahead
from tests.rig.threads import threads_of_reads
from tests.rig.until import until


class Worker:
    """A worker that counts its calls; *interrupted* is set by an interruption, *blocked* when it blocks."""

    def __init__(self):
        self.stopped, self.interrupted, self.blocked = threading.Event(), threading.Event(), threading.Event()
        self.interruptions = self.closed = 0

    def interrupt(self):
        self.interruptions += 1
        self.interrupted.set()

    def close(self):
        self.closed += 1

    def block(self, until):
        self.blocked.set()
        assert until.wait(60)


def take_all(ahead):
    items = []
    while (item := ahead.take()) is not None:
        items.append(item)
    return items


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert threads_of_reads() == []


@settings(max_examples=50)
@given(parts=st.lists(st.integers(0, 4)), workers=st.integers(1, 4), ordered=st.booleans())
def test_every_item_of_every_part_comes_once(parts, workers, ordered):
    made = [Worker() for _ in range(workers)]

    def read(worker, part):
        number, length = part
        yield from ((number, i) for i in range(length))

    ahead = Ahead(read, iter(enumerate(parts)), made, ordered=ordered)
    items = take_all(ahead)
    ahead.close()
    expected = [(number, i) for number, length in enumerate(parts) for i in range(length)]
    assert items == expected if ordered else Counter(items) == Counter(expected)
    assert [worker.closed for worker in made] == [1] * workers
    assert ahead.take() is None


def test_a_worker_begins_the_next_item_only_when_the_last_was_taken():
    made, begun = [], threading.Semaphore(0)

    def read(worker, part):
        for n in range(5):
            made.append(n)
            begun.release()
            yield n

    ahead = Ahead(read, iter(["one"]), [Worker()], ordered=True)
    for n in range(5):
        assert begun.acquire(timeout=30)
        assert made == list(range(n + 1))
        assert ahead.take() == n
    ahead.close()


def test_for_a_consumer_that_waits_the_next_item_is_begun_and_no_third():
    taken, ahead_of_taken = [], []

    def read(worker, part):
        for n in range(200):
            ahead_of_taken.append(n + 1 - len(taken))
            yield n

    ahead = Ahead(read, iter(["one"]), [Worker()], ordered=True)
    while (item := ahead.take()) is not None:
        taken.append(item)
        if item > 100:
            time.sleep(0.0005)  # then the worker is the faster one
    ahead.close()
    assert taken == list(range(200))
    assert max(ahead_of_taken) <= 3  # one taken and not yet counted here, one on its way, one being made


def test_an_error_comes_after_the_items_before_it():
    def read(worker, part):
        yield part
        if part == 2:
            raise ZeroDivisionError

    ahead = Ahead(read, iter(range(9)), [Worker(), Worker()], ordered=True)
    assert [ahead.take() for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        ahead.take()
    ahead.close()


def test_an_error_of_the_parts_comes_after_all_that_was_begun():
    def parts():
        yield 0
        yield 1
        raise LookupError

    ahead = Ahead(lambda worker, part: (n for n in [part]), parts(), [Worker()], ordered=True)
    assert [ahead.take(), ahead.take()] == [0, 1]
    with pytest.raises(LookupError):
        ahead.take()
    ahead.close()


def test_a_thread_that_blocks_is_interrupted_and_leaves():
    worker = Worker()

    def read(worker, part):
        yield 1
        worker.block(worker.interrupted)
        raise InterruptedError

    ahead = Ahead(read, iter([0]), [worker], ordered=True)
    assert ahead.take() == 1
    assert worker.blocked.wait(60)
    ahead.close()
    ahead.close()
    assert worker.stopped.is_set()
    assert (worker.interruptions, worker.closed) == (1, 1)


def test_a_thread_that_begins_another_statement_is_interrupted_again():
    worker = Worker()

    def read(worker, part):
        yield 1
        for _ in range(2):  # the first interruption hits the statement before the one that blocks
            worker.block(worker.interrupted)
            worker.interrupted.clear()
        raise InterruptedError

    ahead = Ahead(read, iter([0]), [worker], ordered=True)
    ahead.take()
    assert worker.blocked.wait(60)
    ahead.close()
    assert worker.interruptions == 2


def test_a_thread_that_nothing_reaches_is_left_behind_and_closes_when_it_wakes(monkeypatch):
    monkeypatch.setattr("mesbatch.read.threads.AGAIN_SECONDS", 0.01)
    worker, woken = Worker(), threading.Event()

    def read(worker, part):
        yield 1
        worker.block(woken)
        yield 2

    ahead = Ahead(read, iter([0]), [worker], ordered=True)
    ahead.take()
    assert worker.blocked.wait(60)
    ahead.close()
    assert worker.closed == 0
    woken.set()
    for thread in ahead._threads:
        thread.join(60)
    assert worker.closed == 1


def test_a_deadline_that_passes_ends_the_waiting_not_the_reading():
    worker = Worker()

    def read(worker, part):
        worker.interrupted.wait(60)
        yield 1

    ahead = Ahead(read, iter([0]), [worker], ordered=True)
    with pytest.raises(TimeoutError):
        ahead.take(deadline=0.0)
    worker.interrupted.set()
    assert ahead.take() == 1
    ahead.close()


def test_leaving_an_endless_read_ends_it():
    closed = []

    def read(worker, part):
        try:
            yield from count()
        finally:
            closed.append(part)

    ahead = Ahead(read, iter("abcdef"), [Worker(), Worker(), Worker()], ordered=False)
    ahead.take()
    ahead.close()
    assert len(closed) == len(set(closed)) <= 3  # a thread that had not begun need not
    assert "a" in closed


def test_a_read_that_is_closed_in_its_own_thread_ends():
    """As where a garbage collection in the thread finds the reader forgotten."""
    closed = []

    def read(worker, part):
        yield 1
        ahead.close()
        closed.append(part)
        yield 2

    ahead = Ahead(read, iter("a"), [Worker()], ordered=True)
    assert ahead.take() == 1
    until(lambda: closed == ["a"], 10)
    ahead.close()
    assert [thread for thread in threading.enumerate() if thread.name.startswith("mesbatch-reader")] == []


def test_keys_of_a_reader_that_nobody_reads_are_closed(monkeypatch):
    monkeypatch.setattr("mesbatch.keys.collect.SORTED_IN_MEMORY", 1)
    with closing(sqlite3.connect(":memory:")) as con:
        con.execute("create table t (k text)")
        reader = read_sql_iter("select * from t where k in (:keys)", con, keys=["a", "b"])
        keys = reader._request.own_keys
        del reader
        gc.collect()
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            len(keys)
