"""An append-only file of checksummed extents, which gives back the pieces that were written or an error."""

from __future__ import annotations

import os
import warnings
from array import array
from collections.abc import Sequence
from itertools import accumulate
from struct import Struct
from typing import TypeVar
from zlib import crc32

from msgspec import Struct as Record

from mesbatch.errors import CorruptChunk, SpillError
from mesbatch.units import KiB

T = TypeVar("T")

MAGIC = b"mesb"
PREFIX = Struct("<4sI")  # magic, CRC-32 of the head after it, begun with the offset: no extent passes for another
FIELDS = Struct("<QHIQI")  # first group, layout, pieces, bytes of the payload, CRC-32 of the payload
HEADER = Struct(PREFIX.format + FIELDS.format.removeprefix("<"))
GROUP_CODE, LENGTH_CODE = "H", "I"  # of an extent's arrays: groups counted from its first, bytes of each piece
PIECE_NBYTES = array(GROUP_CODE).itemsize + array(LENGTH_CODE).itemsize  # of a piece in the head
GROUPS_MAX = 1 << 16  # that GROUP_CODE tells apart
SEED_MASK = 0xFFFFFFFF

WRITE_NBYTES = 256 * KiB  # enough that system calls do not count beside the encoding


class Extent(Record, gc=False):
    """Pieces of neighbouring groups, together on disk: a group's number is *first* and its entry in *groups*."""

    offset: int
    first: int
    layout: int
    groups: array[int]
    lengths: array[int]
    content: bytes
    start: int  # of the payload in the content
    checksum: int

    def payload(self) -> bytes:
        """Give all pieces, one after the other.

        Raises:
            CorruptChunk: they are not those that were written.
        """
        payload = self.content[self.start :]
        found = crc32(payload)
        if found != self.checksum:
            raise CorruptChunk(
                f"the extent at byte {self.offset:,} has checksum {found:08x}, not {self.checksum:08x} as written"
            )
        return payload

    def pieces(self) -> list[bytes]:
        """Give each piece; raises as `payload` does."""
        payload = self.payload()
        ends = list(accumulate(self.lengths, initial=0))
        return list(map(payload.__getitem__, map(slice, ends, ends[1:])))

    def deal(self, values: Sequence[T], groups: Sequence[list[T]]) -> None:
        """Append *values*, one for each piece, to the lists of their groups; *groups* begins with the first."""
        for number, value in zip(self.groups, values):
            groups[number].append(value)

    def pieces_of(self, group: int) -> list[bytes]:
        """Give the pieces of *group*; raises as `payload` does if there are any."""
        wanted = group - self.first
        if wanted not in self.groups:
            return []
        payload, ends = self.payload(), list(accumulate(self.lengths, initial=0))
        places = [place for place, number in enumerate(self.groups) if number == wanted]
        return [payload[ends[place] : ends[place + 1]] for place in places]


class ExtentFile:
    """The extents of one file; owns *descriptor*, and holds at most 256 KiB and one extent in memory."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending: list[bytes] = []
        self._written_nbytes = 0
        self.nbytes = 0  # of all extents, with those that are not yet written

    def append(self, first: int, layout: int, groups: array[int], pieces: Sequence[bytes]) -> int:
        """Add *pieces* of *groups*, counted from *first*; return the bytes of the extent, which begins where all ended.

        It can be read after `flush`.

        Raises:
            SpillError: the disk is full or broken; extents that were added before may be lost.
        """
        offset = self.nbytes
        payload = b"".join(pieces)
        fields = FIELDS.pack(first, layout, len(pieces), len(payload), crc32(payload))
        head = b"".join((fields, groups, array(LENGTH_CODE, map(len, pieces))))
        self._pending += PREFIX.pack(MAGIC, crc32(head, offset & SEED_MASK)), head, payload
        nbytes = PREFIX.size + len(head) + len(payload)
        self.nbytes += nbytes
        if self.nbytes - self._written_nbytes >= WRITE_NBYTES:
            self.flush()
        return nbytes

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

    def read(self, offset: int, nbytes: int) -> Extent:
        """Read the extent of *nbytes* bytes at *offset*; its payload is checked when it is taken.

        Raises:
            CorruptChunk: the head that is there is not the one that was written.
        """
        content = os.pread(self._descriptor, nbytes, offset)
        if len(content) < nbytes:
            raise CorruptChunk(f"the spill file ends at byte {offset + len(content):,}, in the middle of an extent")
        magic, checksum, first, layout, number, payload_nbytes, payload_checksum = HEADER.unpack_from(content)
        start = nbytes - payload_nbytes
        if magic != MAGIC or start != HEADER.size + number * PIECE_NBYTES:
            raise CorruptChunk(f"no extent of {nbytes:,} bytes begins at byte {offset:,} of the spill file")
        found = crc32(memoryview(content)[PREFIX.size : start], offset & SEED_MASK)
        if found != checksum:
            raise CorruptChunk(
                f"the head of the extent at byte {offset:,} has checksum {found:08x}, not {checksum:08x} as written"
            )
        groups, lengths = array(GROUP_CODE), array(LENGTH_CODE)
        lengths_start = start - number * lengths.itemsize
        groups.frombytes(memoryview(content)[HEADER.size : lengths_start])
        lengths.frombytes(memoryview(content)[lengths_start:start])
        return Extent(offset, first, layout, groups, lengths, content, start, payload_checksum)

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
