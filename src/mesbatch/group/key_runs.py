"""Batches cut into runs of one key: neighbouring rows that share it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from itertools import chain, groupby
from operator import lt
from typing import Any, Literal

from mesbatch.batch import Batch, Row, find_column, open_batches
from mesbatch.errors import KeyMismatch
from mesbatch.keys.moments import key_getter

RowOrder = Literal["key", "any"]

# The columns and runs of one batch, each run a key with its neighbouring rows; True if the first run goes on with the
# last key of the batch before. A batch at a time: a step of Python for every run costs as much as cutting.
KeyRuns = tuple[tuple[str, ...], list[tuple[Any, list[Row]]], bool]

_NOTHING: Any = object()


def iter_key_runs(batches: Iterable[Batch], key: str, order: RowOrder) -> Generator[KeyRuns, None, None]:
    """Cut the rows of *batches* where the key changes; raises as `mesbatch.group.by_key.iter_groups` does."""
    if order not in ("key", "any"):
        raise ValueError(f'order must be "key" or "any", got {order!r}')
    check = _Ascending(key).check if order == "key" else _trust
    last = _NOTHING
    with open_batches(batches) as opened:
        for columns, rows in opened:
            runs = [(value, list(run)) for value, run in groupby(rows, key_getter(rows, find_column(columns, key)))]
            if runs:
                first = runs[0][0]
                goes_on = bool(first is last or first == last)
                check([value for value, _ in runs[goes_on:]])
                last = runs[-1][0]
                yield columns, runs, goes_on
            del rows, runs  # gone while the next ones are read


class _Ascending:
    """A check of the key of every group: it must follow the key before.

    Databases put NULL first or last, so it may come anywhere, but only once.
    """

    def __init__(self, column: str) -> None:
        self._column = column
        self._last = _NOTHING
        self._null_seen = False

    def check(self, values: Sequence[Any]) -> None:
        """Check the next *values*, all at once if none of them is special."""
        try:
            ascending = all(map(lt, chain((self._last,), values), values))
        except TypeError:  # the very first, a NULL, or things that do not compare
            ascending = False
        if not ascending:
            for value in values:
                self._check_one(value)
        elif values:
            self._last = values[-1]

    def _check_one(self, value: Any) -> None:
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


def _trust(values: Sequence[Any]) -> None:
    pass
