"""Readers in an event loop: every step in one thread, and everything back however the loop ends."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
import time
from contextlib import aclosing
from typing import Any

import pytest

from mesbatch import Query, Trace, read_sql_iter
from mesbatch.adapters.asgi import aiter_batches, stream_ndjson, threads
from mesbatch.adapters.asgi.sending import send_answer
from mesbatch.adapters.http.live import live_answer, live_body, ndjson_form
from mesbatch.adapters.http.options import Dialect, Limits
from mesbatch.adapters.http.request import HttpRequest
from mesbatch.admission import ProcessLimiter
from mesbatch.errors import LimiterBusy, UnknownSource
from mesbatch.units import MiB
from tests.rig.until import until

ROWS = 20_000


class Watched:
    """SQLite that notes the threads of its connections; each refuses every other thread by itself."""

    def __init__(self, folder) -> None:
        self.path = str(folder / "x.db")
        with sqlite3.connect(self.path) as con:
            con.execute("create table t (n int, pad text)")
            con.executemany("insert into t values (?, ?)", ((n, "x" * 100) for n in range(ROWS)))
        con.close()
        self.opened: list[int] = []
        self.closed: list[int] = []

    def connect(self) -> sqlite3.Connection:
        watched = self

        class Counted(sqlite3.Connection):
            def close(self) -> None:
                super().close()
                watched.closed.append(threading.get_ident())

        self.opened.append(threading.get_ident())
        return sqlite3.connect(self.path, factory=Counted)  # check_same_thread, which is its default

    def reader(self, sql: str = "select * from t") -> Any:
        return read_sql_iter(sql, self.connect, max_bytes=MiB)

    def check(self) -> None:
        """One thread opened and closed, and it was not the event loop's."""
        assert len(self.opened) == len(self.closed) > 0
        assert self.opened == self.closed
        assert threading.get_ident() not in self.opened


SLOW = "with recursive c (n) as (select 1 union all select n + 1 from c where n < 1000000000) select max(n) from c"


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


def test_all_rows_come_from_one_thread_that_also_closes(watched):
    async def read() -> int:
        return sum([batch.num_rows async for batch in aiter_batches(watched.reader())])

    assert asyncio.run(read()) == ROWS
    watched.check()


def test_a_trace_comes_with_its_domains(watched):
    trace = Trace({"t": Query("select n from t where n in (:keys)")})

    async def read() -> list[Any]:
        return [(name, batch.rows) async for name, batch in aiter_batches(trace.read(watched.connect, [3, 5]))]

    assert sum(len(rows) for _, rows in asyncio.run(read())) == 2


@pytest.mark.parametrize("end", ["break", "error", "aclose"])
def test_a_loop_that_is_left_closes_in_the_threads_own_thread(watched, end):
    async def read() -> None:
        async with aclosing(aiter_batches(watched.reader())) as batches:
            async for _ in batches:
                if end == "error":
                    raise KeyError(end)
                if end == "break":
                    break
                await batches.aclose()

    if end == "error":
        with pytest.raises(KeyError):
            asyncio.run(read())
    else:
        asyncio.run(read())
    watched.check()


def test_a_task_that_is_cancelled_interrupts_its_statement_and_then_closes(watched):
    async def read() -> None:
        task = asyncio.ensure_future(anext(aiter_batches(watched.reader(SLOW))))
        while not watched.opened:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        task.cancel()
        begun = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - begun < 1

    asyncio.run(read())
    watched.check()


def test_the_event_loop_goes_on_meanwhile(watched):
    async def read() -> float:
        longest, before, task = 0.0, time.monotonic(), asyncio.ensure_future(anext(aiter_batches(watched.reader(SLOW))))
        while time.monotonic() - before < 1:
            begun = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - begun)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return longest

    assert asyncio.run(read()) < 0.25


def test_an_error_of_the_read_is_raised_and_everything_given_back(watched):
    async def read() -> None:
        async for _ in aiter_batches(watched.reader("select abs(-9223372036854775808) from t")):
            pass

    with pytest.raises(sqlite3.Error):
        asyncio.run(read())
    watched.check()


