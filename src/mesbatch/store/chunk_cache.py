"""A cache of chunks that several clients read at the same time."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from mesbatch.store.stored_lines import ChunkLine


class ChunkCache:
    """The chunks that were used last, *max_bytes* of them, or one that is larger; for any number of threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._chunks: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._nbytes, self._lock = 0, Lock()

    @property
    def nbytes(self) -> int:
        """The bytes that are held now."""
        return self._nbytes

    def known(self, line: ChunkLine, first: int, size: int) -> bytes | None:
        """Give *size* bytes of the chunk of *line*, from *first* on, if it is here; touches no store."""
        found = self._find(line)
        return None if found is None else found[first : first + size]

    def read(self, line: ChunkLine, first: int, size: int) -> bytes:
        """Give *size* bytes of the chunk of *line*, which is read and checked again if it is not here.

        Raises:
            ChunkLost, CorruptChunk: as `ResultReader.read`.
        """
        found = self._find(line)
        if found is None:
            found = line.read()
            self._keep(line, found)
        return found[first : first + size]

    def _find(self, line: ChunkLine) -> bytes | None:
        with self._lock:
            found = self._chunks.get(line.place)
            if found is not None:
                self._chunks.move_to_end(line.place)
            return found

    def _keep(self, line: ChunkLine, data: bytes) -> None:
        with self._lock:
            if line.place not in self._chunks:
                self._chunks[line.place] = data
                self._nbytes += len(data)
            while self._nbytes > self._max_bytes and len(self._chunks) > 1:
                self._nbytes -= len(self._chunks.popitem(last=False)[1])
