"""Groups on disk: written in runs, read by key or all of them in first-seen order."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import islice, repeat
from operator import attrgetter, itemgetter
from sys import getsizeof
from typing import Any, NamedTuple

from mesbatch.batch import Row, measure_rows
from mesbatch.errors import UnencodableValue
from mesbatch.group.spill.extents import HEADER, NO_EXTENT, Extent, ExtentFile
from mesbatch.group.spill.key_numbers import KeyNumbers
from mesbatch.group.spill.layout import RowLayouts
from mesbatch.units import KiB

SAMPLE_EVERY = 17  # rows: measuring all of them costs three times as much as grouping them; a prime meets no period
ROWS_PER_LOOK = 1_000  # rows whose types are looked at together
EXTENT_NBYTES = 256 * KiB  # of rows in memory: `iter_rows` holds one extent
WINDOW_NBYTES_MIN = 256 * KiB  # of rows in memory: below it, a pass over all groups is only calls to the disk

GroupRows = tuple[int, list[Row]]  # the number of a group, rows of it


class _RunPosition(NamedTuple):
    """The position of a reader in a run: the group and the offset of the next extent, and the end of the run."""

    group: int
    offset: int
    stop: int


class SpilledGroups:
    """Groups of rows in *extents*, numbered in the order in which their keys were first seen.

    Every `add` writes a run: its groups in the order of their numbers, so that all groups can be read in that order by
    going through the runs side by side. The pieces of one group link backwards, so the index holds only the place of
    the last one: about 60 bytes a key and the key itself. Owns *extents*. Raises as `ExtentFile` does.
    """

    def __init__(self, columns: tuple[str, ...], extents: ExtentFile, max_bytes: int) -> None:
        self._extents = extents
        self._max_bytes = max_bytes
        self._layouts = RowLayouts(columns)
        self._numbers = KeyNumbers()
        self._last = array("q")  # by group: the offset of its last extent
        self._group_nbytes = array("f")  # by group: its bytes on disk, near enough to plan with
        self._runs: list[_RunPosition] = []
        self._added_nbytes = 0.0

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return self._extents.nbytes

    @property
    def index_nbytes(self) -> int:
        """Bytes of the index in memory, keys included; walks over the keys."""
        return self._numbers.nbytes + getsizeof(self._last) + getsizeof(self._group_nbytes)

    def add(self, groups: Mapping[Any, list[Row]], nbytes: float) -> None:
        """Append the rows of *groups*, which hold about *nbytes* bytes in memory.

        Raises:
            SpillError: the disk is full or broken.
            SchemaChanged: a row has more or fewer values than there are columns.
            UnencodableValue: a value is of a type that cannot be spilled; the message names its column, key and row.
        """
        run = sorted(zip(self._numbers.add(groups), groups.values()), key=itemgetter(0))
        num_new = len(self._numbers) - len(self._last)
        self._last.extend(repeat(NO_EXTENT, num_new))
        self._group_nbytes.extend(repeat(0.0, num_new))
        start = self._extents.nbytes
        for pieces in _looks(run):
            self._append(pieces)
        self._extents.flush()
        self._runs.append(_RunPosition(run[0][0], start, self._extents.nbytes))
        self._added_nbytes += nbytes

    def _append(self, pieces: list[GroupRows]) -> None:
        num_written = 0
        try:
            self._layouts.learn([row for _, rows in pieces for row in rows])
            for group, rows in pieces:
                layout, payload = self._layouts.encode(rows)
                self._last[group] = self._extents.append(group, layout, self._last[group], payload)
                self._group_nbytes[group] += HEADER.size + len(payload)
                num_written += 1
        except UnencodableValue as error:
            raise self._named(error, pieces[num_written:]) from None

    def _named(self, error: UnencodableValue, pieces: list[GroupRows]) -> UnencodableValue:
        """Add row and key to the *error* of one of *pieces*, which are not written yet."""
        self._extents.flush()
        before: Counter[int] = Counter()
        for group, rows in pieces:
            for number, row in enumerate(rows, before[group]):
                try:
                    self._layouts.learn([row])
                    self._layouts.encode([row])
                except UnencodableValue as found:
                    number += sum(len(self._decode(extent)) for extent in self._chain(group))
                    key = next(islice(self._numbers, group, None))
                    return UnencodableValue(f"{found} in row {number + 1:,} of key {key!r}, which cannot be spilled")
            before[group] += len(rows)
        return error

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._numbers)

    def __contains__(self, key: object) -> bool:
        return key in self._numbers

    def __getitem__(self, key: Any) -> list[Row]:
        """Read the rows of *key*, in the order in which they came; holds them encoded, too."""
        chain = list(self._chain(self._numbers[key]))
        return [row for extent in reversed(chain) for row in self._decode(extent)]

    def iter_rows(self, key: Any) -> Iterator[Row]:
        """Iterate over the rows of *key*, holding those of one extent and the places of all."""
        offsets = [extent.offset for extent in self._chain(self._numbers[key])]
        return (row for offset in reversed(offsets) for row in self._decode(self._extents.read(offset)))

    def items(self) -> Iterator[tuple[Any, list[Row]]]:
        """Read keys and rows in first-seen order, in one pass over the file; holds groups of half of *max_bytes*.

        A window of groups is taken from each run in turn: every run is read forward once, whatever the number of keys.
        """
        positions = list(self._runs)
        heapify(positions)
        keys, start = iter(self._numbers), 0
        while start < len(self._numbers):
            stop = self._window_stop(start)
            window = self._read_window(positions, start, stop)
            window.reverse()
            while window:
                yield next(keys), window.pop()
            start = stop

    def close(self) -> None:
        """Give the disk space and the index back; may be called twice."""
        self._extents.close()
        self._numbers.clear()

    def _chain(self, group: int) -> Iterator[Extent]:
        offset = self._last[group]
        while offset != NO_EXTENT:
            extent = self._extents.read(offset)
            yield extent
            offset = extent.previous

    def _decode(self, extent: Extent) -> list[Row]:
        return self._layouts.decode(extent.layout, extent.payload)

    def _window_stop(self, start: int) -> int:
        """Find the end of the window that begins with group *start*: as many groups as fit, but one at least."""
        nbytes_per_disk_byte = self._added_nbytes / self._extents.nbytes
        room = max(self._max_bytes / 2, WINDOW_NBYTES_MIN) / nbytes_per_disk_byte
        for group in range(start, len(self._numbers)):
            room -= self._group_nbytes[group]
            if room < 0:
                return max(group, start + 1)
        return len(self._numbers)

    def _read_window(self, positions: list[_RunPosition], start: int, stop: int) -> list[list[Row]]:
        window: list[list[Row]] = [[] for _ in range(start, stop)]
        due = []
        while positions and positions[0].group < stop:
            due.append(heappop(positions))
        for position in sorted(due, key=attrgetter("offset")):  # runs in the order of their rows' arrival
            for extent in self._extents.scan(position.offset, position.stop):
                if extent.group >= stop:
                    heappush(positions, _RunPosition(extent.group, extent.offset, position.stop))
                    break
                window[extent.group - start] += self._decode(extent)
        return window


def estimate_nbytes(rows: list[Row]) -> float:
    """Estimate the bytes that *rows* hold in memory, from every 17th of them.

    >>> estimate_nbytes([(1, "a")] * 100) == measure_rows([(1, "a")] * 100)
    True
    """
    sample = rows[::SAMPLE_EVERY]
    return measure_rows(sample) * len(rows) / max(len(sample), 1)


def _looks(run: Iterable[GroupRows]) -> Iterator[list[GroupRows]]:
    """Cut a run into pieces of at most one extent, as many together as are worth one look at their types."""
    pieces: list[GroupRows] = []
    num_rows = 0
    for group, rows in run:
        for piece in _cut(rows):
            pieces.append((group, piece))
            num_rows += len(piece)
            if num_rows >= ROWS_PER_LOOK:
                yield pieces
                pieces, num_rows = [], 0
    if pieces:
        yield pieces


def _cut(rows: list[Row]) -> Sequence[list[Row]]:
    if len(rows) <= SAMPLE_EVERY:  # a usual key's, and not worth measuring
        return (rows,)
    size = max(1, int(EXTENT_NBYTES / estimate_nbytes(rows) * len(rows)))
    return [rows[start : start + size] for start in range(0, len(rows), size)]
