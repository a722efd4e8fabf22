"""Numbers of keys in the order in which they were first seen, in few bytes a key."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import filterfalse, groupby
from sys import getsizeof
from typing import Any

KEYS_PER_TUPLE = 16  # 14 bytes a key; 8 would take 18, and find a key a little faster


class KeyNumbers:
    """Distinct keys, each with its number; holds the keys and 40 to 70 bytes for each.

    A dict of ints would hold 32 bytes a key for the ints alone. Here 16 keys share one value, a tuple that is searched
    for a key: the keys themselves, and the number of the first.

    >>> numbers = KeyNumbers()
    >>> numbers.add(["b", "a"]), numbers.add(["c", "b"]), numbers["a"]
    ([0, 1], [2, 0], 1)
    """

    def __init__(self) -> None:
        self._shared: dict[Any, tuple[Any, ...]] = {}

    def add(self, keys: Collection[Any]) -> list[int]:
        """Give the number of each of *keys*, which are distinct and hashable; new ones get the next numbers."""
        shared = self._shared
        new = list(filterfalse(shared.__contains__, keys))
        for start in range(0, len(new), KEYS_PER_TUPLE):
            some = new[start : start + KEYS_PER_TUPLE]
            shared.update(dict.fromkeys(some, (*some, len(shared))))
        return list(map(self.__getitem__, keys))

    def __getitem__(self, key: Any) -> int:
        together = self._shared[key]
        return together.index(key) + int(together[-1])

    def __contains__(self, key: object) -> bool:
        return key in self._shared

    def __len__(self) -> int:
        return len(self._shared)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._shared)

    @property
    def nbytes(self) -> int:
        """Bytes in memory, keys included; walks over them."""
        tuples = (next(same) for _, same in groupby(self._shared.values(), key=id))
        shared_nbytes = sum(getsizeof(together) + getsizeof(together[-1]) for together in tuples)
        return getsizeof(self._shared) + sum(map(getsizeof, self._shared)) + shared_nbytes

    def clear(self) -> None:
        self._shared.clear()
