"""The event loop and the thread of a read: who waits for whom, and for how long."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from threading import Event

from mesbatch import Batch, read_sql_iter
from mesbatch.adapters.asgi.sources import LiveSource
from mesbatch.adapters.http import live
from mesbatch.adapters.http.body import Form, ThreadBody
from mesbatch.adapters.http.reads import HeldRead, OneDomain
from mesbatch.sink.stream import ByteStream


class Rows:
    """One batch, which comes when *due* is set."""

    def __init__(self) -> None:
        self.due = Event()

    def batches(self):
        self.due.wait(30)
        yield Batch(("n",), [(1,)])


def written(read):
    """Write a head at once, as the formats do, and then each batch."""

    def pieces():
        yield b"head "
        for _, batch in read:
            yield repr(batch.rows).encode()

    return ByteStream(pieces(), read)


def source_of(rows):
    read = HeldRead(OneDomain(read_sql_iter(None, rows), "lots"), None)
    return LiveSource(ThreadBody(read, Form("text/plain", written), 30), 30)


def test_an_answer_begins_with_its_first_batch_and_ends_with_its_last(monkeypatch):
    monkeypatch.setattr(live, "FIRST_BATCH_SECONDS", 60)

    async def pieces():
        rows = Rows()
        source = source_of(rows)
        asyncio.get_running_loop().call_later(0.1, rows.due.set)
        try:
            async with asyncio.timeout(20):
                await source.begin()
                return [piece async for piece in source.pieces()]
        finally:
            await source.close()

    assert asyncio.run(pieces()) == [b"head ", b"[(1,)]"]


def test_a_silent_read_is_waited_for_and_the_event_loop_goes_on(monkeypatch):
    monkeypatch.setattr(live, "FIRST_BATCH_SECONDS", 0.5)

    async def begin():
        rows = Rows()
        source = source_of(rows)
        beats = 0

        async def beat():
            nonlocal beats
            while True:
                await asyncio.sleep(0.02)
                beats += 1

        other, started = asyncio.create_task(beat()), time.monotonic()
        try:
            await source.begin()
            return beats, time.monotonic() - started
        finally:
            rows.due.set()
            await source.close()
            other.cancel()
            with suppress(asyncio.CancelledError):
                await other

    beats, seconds = asyncio.run(begin())
    assert seconds >= 0.5
    assert beats >= 3
