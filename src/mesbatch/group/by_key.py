"""`iter_groups` and `group_by_key`: one group at a time where its rows are neighbours, else a mapping of all groups."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from mesbatch.batch import Batch, Row, find_column, open_batches
from mesbatch.group.groups import Groups
from mesbatch.group.key_groups import KeyGroups
from mesbatch.group.key_runs import RowOrder
from mesbatch.group.spill.extents import ExtentFile
from mesbatch.group.spill.key_numbers import unhashable
from mesbatch.group.spill.spilled import SpilledGroups, estimate_nbytes
from mesbatch.group.spill.unlinked import open_unlinked
from mesbatch.keys.moments import key_getter
from mesbatch.units import MiB

GROUP_NBYTES = 200  # beside its rows: a list with four slots, an entry in a dict, a place in a run
ROWS_AT_ONCE = 1_000  # that move to disk together


def iter_groups(batches: Iterable[Batch], key: str, *, order: RowOrder = "key") -> KeyGroups:
    """Give each key of the column *key* with all its rows, from input whose rows of one key are neighbours.

    Holds one batch and one group, whatever the number of keys; with `mesbatch.sink.ndjson.ndjson_groups` it holds only
    one batch, however large a group is. Key values stay as they come: those of a CHAR column keep their blanks at the
    end. Moments of a zone whose offset changes are keys with their offset, or two of an hour that comes twice were one.

    With ``order="key"`` the keys must ascend (strings by code point, NULL once and anywhere), and a key that comes
    again is an error. With ``order="any"`` the rows of one key need only be neighbours. That is not checked, since it
    would take a memory of all keys: a key that comes again gives a second group. `group_by_key` takes rows in any
    order.

    Args:
        batches: A reader, or any batches, with rows of one key as neighbours.
        key: The name of the key's column.
        order: ``key`` where keys ascend, or ``any``.

    Raises:
        KeyColumnError: no column, or more than one, is called *key*.
        KeyMismatch: the keys do not ascend, and ``order="any"`` was not asked for.
        SchemaChanged: the columns of a later batch are not those of the first.

    >>> batches = [Batch(("LOT", "QTY"), [("a", 1), ("b", 2)]), Batch(("LOT", "QTY"), [("b", 3)])]
    >>> list(iter_groups(batches, "LOT"))
    [('a', [('a', 1)]), ('b', [('b', 2), ('b', 3)])]
    """
    return KeyGroups(batches, key, order)


def group_by_key(
    batches: Iterable[Batch], key: str, *, max_bytes: int = 64 * MiB, directory: str | os.PathLike[str] | None = None
) -> Groups:
    """Group the rows of *batches*, in any order, by the column *key*: a mapping that need not fit in memory.

    Reads *batches* to the end. Holds about *max_bytes* of rows and one batch; beyond that, rows go to a file without
    a name, and the index of their keys stays in memory (`Groups.index_nbytes`). Key values stay as they come, so
    those of a CHAR column keep their trailing blanks.

    Rows on disk come back as plain tuples of None, bool, int, float, str, bytes, Decimal, date, time, datetime,
    timedelta, UUID and lists of these, every value with its type; a time zone is kept as its offset from UTC.

    Args:
        batches: A reader, or any batches; the rows may have any order.
        key: The name of the key's column.
        max_bytes: Bytes of rows in memory; rows beyond them go to disk.
        directory: The folder of the file, by default the system's for temporary files.

    Raises:
        KeyColumnError: no column, or more than one, is called *key*.
        InvalidKey: a key is not hashable.
        SchemaChanged: the columns of a later batch are not those of the first, or a row is longer or shorter.
        SpillError: *directory* is not to be trusted or not writable (before anything is read), or the disk is full.
        UnencodableValue: a value of another type would have to go to disk.

    >>> batches = [Batch(("LOT", "QTY"), [("b", 1), ("a", 2)]), Batch(("LOT", "QTY"), [("b", 3)])]
    >>> with group_by_key(batches, "LOT") as groups:
    ...     print(len(groups), groups["b"], list(groups))
    2 [('b', 1), ('b', 3)] ['b', 'a']
    """
    os.close(open_unlinked(directory))  # to fail now rather than after a million rows
    gathering = _Gathering(key, max_bytes, directory)
    try:
        with open_batches(batches) as opened:
            for batch in opened:
                gathering.add(batch)
                del batch
        columns = gathering.columns or tuple(getattr(batches, "columns", ()))
        return Groups(columns, gathering.finish())
    except BaseException:
        gathering.close()
        raise


class _Gathering:
    """Groups that are being made."""

    def __init__(self, key: str, max_bytes: int, directory: str | os.PathLike[str] | None) -> None:
        self._key = key
        self._max_bytes = max_bytes
        self._directory = directory
        self._groups: defaultdict[Any, list[Row]] = defaultdict(list)
        self._nbytes = 0.0
        self._spilled: SpilledGroups | None = None
        self.columns: tuple[str, ...] = ()

    def add(self, batch: Batch) -> None:
        self.columns, rows = batch
        position = find_column(self.columns, self._key)
        if self._spilled is None:
            self._hold(position, rows)
        else:
            self._spilled.add(rows, estimate_nbytes(rows))

    def finish(self) -> dict[Any, list[Row]] | SpilledGroups:
        """Give all groups: in memory if none was spilled, else all on disk, so that reading has the whole budget."""
        if self._spilled is None:
            self._groups.default_factory = None  # a missing key is a KeyError from now on
            return self._groups
        self._spilled.settle()
        return self._spilled

    def close(self) -> None:
        if self._spilled is not None:
            self._spilled.close()

    def _hold(self, position: int, rows: list[Row]) -> None:
        groups = self._groups
        try:
            for key, row in zip(map(key_getter(rows, position), rows), rows):
                groups[key].append(row)
        except TypeError as error:
            raise unhashable(self._key, error) from error
        self._nbytes += estimate_nbytes(rows)
        if self._nbytes + len(groups) * GROUP_NBYTES > self._max_bytes:
            self._spill()

    def _spill(self) -> None:
        file = ExtentFile(open_unlinked(self._directory))
        self._spilled = SpilledGroups(self.columns, self._key, file, self._max_bytes)
        nbytes_per_row = self._nbytes / max(1, sum(map(len, self._groups.values())))
        rows = _drained(self._groups)
        while some := list(islice(rows, ROWS_AT_ONCE)):
            self._spilled.add(some, nbytes_per_row * len(some))


def _drained(groups: dict[Any, list[Row]]) -> Iterator[Row]:
    """Take every row out of *groups*, key by key, so that its memory is given back as soon as it is elsewhere."""
    for key in list(groups):
        rows = groups.pop(key)
        rows.reverse()
        while rows:
            yield rows.pop()
