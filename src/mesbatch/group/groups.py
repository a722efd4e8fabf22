"""The mapping of keys to rows that `group_by_key` returns, in memory or on disk."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from operator import itemgetter
from typing import Any, TypeVar

from mesbatch.batch import Row
from mesbatch.errors import GroupsClosed
from mesbatch.group.spill.spilled import SpilledGroups
from mesbatch.keys.moments import at_fixed_offset

T = TypeVar("T")


class Groups(Mapping[Any, list[Row]]):
    """Keys and their rows, in the order in which the keys were first seen; made by `group_by_key`.

    A mapping like the dict that it replaces, and a context manager: after `close` it has no rows and raises
    `GroupsClosed`. *columns* are those of the rows, and empty if no batch came and the reader does not know them.

    `items` and `values` read groups from disk in one pass and hold half of *max_bytes*, or one group where that is
    more; ``groups[key]`` reads the rows of that key alone; `iter_rows` is for a key with too many rows for memory.
    Every read from disk is checked: bytes that are not those written raise `CorruptChunk`.

    Attributes:
        columns: The names of the columns of the rows; empty if no batch came and the reader does not know them.

    >>> from mesbatch import Batch, group_by_key
    >>> with group_by_key([Batch(("LOT", "QTY"), [("b", 1), ("a", 2), ("b", 3)])], "LOT") as groups:
    ...     print(groups["b"], len(groups), "x" in groups)
    [('b', 1), ('b', 3)] 2 False
    """

    def __init__(self, columns: tuple[str, ...], groups: dict[Any, list[Row]] | SpilledGroups) -> None:
        self.columns = columns
        self._groups = groups
        self._closed = False

    @property
    def spilled_nbytes(self) -> int:
        """Bytes on disk; 0 if all groups are in memory or closed."""
        return self._groups.nbytes if isinstance(self._groups, SpilledGroups) else 0

    @property
    def index_nbytes(self) -> int:
        """Bytes that the keys of groups on disk hold in memory; walks over the keys."""
        return self._groups.index_nbytes if isinstance(self._groups, SpilledGroups) else 0

    def __getitem__(self, key: Any) -> list[Row]:
        return self._open_groups()[at_fixed_offset(key)]

    def __contains__(self, key: object) -> bool:
        return at_fixed_offset(key) in self._open_groups()

    def __len__(self) -> int:
        return len(self._open_groups())

    def __iter__(self) -> Iterator[Any]:
        return self._while_open(iter(self._open_groups()))

    def iter_rows(self, key: Any) -> Iterator[Row]:
        """Iterate over the rows of *key*, holding 256 KiB of those on disk at a time.

        Raises:
            KeyError: there is no such key.
        """
        groups, key = self._open_groups(), at_fixed_offset(key)
        rows = groups.iter_rows(key) if isinstance(groups, SpilledGroups) else iter(groups[key])
        return self._while_open(rows)

    def _iter_items(self) -> Iterator[tuple[Any, list[Row]]]:
        return self._while_open(iter(self._open_groups().items()))

    def items(self) -> ItemsView[Any, list[Row]]:
        return _Items(self)

    def values(self) -> ValuesView[list[Row]]:
        return _Values(self)

    def close(self) -> None:
        """Give memory and disk space back; may be called twice."""
        self._closed = True
        if isinstance(self._groups, SpilledGroups):
            self._groups.close()
        else:
            self._groups.clear()  # a generator that is still open may refer to it
        self._groups = {}

    def __enter__(self) -> Groups:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _open_groups(self) -> dict[Any, list[Row]] | SpilledGroups:
        if self._closed:
            raise GroupsClosed("these groups were closed, and their rows are gone")
        return self._groups

    def _while_open(self, values: Iterator[T]) -> Iterator[T]:
        for value in values:
            yield value
            self._open_groups()


class _Items(ItemsView[Any, list[Row]]):
    """Items in one pass; the inherited view would look up each key."""

    _mapping: Groups

    def __iter__(self) -> Iterator[tuple[Any, list[Row]]]:
        return self._mapping._iter_items()


class _Values(ValuesView[list[Row]]):
    _mapping: Groups

    def __iter__(self) -> Iterator[list[Row]]:
        return map(itemgetter(1), self._mapping._iter_items())
