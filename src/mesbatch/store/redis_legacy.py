"""Results of the first implementation in Redis: found by its keys, and read like ours."""

from __future__ import annotations

from mesbatch.store.account import Chunk
from mesbatch.store.legacy import (
    LegacyResult,
    account_of_chunks,
    account_of_whole,
    aggregation_of_whole,
    rows_of_whole,
)
from mesbatch.store.redis_names import RedisNames
from mesbatch.store.redis_server import RedisServer


class LegacyResults:
    """Results of the first implementation, in chunks or in one piece. Holds the account of the last one."""

    def __init__(self, server: RedisServer, names: RedisNames) -> None:
        self._server, self._names = server, names
        self._last: tuple[str, LegacyResult] | None = None

    def whole(self, job_id: str) -> bytes | None:
        """Return a result that lies in one piece."""
        return self._get(job_id, "result")

    def find(self, job_id: str) -> LegacyResult | None:
        """Return the account of a result, made by reading all of it; None for a job of ours or without a result."""
        if self._last is not None and self._last[0] == job_id:
            return self._last[1]
        if self._server("exists", *self._names.of(job_id, "lease")):  # only our jobs have one
            return None
        whole, meta = self._server("mget", self._names.of(job_id, "result", "result:meta"))
        if whole is None and meta is None:
            return None
        found = self._from_chunks(job_id, meta) if whole is None else account_of_whole(whole)
        self._last = job_id, found
        return found

    def chunk(self, job_id: str, chunk: Chunk) -> bytes | None:
        """Return the rows of a domain of a result in one piece."""
        whole = self.whole(job_id)
        return None if whole is None else rows_of_whole(whole).get(chunk.domain)

    def aggregation(self, job_id: str) -> bytes | None:
        """Return the aggregation of a result in one piece."""
        whole = self.whole(job_id)
        return None if whole is None else aggregation_of_whole(whole)

    def _from_chunks(self, job_id: str, meta: bytes) -> LegacyResult:
        def read(chunk: Chunk) -> bytes | None:
            data: bytes | None = self._server("get", self._names.of_chunk(job_id, chunk))
            return data

        return account_of_chunks(meta, read, self._get(job_id, "result:aggregation"))

    def _get(self, job_id: str, member: str) -> bytes | None:
        data: bytes | None = self._server("get", *self._names.of(job_id, member))
        return data
