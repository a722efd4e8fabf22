"""Bodies of answers as asynchronous pieces of bytes: reads that run in their thread, and stored results."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

from mesbatch.adapters.asgi.threads import CALLS, SLOTS
from mesbatch.adapters.http import live
from mesbatch.adapters.http.body import CLOSE_SECONDS, INTERRUPT_SECONDS, ThreadBody
from mesbatch.adapters.http.live import Signs
from mesbatch.store.chunk_cache import ChunkCache
from mesbatch.store.stored_lines import POLL_SECONDS, ChunkLine

SLICE_BYTES = 32 * 1024  # of a chunk that a client has not taken yet; servers buffer 64 KiB and one of these
CACHE_BYTES = 32 * 1024 * 1024  # of chunks that clients share

_logger = logging.getLogger(__name__)
_chunks = ChunkCache(CACHE_BYTES)


class Source(Protocol):
    """Pieces of a body; `close` is called once, also after a failure."""

    def pieces(self) -> AsyncGenerator[bytes]: ...

    async def close(self) -> None: ...


class LiveSource:
    """Pieces of *body*, which its own thread makes; only that thread touches the read.

    Nothing here waits for the thread but the event loop.
    """

    def __init__(self, body: ThreadBody, patience: float) -> None:
        self._body, self._patience = body, patience
        self._changed, self._begun = asyncio.Event(), False
        self._give_slot_back: Callable[[], None] = _nothing

    async def begin(self) -> None:
        """Begin to read, and return with the first batch or after `FIRST_BATCH_SECONDS`.

        Raises:
            LimiterBusy: no thread became free.
            Exception: the failure of the read before its first batch.
        """
        self._give_slot_back = await SLOTS.take(self._patience)
        loop = asyncio.get_running_loop()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._look)

        self._body.tell = tell
        self._begun = True
        self._body.start()
        until = time.monotonic() + live.FIRST_BATCH_SECONDS
        while not self._body.read.began.is_set() and (left := until - time.monotonic()) > 0:
            await self._wait(left)
            self._changed.clear()
        if self._body.read.failure is not None:
            raise self._body.read.failure

    async def pieces(self) -> AsyncGenerator[bytes]:
        signs = Signs(self._body)
        while True:
            self._changed.clear()
            try:
                piece = self._body.take(0)
            except StopIteration:
                return
            except Exception as error:
                if (last := signs.of_failure(error)) is None:
                    raise
                yield last
                return
            if piece is not None:
                yield signs.of_piece(piece)
                del piece
            elif not await self._wait(signs.patience):
                yield signs.of_silence()

    async def close(self) -> None:
        """Stop, and wait until the thread has given everything back; a driver that ignores this ends by itself."""
        if not self._begun:
            await CALLS.call(self._body.close)  # nothing was opened yet
            self._give_slot_back()
            return
        until = time.monotonic() + CLOSE_SECONDS
        self._changed.clear()
        self._body.leave()
        while not self._body.ended and time.monotonic() < until:
            if not await self._wait(INTERRUPT_SECONDS):
                await CALLS.call(self._body.leave)
            self._changed.clear()
        if self._body.ended:
            self._give_slot_back()
        else:
            _logger.warning("a read did not stop within %g s after its client left; it ends by itself", CLOSE_SECONDS)

    def _look(self) -> None:
        self._changed.set()
        if self._body.ended:
            self._give_slot_back()

    async def _wait(self, timeout: float | None) -> bool:
        """Wait for something to look at; False if there was nothing within *timeout* seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True


class StoredSource:
    """Pieces of a stored result, from an iterator with ``close``; each step runs in one of our threads.

    A chunk is sent in slices, and between two of them nobody holds it but a cache that all clients share.
    """

    def __init__(self, steps: Iterator[bytes | ChunkLine]) -> None:
        self._steps: Any = steps
        self._step: asyncio.Future[Any] | None = None

    async def pieces(self) -> AsyncGenerator[bytes]:
        while (item := await self._run(next, self._steps, None)) is not None:
            if isinstance(item, ChunkLine):
                async for piece in self._slices(item):
                    yield piece
            elif item:
                yield item
            else:
                await asyncio.sleep(POLL_SECONDS)
            del item

    async def close(self) -> None:
        if self._step is not None:
            await asyncio.wait([self._step])
            self._step.exception()  # raised before, or of no interest: looked at, so that nobody is warned
        await CALLS.call(self._steps.close)

    async def _slices(self, line: ChunkLine) -> AsyncGenerator[bytes]:
        before = line.head
        for first in range(0, line.chunk.size, SLICE_BYTES):
            data = _chunks.known(line, first, SLICE_BYTES)
            if data is None:  # a thread gives the slice alone: many whole chunks could wait for the event loop
                data = await self._run(_chunks.read, line, first, SLICE_BYTES)
            yield before + data
            before = b""
        yield before + line.tail

    async def _run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call *function* in a thread; a step that runs is waited for before the steps are closed."""
        step = self._step = asyncio.ensure_future(CALLS.call(function, *arguments))
        found = await asyncio.shield(step)
        self._step = None  # which would hold what was found as long as the client does not ask for more
        return found


def _nothing() -> None:
    """There is no slot to give back."""
