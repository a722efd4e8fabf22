"""Pieces of numbered groups on disk: spilled in runs of extents, each with neighbouring groups."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from sys import getsizeof

from mesbatch.group.spill.extents import GROUP_CODE, GROUPS_MAX, Extent, ExtentFile
from mesbatch.units import KiB

GROUPS_SHIFT = 7  # the first partitions have 128 groups: two hundred KiB of a usual table on disk
SPLIT_SHIFT = 4  # 16 parts of one that must be split
BUFFER_NBYTES = 8 * KiB  # of a partition, at least, when all spill: smaller extents cost more than their rows
PARTITIONS_MIN = 64
EXTENT_NBYTES = 64 * KiB  # a quarter MiB of rows in memory: readers hold one
PIECE_NBYTES = 60  # in memory beside its bytes: the head of an object, its place in two lists
PLACE_CODE = "Q"  # of offsets and sizes


class Partition:
    """Neighbouring groups from number *first* on: pieces that wait in memory, and the extents before them."""

    __slots__ = ("first", "groups", "nbytes_of", "offsets", "pieces")

    def __init__(self, first: int) -> None:
        self.first = first
        self.groups = array(GROUP_CODE)
        self.pieces: list[bytes] = []
        self.offsets = array(PLACE_CODE)
        self.nbytes_of = array(PLACE_CODE)

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return sum(self.nbytes_of)

    def absorb(self, other: Partition) -> None:
        """Take the extents of *other*, the next partition; none of the groups has any in both."""
        self.offsets += other.offsets
        self.nbytes_of += other.nbytes_of


class Partitions:
    """Pieces of groups in *file*, at most *max_bytes* of them in memory; groups are numbered from *first* on.

    A run is what fits into memory: it is written partition by partition, so extents are as large as the number of
    partitions allows. When there are too many of them for extents of a few KiB, every two become one. At the end,
    `settle` splits those that are too large to be read at once, or have too many extents to find a key soon.
    That moves pieces, whatever they are, and never looks into them. The pieces of a group keep their order.
    """

    def __init__(self, file: ExtentFile, max_bytes: int, *, first: int = 0, shift: int | None = None) -> None:
        self._file, self._max_bytes, self._first = file, max_bytes, first
        self._shift = GROUPS_SHIFT if shift is None else shift
        self._most = max(PARTITIONS_MIN, max_bytes // BUFFER_NBYTES)
        self._layout = 0
        self._stop = first
        self._waiting_nbytes = 0
        self._partitions: list[Partition] = []

    @property
    def index_nbytes(self) -> int:
        """Bytes in memory of the places of all extents."""
        parts = ((one, one.groups, one.pieces, one.offsets, one.nbytes_of) for one in self._partitions)
        return getsizeof(self._partitions) + sum(getsizeof(part) for some in parts for part in some)

    def add(self, groups: Sequence[int], pieces: Sequence[bytes], layout: int) -> None:
        """Append *pieces*, each to one of *groups*; all are written in *layout*.

        Raises:
            SpillError: the disk is full or broken.
        """
        if layout != self._layout:
            self.spill()
            self._layout = layout
        first, shift, partitions = self._first, self._shift, self._partitions
        self._make_room(max(groups, default=first))
        mask = (1 << shift) - 1
        for group, piece in zip(groups, pieces):
            partition = partitions[(group - first) >> shift]
            partition.groups.append((group - first) & mask)
            partition.pieces.append(piece)
        self._waiting_nbytes += sum(map(len, pieces)) + PIECE_NBYTES * len(pieces)
        if self._waiting_nbytes > self._max_bytes:
            self.spill()

    def spill(self) -> None:
        """Write a run: all pieces that wait in memory; raises as `add` does."""
        for partition in self._partitions:
            if partition.pieces:
                self._write(partition)
        self._file.flush()
        self._waiting_nbytes = 0
        while len(self._partitions) > self._most and 2 << self._shift <= GROUPS_MAX:
            self._join_pairs()

    def settle(self, nbytes: int, *, extents: int | None = None) -> None:
        """Write what waits, and split partitions of more than *nbytes* bytes or more than *extents* extents.

        A partition of one group is never split. Raises as `add` does, and `CorruptChunk`.
        """
        self.spill()
        settled: list[Partition] = []
        for number, partition in enumerate(self._partitions):
            self._partitions[number] = Partition(0)  # its places are given back when it is split
            settled += self._settled(partition, nbytes, extents)
        self._partitions = settled

    def __iter__(self) -> Iterator[tuple[range, Iterator[Extent]]]:
        """Give the groups of each partition, with its extents in the order of their pieces' arrival."""
        stops = [partition.first for partition in self._partitions[1:]] + [self._stop]
        for partition, stop in zip(self._partitions, stops):
            yield range(partition.first, stop), self._extents(partition)

    def extents_of(self, group: int) -> Iterator[Extent]:
        """Give the extents of the partition of *group*."""
        return self._extents(self._partitions[self._find(group)])

    def _find(self, group: int) -> int:
        low, high = 0, len(self._partitions)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._partitions[middle].first <= group else (low, middle)
        return low

    def _extents(self, partition: Partition) -> Iterator[Extent]:
        return map(self._file.read, partition.offsets, partition.nbytes_of)

    def _make_room(self, group: int) -> None:
        self._stop = max(self._stop, group + 1)
        for number in range(len(self._partitions), (group - self._first >> self._shift) + 1):
            self._partitions.append(Partition(self._first + (number << self._shift)))

    def _write(self, partition: Partition) -> None:
        for part in _cut(partition.pieces):
            partition.offsets.append(self._file.nbytes)
            nbytes = self._file.append(partition.first, self._layout, partition.groups[part], partition.pieces[part])
            partition.nbytes_of.append(nbytes)
        partition.groups, partition.pieces = array(GROUP_CODE), []

    def _join_pairs(self) -> None:
        self._shift += 1
        for left, right in zip(self._partitions[::2], self._partitions[1::2]):
            left.absorb(right)
        del self._partitions[1::2]

    def _settled(self, partition: Partition, nbytes: int, extents: int | None) -> list[Partition]:
        few = extents is None or len(partition.offsets) <= extents
        if not self._shift or (few and partition.nbytes <= nbytes):
            return [partition]
        shift = max(0, self._shift - SPLIT_SHIFT)
        parts = Partitions(self._file, self._max_bytes, first=partition.first, shift=shift)
        for extent in self._extents(partition):
            parts.add([extent.first + group for group in extent.groups], extent.pieces(), extent.layout)
        parts.settle(nbytes, extents=extents)
        return parts._partitions


def _cut(pieces: Sequence[bytes]) -> Iterator[slice]:
    """Cut *pieces* into extents of at most `EXTENT_NBYTES`, but of one piece at least."""
    start = nbytes = 0
    if sum(map(len, pieces)) > EXTENT_NBYTES:
        for number, piece in enumerate(pieces):
            if nbytes and nbytes + len(piece) > EXTENT_NBYTES:
                yield slice(start, number)
                start, nbytes = number, 0
            nbytes += len(piece)
    yield slice(start, len(pieces))
