"""An append-only file of checksummed extents, which gives back the bytes that were written or an error."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from struct import Struct
from zlib import crc32

from msgspec import Struct as Record

from mesbatch.errors import CorruptChunk, SpillError
from mesbatch.units import KiB

MAGIC = b"mesb"
PREFIX = Struct("<4sI")  # magic, CRC-32 of everything after it, begun with the offset: no extent passes for another
FIELDS = Struct("<QHqQ")  # group, layout, previous, bytes of the payload
HEADER = Struct(PREFIX.format + FIELDS.format.removeprefix("<"))
SEED_MASK = 0xFFFFFFFF
NO_EXTENT = -1

WRITE_NBYTES = 256 * KiB  # enough that system calls do not count beside the encoding
SCAN_NBYTES = 64 * KiB  # a merge of many runs reads a little of each at a time
LOOK_UP_NBYTES = 4 * KiB  # the rows of a usual key, in one call


class Extent(Record, gc=False):
    """A piece of one group on disk; *previous* is the offset of the piece before it, or `NO_EXTENT`."""

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
        """Add an extent and return its offset; it can be read after `flush`.

        Raises:
            SpillError: the disk is full or broken; extents that were added before may be lost.
        """
        offset = self.nbytes
        nbytes = len(payload)
        checked = FIELDS.pack(group, layout, previous, nbytes) + payload
        self._pending += PREFIX.pack(MAGIC, crc32(checked, offset & SEED_MASK)), checked
        if nbytes > self._largest:
            self._largest = nbytes
        self.nbytes += HEADER.size + nbytes
        if self.nbytes - self._written_nbytes >= WRITE_NBYTES:
            self.flush()
        return offset

    def flush(self) -> None:
        """Write the extents that were added; raises as `append` does."""
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
        """Read the extent at *offset*.

        Raises:
            CorruptChunk: the bytes there are not those that were written.
        """
        return next(self.scan(offset, self._written_nbytes, LOOK_UP_NBYTES))

    def scan(self, start: int, stop: int, ahead: int = SCAN_NBYTES) -> Iterator[Extent]:
        """Read the extents from *start* to *stop*, *ahead* bytes at once; raises as `read` does."""
        window, begin = b"", start
        while start < stop:
            at = start - begin
            if at + HEADER.size > len(window):
                window, begin, at = self._read(start, HEADER.size, min(ahead, stop - start)), start, 0
            magic, checksum, group, layout, previous, payload_nbytes = HEADER.unpack_from(window, at)
            if magic != MAGIC or payload_nbytes > self._largest:  # or else a flipped bit could make us read gigabytes
                raise CorruptChunk(f"no extent begins at byte {start:,} of the spill file")
            end = at + HEADER.size + payload_nbytes
            if end > len(window):
                window, begin = self._read(start, end - at, min(ahead, stop - start)), start
                continue
            found = crc32(window[at + PREFIX.size : end], start & SEED_MASK)
            if found != checksum:
                raise CorruptChunk(
                    f"the extent at byte {start:,} has checksum {found:08x}, not {checksum:08x} as written"
                )
            yield Extent(start, group, layout, previous, window[at + HEADER.size : end])
            start += end - at

    def _read(self, offset: int, least: int, wanted: int) -> bytes:
        window = os.pread(self._descriptor, max(least, wanted), offset)
        if len(window) < least:
            raise CorruptChunk(f"the spill file ends at byte {offset + len(window):,}, in the middle of an extent")
        return window

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
