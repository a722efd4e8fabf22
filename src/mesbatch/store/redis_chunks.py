"""Chunks of results in Redis, and those that go to a second store where one result has too many bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from mesbatch.errors import ChunkLost, ResultStoreFull
from mesbatch.store.account import Chunk
from mesbatch.store.redis_names import RedisNames
from mesbatch.store.redis_server import RedisServer
from mesbatch.store.write_once import WriteOnceStore
from mesbatch.units import format_bytes

AT_ONCE = 500  # keys in one request

T = TypeVar("T")


class RedisChunks:
    """The bytes of chunks: up to *max_bytes* of a result in Redis, the rest in *overflow* if there is one."""

    def __init__(self, server: RedisServer, names: RedisNames, max_bytes: int, overflow: WriteOnceStore | None) -> None:
        self._server, self._names, self._max_bytes, self._overflow = server, names, max_bytes, overflow

    def overflow_for(self, job_id: str, size: int) -> WriteOnceStore | None:
        """Return the store for *size* more bytes of this result; None for Redis itself.

        Raises:
            ResultStoreFull: they are too many for Redis, and there is no second store.
        """
        (lease,) = self._names.of(job_id, "lease")
        held = int(self._server("hget", lease, "bytes") or 0)
        if held + size <= self._max_bytes:
            return None
        if self._overflow is None:
            raise ResultStoreFull(
                f"{format_bytes(held + size)} are more than the {format_bytes(self._max_bytes)} that one result may "
                "have in Redis, and there is no second store"
            )
        return self._overflow

    def read(self, job_id: str, chunk: Chunk) -> bytes | None:
        """Return the bytes of *chunk*; None when they are gone."""
        if chunk.overflow and self._overflow is not None:
            return self._overflow.chunk(job_id, chunk)
        data: bytes | None = self._server("get", self._names.of_chunk(job_id, chunk))
        return data

    def keep(self, job_id: str, chunks: Iterable[Chunk], milliseconds: int) -> None:
        """Let *chunks* live that long from now.

        Raises:
            ChunkLost: one is gone already.
        """
        overflows = False
        for some in in_lists(chunks):
            here = [chunk for chunk in some if not chunk.overflow]
            overflows = overflows or len(here) < len(some)
            names = [self._names.of_chunk(job_id, chunk) for chunk in here]
            for chunk, found in zip(here, self.expire(names, milliseconds)):
                if not found:
                    raise lost_chunk(job_id, chunk)
        if overflows and self._overflow is not None:
            self._overflow.keep(job_id)

    def expire(self, names: Sequence[str], milliseconds: int) -> list[bool]:
        """Let the keys of these *names* live that long from now, and return which of them are there."""
        found: list[bool] = self._server.ask(partial(self._expire, names, milliseconds))
        return found

    def delete_overflow(self, job_id: str) -> None:
        """Remove the chunks of a job that went to the second store."""
        if self._overflow is not None and job_id in self._overflow.spare_jobs():
            self._overflow.delete(job_id)

    def sweep(self) -> int:
        """Remove the chunks in the second store of jobs that Redis no longer knows; return the number of jobs."""
        if self._overflow is None:
            return 0
        gone = [job_id for job_id in self._overflow.spare_jobs() if self._is_gone(job_id)]
        for job_id in gone:
            self._overflow.delete(job_id)
        return len(gone)

    def _is_gone(self, job_id: str) -> bool:
        return not self._server("exists", *self._names.of(job_id, "meta"))

    def _expire(self, names: Sequence[str], milliseconds: int) -> Any:
        pipeline = self._server.client.pipeline(transaction=False)
        for name in names:
            pipeline.pexpire(name, milliseconds)
        return pipeline.execute()


def lost_chunk(job_id: str, chunk: Chunk) -> ChunkLost:
    """Make the error for a chunk that was published and is no longer there."""
    return ChunkLost(f"chunk {chunk.number} of {chunk.domain!r} of job {job_id} is gone")


def in_lists(items: Iterable[T]) -> Iterator[list[T]]:
    """Cut *items* into lists that are short enough for one request."""
    remaining = iter(items)
    return iter(lambda: list(islice(remaining, AT_ONCE)), [])
