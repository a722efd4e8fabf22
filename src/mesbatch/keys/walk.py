"""The keys that were asked for, followed by the rows that come for them in their order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from mesbatch.errors import KeyMismatch
from mesbatch.keys.moments import at_fixed_offset
from mesbatch.keys.resume import as_asked

SPARSE = 4  # times as many keys as were found are looked at together; where fewer have rows, each is looked for

first_of_run = itemgetter(0)


class KeyWalk:
    """Follows rows through the ascending keys of *lists*, and refuses one whose key was not asked for or has passed.

    *key_type* is the type of the keys; *padded* says that the column pads its values with blanks. Holds one of *lists*.
    Every row is looked at: 35 ns each, as measured on lot ids with 9.5 rows a key.

    >>> walk = KeyWalk(iter([["a", "c"], ["d"]]), str, padded=False)
    >>> walk.follow(["a", "a", "d"])
    >>> walk.follow(["c"])
    Traceback (most recent call last):
    mesbatch.errors.KeyMismatch: a row came with the key 'c', which was not asked for or was to come before 'd': ...
    """

    def __init__(self, lists: Iterator[list[Any]], key_type: type | None, *, padded: bool) -> None:
        self._lists, self._key_type, self._padded = lists, key_type, padded
        self._keys: list[Any] = next(lists, [])
        self._at = 0

    def follow(self, values: Iterable[Any]) -> None:
        """Take the values of the key's column in further rows.

        Raises:
            KeyMismatch: one of them is none of the keys, or comes after a higher one.
        """
        expected = self._key_type
        if expected is not None and issubclass(expected, datetime):
            values = map(at_fixed_offset, values)
        keys = found = list(map(first_of_run, groupby(values)))
        if self._padded or set(map(type, found)) - {expected}:
            keys = [as_asked(value, expected, padded=self._padded) for value in found]
        if not self._pass_all(keys):
            for value, key in zip(found, keys):
                self._pass(value, key)

    def _pass_all(self, keys: Sequence[Any]) -> bool:
        """Go on to the last of *keys* if all of them follow in the list at hand; nothing is done otherwise."""
        at, asked = self._at, self._keys
        try:
            stop = bisect_right(asked, keys[-1], at)
            if stop - at > SPARSE * len(keys) or keys != sorted(keys):
                return False
            all_asked = set(asked[at:stop]).issuperset(keys)
        except (TypeError, IndexError):  # such as None, or text among numbers; no rows
            return False
        if all_asked:
            self._at = stop - 1
        return all_asked

    def _pass(self, value: Any, key: Any) -> None:
        """Go on to *key*, as which *value* was asked for."""
        try:
            found = self._find(key)
        except TypeError:  # such as None, or text among numbers
            found = False
        if not found:
            self._refuse(value)

    def _find(self, key: Any) -> bool:
        """Tell whether *key* is the key before, or one that follows; the walk goes on there."""
        keys, at = self._keys, self._at
        if keys[at : at + 1] == [key]:
            return True
        while True:
            at = bisect_left(keys, key, at)
            if at < len(keys):
                self._at = at
                return bool(keys[at] == key)
            if (following := next(self._lists, None)) is None:
                return False
            self._keys, self._at = keys, at = following, 0

    def _refuse(self, value: Any) -> None:
        before = f" or was to come before {self._keys[self._at]!r}" if self._at < len(self._keys) else ""
        raise KeyMismatch(
            f"a row came with the key {value!r}, which was not asked for{before}: the database compares this column "
            "otherwise than by code point, or another column was named by key=; name the filter's own column, and pass "
            "keys of its type"
        )