def test_readers_have_threads_of_their_own_up_to_a_limit(watched, monkeypatch):
    monkeypatch.setattr(threads, "READS_AT_ONCE", 2)
    monkeypatch.setattr("mesbatch.adapters.asgi.batches.SLOT_SECONDS", 0.1)

    async def read() -> None:
        async with (
            aclosing(aiter_batches(watched.reader())) as one,
            aclosing(aiter_batches(watched.reader())) as other,
        ):
            await anext(one)
            await anext(other)
            with pytest.raises(LimiterBusy, match="2 answers are read"):
                await anext(aiter_batches(watched.reader()))
        assert (await anext(aiter_batches(watched.reader()))).num_rows

    asyncio.run(read())
    gc.collect()


# -- answers


class Client:
    """The server's side of one request, which leaves after *messages* of the body."""

    def __init__(self, messages: int, *, fails: bool = False) -> None:
        self.scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "http_version": "1.1"}
        self.got: list[Any] = []
        self.left, self._messages, self._fails = asyncio.Event(), messages, fails

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.got.append(message)
        if len(self.got) > self._messages:
            if self._fails:
                raise OSError("gone")
            self.left.set()
            await asyncio.sleep(30)


@pytest.mark.parametrize("fails", [False, True], ids=["http.disconnect", "failed send"])
def test_a_client_that_leaves_ends_the_read_in_its_own_thread(watched, fails):
    limiter = ProcessLimiter(1, 64 * MiB)

    async def serve() -> None:
        client = Client(3, fails=fails)
        answer, begun = stream_ndjson(watched.reader(), permit=limiter.permit(MiB)), time.monotonic()
        await answer(client.scope, client.receive, client.send)
        assert limiter.in_flight.permits == 0
        assert time.monotonic() - begun < 3

    asyncio.run(serve())
    watched.check()


def test_an_answer_that_is_cancelled_is_closed_all_the_same(watched):
    limiter = ProcessLimiter(1, 64 * MiB)

    async def serve() -> None:
        client = Client(10_000)
        answer = stream_ndjson(watched.reader(SLOW), permit=limiter.permit(MiB))
        task = asyncio.ensure_future(answer(client.scope, client.receive, client.send))
        while not watched.opened:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.sleep(0.01)
        task.cancel()  # a second time, while it is being closed
        with pytest.raises(asyncio.CancelledError):
            await task
        assert limiter.in_flight.permits == 0

    asyncio.run(serve())
    watched.check()


def test_an_answer_that_nobody_calls_gives_everything_back(watched, monkeypatch):
    limiter = ProcessLimiter(1, 64 * MiB)

    async def forget() -> None:
        stream_ndjson(watched.reader(), permit=limiter.permit(MiB))

    asyncio.run(forget())
    gc.collect()
    until(lambda: limiter.in_flight.permits == 0)
    assert watched.opened == []


def test_an_answer_that_is_kept_and_not_called_gives_everything_back_later(watched, monkeypatch):
    monkeypatch.setattr("mesbatch.adapters.http.untaken.TAKE_SECONDS", 0.1)
    limiter = ProcessLimiter(1, 64 * MiB)
    answer = stream_ndjson(watched.reader(), permit=limiter.permit(MiB))
    until(lambda: limiter.in_flight.permits == 0)

    async def late() -> int:
        client = Client(100)
        await answer(client.scope, client.receive, client.send)
        return client.got[0]["status"]

    assert asyncio.run(late()) == 500


def test_a_read_on_a_connection_of_the_caller_is_refused_with_a_way_out(watched):
    limiter = ProcessLimiter(1, 64 * MiB)
    con = sqlite3.connect(watched.path)
    with pytest.raises(UnknownSource, match="a function that connects, or use aiter_batches"):
        stream_ndjson(read_sql_iter("select 1", con), permit=limiter.permit(MiB))
    assert limiter.in_flight.permits == 0
    con.close()


def test_a_client_that_takes_nothing_is_given_up(watched):
    async def serve() -> float:
        client = Client(3)
        client.left = asyncio.Event()
        client.left.set = lambda: None  # it stays connected
        body = live_body(watched.reader(), None, "t", ndjson_form(None, "objects", Dialect()), Limits(timeout=0.3))
        answer = live_answer(body, HttpRequest({}, {}, lambda limit: b"", str))
        begun = time.monotonic()
        with pytest.raises(TimeoutError, match="the client took nothing"):
            await send_answer(answer, client.scope, client.receive, client.send, Dialect(), Limits(timeout=0.3))
        return time.monotonic() - begun

    assert asyncio.run(serve()) < 2
    watched.check()
