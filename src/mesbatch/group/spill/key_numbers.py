"""Numbers of keys in the order in which they were first seen, in few bytes a key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import filterfalse, groupby
from sys import getsizeof
from typing import Any, cast

from mesbatch.errors import InvalidKey

KEYS_PER_TUPLE = 16  # 14 bytes a key; 8 would take 18, and find a key a little faster
TAG_MASK = 0xFF  # Python has the ints below it anyway


class KeyNumbers:
    """Distinct keys, each with its number; holds the keys and 40 to 70 bytes for each.

    A dict of ints would hold 32 bytes a key for the ints alone. Here up to 16 keys share one value: a tuple of their
    tags, which are eight bits of their hashes and differ, and the number of the first. The keys themselves are compared
    once, by the dict: they lie anywhere in memory, and each look at one costs as much as encoding its row.

    >>> numbers = KeyNumbers()
    >>> numbers.add(["b", "a"]), numbers.add(["c", "b"]), numbers["a"]
    ([0, 1], [2, 0], 1)
    """

    def __init__(self, column: str = "key") -> None:
        self._column = column
        self._shared: dict[Any, tuple[int, ...]] = {}

    def add(self, keys: Iterable[Any]) -> list[int]:
        """Give the number of each of *keys*, which may repeat; new ones get the next numbers.

        Raises:
            InvalidKey: a key is not hashable.
        """
        shared = self._shared
        keys = list(keys)
        try:
            found = list(map(shared.get, keys))
        except TypeError as error:
            raise unhashable(self._column, error) from error
        if None in found:
            self._add_new(dict.fromkeys(filterfalse(shared.__contains__, keys)))
            found = list(map(shared.get, keys))
        tags = [hash(key) & TAG_MASK for key in keys]
        return [together.index(tag) + together[-1] for together, tag in zip(cast("list[tuple[int, ...]]", found), tags)]

    def _add_new(self, keys: Iterable[Any]) -> None:
        """Number *keys*, which are distinct, and as many together as have tags of their own."""
        together: dict[int, Any] = {}
        for key in keys:
            tag = hash(key) & TAG_MASK
            if tag in together or len(together) == KEYS_PER_TUPLE:
                self._share(together)
                together = {}
            together[tag] = key
        self._share(together)

    def _share(self, keys: dict[int, Any]) -> None:
        self._shared.update(dict.fromkeys(keys.values(), (*keys, len(self._shared))))

    def __getitem__(self, key: Any) -> int:
        together = self._shared[key]
        return together.index(hash(key) & TAG_MASK) + together[-1]

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


def unhashable(column: str, error: TypeError) -> InvalidKey:
    """Say in our words that a value of *column* cannot be a key."""
    return InvalidKey(f"column {column!r} holds a value that cannot be a key: {error}")
