"""An append-only file of checksummed extents, which cannot give back other bytes than were written."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from mesbatch.errors import CorruptChunk, SpillError
from mesbatch.units import KiB

MAGIC = b"mesb"
PREFIX = Struct("<4sI")  # magic, CRC-32 of everything after it, begun with the offset: no extent passes for another
FIELDS = Struct("<QHqQ")  # group, layout, previous, bytes of the payload
HEADER_NBYTES = PREFIX.size + FIELDS.size
NO_EXTENT = -1

WRITE_NBYTES = 256 * KiB  # enough that system calls do not count beside the encoding
SCAN_NBYTES = 64 * KiB  # a merge of many runs reads a little of each at a time
LOOK_UP_NBYTES = 4 * KiB  # the rows of a usual key, in one call


class Extent(NamedTuple):
    """A piece of one group as it lies on disk; *previous* is the offset of the piece before it, or `NO_EXTENT`."""

    offset: int
    group: int
    layout: int
    previous: int
    payload: bytes


class ExtentFile:
    """The extents of one file; owns *descriptor*, and holds at most 256 KiB and one extent in memory."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending: list[bytes] = []
        self._written_nbytes = 0
        self._largest = 0
        self.nbytes = 0  # of all extents, with those that are not yet written

    def append(self, group: int, layout: int, previous: int, payload: bytes) -> int:
        """Add an extent and return its offset; what is added can be read after `flush`.

        Raises:
            SpillError: the disk is full or broken. What was added before can no longer be relied upon.
        """
        offset = self.nbytes
        fields = FIELDS.pack(group, layout, previous, len(payload))
        self._pending += PREFIX.pack(MAGIC, _checksum(payload, _checksum(fields, offset))), fields, payload
        self._largest = max(self._largest, len(payload))
        self.nbytes += HEADER_NBYTES + len(payload)
        if self.nbytes - self._written_nbytes >= WRITE_NBYTES:
            self.flush()
        return offset

    def flush(self) -> None:
        """Write what was added; raises as `append` does."""
        rest = memoryview(b"".join(self._pending))
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            message = f"could not write bytes {self._written_nbytes:,} to {self.nbytes:,}: {error.strerror}"
            raise SpillError(error.errno, message) from error
        self._pending.clear()
        self._written_nbytes = self.nbytes

    def read(self, offset: int) -> Extent:
        """The extent at *offset*.

        Raises:
            CorruptChunk: the file does not hold there what was written.
        """
        return next(self.scan(offset, self._written_nbytes, LOOK_UP_NBYTES))

    def scan(self, start: int, stop: int, ahead: int = SCAN_NBYTES) -> Iterator[Extent]:
        """The extents from *start* to *stop*, reading *ahead* bytes at once; raises as `read` does."""
        window, begin = b"", start
        while start < stop:
            if start - begin + HEADER_NBYTES > len(window):
                window, begin = self._read(start, HEADER_NBYTES, min(ahead, stop - start)), start
            nbytes = self._extent_nbytes(window, start - begin, start)
            if start - begin + nbytes > len(window):
                window, begin = self._read(start, nbytes, min(ahead, stop - start)), start
            yield _parse(window, start - begin, start, nbytes)
            start += nbytes

    def _read(self, offset: int, least: int, wanted: int) -> bytes:
        window = os.pread(self._descriptor, max(least, wanted), offset)
        if len(window) < least:
            raise CorruptChunk(f"the spill file ends {len(window):,} bytes after byte {offset:,}, before {least:,}")
        return window

    def _extent_nbytes(self, window: bytes, at: int, offset: int) -> int:
        """The length that the header states: not yet checked, but never more than was ever written."""
        *_, payload_nbytes = FIELDS.unpack_from(window, at + PREFIX.size)
        if payload_nbytes > self._largest:
            most = f"the largest has {self._largest:,}"
            raise CorruptChunk(f"the extent at byte {offset:,} claims {payload_nbytes:,} bytes; {most}")
        return HEADER_NBYTES + int(payload_nbytes)

    def close(self) -> None:
        """Give the disk space back; may be called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        self._pending.clear()
        self.nbytes = 0
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            message = "groups on disk were never closed: write `with group_by_key(...) as groups:`"
            warnings.warn(message, ResourceWarning, stacklevel=2, source=self)
            self.close()


def _parse(window: bytes, at: int, offset: int, nbytes: int) -> Extent:
    magic, written = PREFIX.unpack_from(window, at)
    if magic != MAGIC:
        raise CorruptChunk(f"byte {offset:,} of the spill file should begin an extent, but holds {magic!r}")
    found = _checksum(memoryview(window)[at + PREFIX.size : at + nbytes], offset)
    if found != written:
        raise CorruptChunk(f"the extent at byte {offset:,} has the checksum {found:08x}, but {written:08x} was written")
    group, layout, previous, _ = FIELDS.unpack_from(window, at + PREFIX.size)
    return Extent(offset, group, layout, previous, window[at + HEADER_NBYTES : at + nbytes])


def _checksum(data: bytes | memoryview, begun_with: int) -> int:
    return crc32(data, begun_with & 0xFFFFFFFF)
