"""Groups on disk: added in any order, read by key or all of them in first-seen order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from mesbatch.batch import Row, find_column, measure_rows
from mesbatch.errors import UnencodableValue
from mesbatch.group.spill.extents import Extent, ExtentFile
from mesbatch.group.spill.key_numbers import KeyNumbers
from mesbatch.group.spill.layout import RowLayouts
from mesbatch.group.spill.partitions import Partitions
from mesbatch.keys.moments import key_getter
from mesbatch.units import KiB

SAMPLE_EVERY = 17  # rows: measuring all of them costs three times as much as grouping them; a prime meets no period
ROWS_PER_LOOK = 1_000  # rows whose types are looked at together
EXTENTS_MAX = 48  # of a partition: to find a key, all of them are looked at, 10 us each
READ_NBYTES_MIN = 256 * KiB  # of rows in memory: below it, a pass over all groups is only calls to the disk


class SpilledGroups:
    """Groups of rows in *file*, numbered in the order in which their keys were first seen.

    Each row is encoded once, when it is added, and moved as bytes from then on. Owns *file*. Raises as `ExtentFile`
    does.
    """

    def __init__(self, columns: tuple[str, ...], key: str, file: ExtentFile, max_bytes: int) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._layouts = RowLayouts(columns)
        self._position = find_column(columns, key)
        self._numbers = KeyNumbers(key)
        self._partitions = Partitions(file, max_bytes)
        self._rows_nbytes = 0.0  # in memory
        self._encoded_nbytes = 1

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return self._file.nbytes

    @property
    def index_nbytes(self) -> int:
        """Bytes of the index in memory, keys included; walks over the keys."""
        return self._numbers.nbytes + self._partitions.index_nbytes

    def add(self, rows: Sequence[Row], nbytes: float) -> None:
        """Append *rows*, which hold about *nbytes* bytes in memory.

        Raises:
            InvalidKey: a key is not hashable.
            SpillError: the disk is full or broken.
            SchemaChanged: a row has more or fewer values than there are columns.
            UnencodableValue: a value is of a type that cannot be spilled; the message names its column, key and row.
        """
        for start in range(0, len(rows), ROWS_PER_LOOK):
            part = rows[start : start + ROWS_PER_LOOK]
            self._append(self._numbers.add(map(key_getter(part, self._position), part)), part)
        self._rows_nbytes += nbytes

    def settle(self) -> None:
        """Write what waits in memory, so that it can be read; nothing can be added from then on."""
        nbytes_per_row_byte = self._encoded_nbytes / max(1, self._rows_nbytes)
        nbytes = int(max(self._max_bytes / 2, READ_NBYTES_MIN) * nbytes_per_row_byte)
        self._partitions.settle(nbytes, extents=EXTENTS_MAX)

    def _append(self, groups: Sequence[int], rows: Sequence[Row]) -> None:
        try:
            self._layouts.learn(rows)
            layout, pieces = self._layouts.encode(rows)
        except UnencodableValue as error:
            raise self._named(error, groups, rows) from None
        self._encoded_nbytes += sum(map(len, pieces))
        self._partitions.add(groups, pieces, layout)

    def _named(self, error: UnencodableValue, groups: Sequence[int], rows: Sequence[Row]) -> UnencodableValue:
        """Add row and key to the *error* of one of *rows*, which are not added yet."""
        self._partitions.spill()
        for position, (group, row) in enumerate(zip(groups, rows)):
            try:
                self._layouts.learn([row])
                self._layouts.encode([row])
            except UnencodableValue as found:
                before = groups[:position].count(group)
                before += sum(len(extent.pieces_of(group)) for extent in self._partitions.extents_of(group))
                key = next(islice(self._numbers, group, None))
                return UnencodableValue(f"{found} in row {before + 1:,} of key {key!r}, which cannot be spilled")
        return error

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._numbers)

    def __contains__(self, key: object) -> bool:
        return key in self._numbers

    def __getitem__(self, key: Any) -> list[Row]:
        """Read the rows of *key*, in the order in which they came."""
        return list(self.iter_rows(key))

    def iter_rows(self, key: Any) -> Iterator[Row]:
        """Iterate over the rows of *key*, holding those of one extent."""
        group = self._numbers[key]
        extents = self._partitions.extents_of(group)
        return (row for extent in extents for row in self._layouts.decode(extent.layout, extent.pieces_of(group)))

    def items(self) -> Iterator[tuple[Any, list[Row]]]:
        """Read keys and rows in first-seen order, in one pass over the file; holds groups of half of *max_bytes*."""
        keys = iter(self._numbers)
        for numbers, extents in self._partitions:
            groups = self._read(numbers, extents)
            groups.reverse()
            while groups:
                yield next(keys), groups.pop()

    def close(self) -> None:
        """Give the disk space and the index back; may be called twice."""
        self._file.close()
        self._numbers.clear()

    def _read(self, numbers: range, extents: Iterator[Extent]) -> list[list[Row]]:
        groups: list[list[Row]] = [[] for _ in numbers]
        for extent in extents:
            rows = self._layouts.decode_payload(extent.layout, len(extent.groups), extent.payload())
            extent.deal(rows, groups[extent.first - numbers.start :])
        return groups


def estimate_nbytes(rows: list[Row]) -> float:
    """Estimate the bytes that *rows* hold in memory, from every 17th of them.

    >>> estimate_nbytes([(1, "a")] * 100) == measure_rows([(1, "a")] * 100)
    True
    """
    sample = rows[::SAMPLE_EVERY]
    return measure_rows(sample) * len(rows) / max(len(sample), 1)
