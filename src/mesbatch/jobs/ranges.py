"""Ranges of sorted keys, cut only where the order of the keys is the same in every column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate, repeat
from typing import Any

from mesbatch.keys.collect import Keys, flat

FIRST_RANGE = 1_000  # keys in the first range of a read with order="any": its first rows come at once
RANGE_GROWTH = 4  # each range is so many times the one before
LONGEST_RANGE = 64_000  # keys: 6 MB as a list
_TAIL = re.compile(r" *(?:[\x00-\x1f]|\Z)")  # the end or the first control character, and blanks before it


def growing_ranges(keys: Keys) -> Iterator[list[Any]]:
    """Cut *keys* into lists that get longer, from `FIRST_RANGE` to `LONGEST_RANGE` keys."""
    sizes = accumulate(repeat(FIRST_RANGE), lambda size, _: min(LONGEST_RANGE, RANGE_GROWTH * size))
    return map(list, _cut(flat(keys), accumulate(sizes)))


def shares(keys: Iterator[Any], total: int, count: int) -> Iterator[Iterator[Any]]:
    """Cut *keys*, *total* of them, into *count* ranges of about one size, or fewer; each is read before the next."""
    return _cut(keys, (total * number // count for number in range(1, count + 1)))


def may_part(before: Any, after: Any) -> bool:
    """Return whether a range may end between two neighbours.

    A CHAR column pays no heed to trailing blanks: ``"a"`` and ``"a  "`` are one key there, and come before ``"a\\t"``,
    which lies between them in Python's order. So keys that differ only in trailing blanks and control characters stay
    together.

    >>> may_part("a", "b"), may_part("a 1", "a 2"), may_part("a  ", "b  ")
    (True, True, True)
    >>> may_part("a", "a  "), may_part("a", "a\\t"), may_part("a\\t", "a  ")
    (False, False, False)
    """
    return not isinstance(after, str) or _TAIL.split(before, 1)[0] != _TAIL.split(after, 1)[0]


def _cut(keys: Iterator[Any], ends: Iterable[int]) -> Iterator[Iterator[Any]]:
    """Cut *keys* at the positions *ends*, or soon after them; no range is empty."""
    following = next(keys, None)
    position = 0

    def until(end: int) -> Iterator[Any]:
        nonlocal following, position
        while following is not None:
            key = following
            yield key
            position += 1
            following = next(keys, None)
            if position >= end and following is not None and may_part(key, following):
                return

    for end in ends:
        if following is None:
            return
        yield until(end)
