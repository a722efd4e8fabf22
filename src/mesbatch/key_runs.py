"""Batches cut into runs of one key: neighbouring rows that share it."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

from mesbatch.batch import Batch, Row, find_column
from mesbatch.batches import open_batches
from mesbatch.errors import KeyMismatch

Order = Literal["key", "any"]

# Columns, key and neighbouring rows of that key within one batch; False when the batch before ended with this key.
# An ordinary tuple: a named one costs as much as the grouping itself.
KeyRun = tuple[tuple[str, ...], Any, list[Row], bool]

_NOTHING: Any = object()


def iter_key_runs(batches: Iterable[Batch], key: str, order: Order) -> Generator[KeyRun, None, None]:
    """The rows of *batches* cut wherever the key changes; raises as `mesbatch.group.iter_groups` does."""
    if order not in ("key", "any"):
        raise ValueError(f'order must be "key" or "any", got {order!r}')
    check = _Ascending(key).check if order == "key" else _trust
    last = _NOTHING
    with open_batches(batches) as opened:
        for columns, rows in opened:
            for value, run in groupby(rows, itemgetter(find_column(columns, key))):
                opens = value is not last and value != last
                if opens:
                    check(value)
                    last = value
                yield columns, value, list(run), opens


class _Ascending:
    """Sees each group's key once and refuses one that does not follow the one before.

    Databases put NULL first or last, so it has no place to be held to, but it may come only once.
    """

    def __init__(self, column: str) -> None:
        self._column = column
        self._last = _NOTHING
        self._null_seen = False

    def check(self, value: Any) -> None:
        if value is None:
            if self._null_seen:
                raise self._mismatch(value)
            self._null_seen = True
        else:
            if self._last is not _NOTHING and not self._follows(value):
                raise self._mismatch(value)
            self._last = value

    def _follows(self, value: Any) -> bool:
        try:
            return bool(self._last < value)
        except TypeError as error:
            raise self._mismatch(value) from error

    def _mismatch(self, value: Any) -> KeyMismatch:
        return KeyMismatch(
            f"column {self._column!r} does not ascend: {value!r} came after {self._last!r}; order the query by it (by "
            'code point: COLLATE "C", NLS_SORT=BINARY), say order="any" if the rows of a key are neighbours, or use '
            "group_by_key"
        )


def _trust(value: Any) -> None:
    pass
