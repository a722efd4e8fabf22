"""`aiter_batches`: the batches of a synchronous reader in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Protocol, TypeVar

from mesbatch.adapters.asgi.threads import CALLS, SLOTS, shielded
from mesbatch.adapters.http.body import INTERRUPT_SECONDS

SLOT_SECONDS = 30.0  # for which a read waits for its thread

Item = TypeVar("Item", covariant=True)


class Reader(Protocol[Item]):
    """Reader that can be interrupted: a `BatchReader` or a `TraceReader`."""

    def __iter__(self) -> Iterator[Item]: ...

    def __next__(self) -> Item: ...

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


async def aiter_batches(reader: Reader[Item]) -> AsyncGenerator[Item]:
    """Iterate over the batches of *reader*, whose every step runs in one thread of its own.

    The event loop goes on meanwhile. *reader* is closed in that thread: at the end, on an error, when the generator is
    closed, and when the task is cancelled, which first interrupts a statement that runs. Leaving the loop by ``break``
    closes nothing yet: use `contextlib.aclosing`. At most 40 readers have a thread at once, in one event loop.

    A connection that you opened yourself is used in that thread, and must allow it: pass a URL, an engine, a pool or
    a function that connects, and the connection is made there.

    Args:
        reader: A `BatchReader`, or its Arrow batches.

    Raises:
        LimiterBusy: no thread became free within 30 s.
        Exception: whatever the read raises.

    >>> import asyncio, sqlite3
    >>> from contextlib import aclosing
    >>> from mesbatch import read_sql_iter
    >>> async def count():
    ...     reader = read_sql_iter("select 1 as ID union all select 2", lambda: sqlite3.connect(":memory:"))
    ...     async with aclosing(aiter_batches(reader)) as batches:
    ...         return sum([batch.num_rows async for batch in batches])
    >>> asyncio.run(count())
    2
    """
    give_back = await SLOTS.take(SLOT_SECONDS)
    thread = ThreadPoolExecutor(1, "mesbatch-batches")
    step: Future[Item | None] | None = None
    try:
        while True:
            step = thread.submit(copy_context().run, _next, reader)
            item = await asyncio.shield(asyncio.wrap_future(step))
            if item is None:
                return
            yield item
            del item
    finally:
        try:
            await shielded(_end(reader, thread, step))
        finally:
            give_back()


def _next(reader: Reader[Item]) -> Item | None:
    return next(reader, None)


async def _end(reader: Reader[Any], thread: ThreadPoolExecutor, step: Future[Any] | None) -> None:
    """Close *reader* in its thread, after the *step* that runs, which is interrupted."""
    while step is not None and not step.done():
        await CALLS.call(reader.interrupt)
        await asyncio.wait([_watched(step)], timeout=INTERRUPT_SECONDS)
    try:
        await asyncio.wrap_future(thread.submit(reader.close))
    finally:
        thread.shutdown(wait=False)


def _watched(step: Future[Any]) -> asyncio.Future[Any]:
    """Make a future of *step* whose failure is looked at: it has been raised, or is that of an interruption."""
    found = asyncio.wrap_future(step)
    found.add_done_callback(lambda one: one.cancelled() or one.exception())
    return found
