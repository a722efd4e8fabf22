"""Chunks of rows, cut where a key ends, so that a job can go on after any of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mesbatch.batch import Row

FIRST_ROWS = 500  # of a job's first chunk: readers see them while the rest is read; the next is twice as long


@dataclass(frozen=True, slots=True)
class ChunkRows:
    """The rows of one chunk; with *ends_key* the last row is the last of its key."""

    rows: list[Row]
    ends_key: bool


class Chunker:
    """A cutter of one domain's rows into chunks of at most *batch_size* rows and about *max_bytes* that end with a key.

    Only a key that alone fills a chunk is cut. *key* is the position of its column; None where rows are in no order of
    keys, so that only the end of all ends one. With *each_row* every row is a key of its own. The first chunks are
    short. Holds the rows of a chunk and of a batch.

    >>> chunker = Chunker(batch_size=3, max_bytes=1_000, key=0)
    >>> [chunk.rows for chunk in chunker.add([("a", 1), ("a", 2), ("b", 1), ("b", 2)], nbytes=400)]
    [[('a', 1), ('a', 2)]]
    >>> [chunk.rows for chunk in chunker.rest()]
    [[('b', 1), ('b', 2)]]
    """

    def __init__(
        self, batch_size: int, max_bytes: int, key: int | None, first_rows: int = FIRST_ROWS, *, each_row: bool = False
    ) -> None:
        self._batch_size, self._max_bytes, self._key = batch_size, max_bytes, key
        self._each_row = each_row
        self._wanted = min(batch_size, first_rows)
        self._rows: list[Row] = []
        self._nbytes = 0

    def add(self, rows: list[Row], nbytes: int) -> Iterator[ChunkRows]:
        """Take the rows of a batch, which hold *nbytes*, and give out the chunks that are whole."""
        self._rows += rows
        self._nbytes += nbytes
        while len(self._rows) > self._wanted or (self._nbytes > self._max_bytes and len(self._rows) > 1):
            # A row stays: the last chunk ends the last key.
            yield self._next_chunk(min(self._wanted, len(self._rows) - 1))
            self._wanted = min(self._batch_size, 2 * self._wanted)

    def whole_keys(self) -> Iterator[ChunkRows]:
        """Give out the rows of keys that are known to be whole, for a worker that stops here."""
        if end := self._last_end(len(self._rows) - 1):
            yield self._taken(end, ends_key=True)

    def rest(self) -> Iterator[ChunkRows]:
        """Give out all rows that are held: the last key has ended."""
        if self._rows:
            yield self._taken(len(self._rows), ends_key=True)

    def _next_chunk(self, most: int) -> ChunkRows:
        if end := self._last_end(most):
            return self._taken(end, ends_key=True)
        return self._taken(most, ends_key=False)

    def _last_end(self, most: int) -> int:
        """Return how many rows, at most *most*, end where a key does: the row after them has another key."""
        key, rows = self._key, self._rows
        if self._each_row:
            return max(0, most)
        if key is None:
            return 0
        while most > 0 and rows[most - 1][key] == rows[most][key]:
            most -= 1
        return max(0, most)

    def _taken(self, count: int, *, ends_key: bool) -> ChunkRows:
        taken, self._rows = self._rows[:count], self._rows[count:]
        self._nbytes = self._nbytes * len(self._rows) // (len(self._rows) + count)
        return ChunkRows(taken, ends_key)
