"""Threads for what blocks, apart from those of any framework; and the end of a task that nobody may cut short."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from mesbatch.errors import LimiterBusy

READS_AT_ONCE = 40  # threads that read, in one process; a dashboard's limiter lets far fewer through
BUSY_SECONDS = 5.0  # until a refused client may come back

T = TypeVar("T")


class Threads:
    """At most *count* threads, begun when they are needed, also in a forked process."""

    def __init__(self, count: int, name: str) -> None:
        self._count, self._name = count, name
        self._pool: ThreadPoolExecutor | None = None
        self._lock = Lock()
        os.register_at_fork(after_in_child=self._forget)

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call *function* in one of the threads, with the context of this task."""
        return await asyncio.wrap_future(self.submit(copy_context().run, function, *arguments))

    def submit(self, function: Callable[..., T], *arguments: Any) -> Any:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._count, self._name)
            return self._pool.submit(function, *arguments)

    def _forget(self) -> None:
        self._pool, self._lock = None, Lock()


CALLS = Threads(4, "mesbatch-asgi")  # short calls: a look at a job, a chunk of the store, an interruption
WAITS = Threads(16, "mesbatch-asgi-wait")  # requests that may wait for a permit


class Slots:
    """Rights to have a thread that reads, at most `READS_AT_ONCE` in one event loop."""

    def __init__(self) -> None:
        self._free: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    async def take(self, patience: float) -> Callable[[], None]:
        """Take a right within *patience* seconds, and return the function that gives it back, once.

        Raises:
            LimiterBusy: there was none.
        """
        free = self._free.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(READS_AT_ONCE))
        try:
            async with asyncio.timeout(patience):
                await free.acquire()
        except TimeoutError as error:
            raise LimiterBusy(
                f"{READS_AT_ONCE} answers are read in this process, and none ended within {patience:g} s", BUSY_SECONDS
            ) from error
        given_back = False

        def give_back() -> None:
            nonlocal given_back
            if not given_back:
                given_back = True
                free.release()

        return give_back


SLOTS = Slots()


async def shielded(work: Coroutine[Any, Any, T]) -> T:
    """Await *work* to its end, also while this task is cancelled; the cancellation then follows."""
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
            cancelled = True
        except BaseException:  # noqa: BLE001, S110  # raised below
            pass
    if cancelled:
        task.exception()  # looked at, so that nobody is warned
        raise asyncio.CancelledError
    return task.result()
