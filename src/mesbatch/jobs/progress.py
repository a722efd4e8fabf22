"""How far a job is: numbers that only grow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mesbatch.keys.collect import CHECKED_AT_ONCE, Keys


@dataclass(slots=True)
class DomainProgress:
    """Of one domain: *keys* that are done, and *rows* and *nbytes* that can be read."""

    keys: int = 0
    rows: int = 0
    nbytes: int = 0
    done: bool = False


@dataclass(slots=True)
class Progress:
    """Of a job for *keys* keys in each of its domains."""

    keys: int
    domains: dict[str, DomainProgress] = field(default_factory=dict)

    @property
    def percent(self) -> float:
        """Of all keys of all domains, those that are done; a domain that is in no order of keys counts at its end."""
        parts = [1.0 if one.done else one.keys / max(1, self.keys) for one in self.domains.values()]
        return round(100 * sum(parts) / max(1, len(parts)), 1)

    def as_json(self) -> dict[str, Any]:
        """What `GET /job/<id>` shows."""
        total = DomainProgress()
        for one in self.domains.values():
            total.keys, total.rows, total.nbytes = (
                total.keys + one.keys,
                total.rows + one.rows,
                total.nbytes + one.nbytes,
            )
        return {
            "percent": self.percent,
            "keys": total.keys,
            "keys_total": self.keys * len(self.domains),
            "rows": total.rows,
            "bytes": total.nbytes,
            "domains": {
                name: {"keys": one.keys, "rows": one.rows, "bytes": one.nbytes, "done": one.done}
                for name, one in self.domains.items()
            },
        }


class KeysDone:
    """Counts the keys up to one that only ascends, walking over the sorted keys once.

    >>> from mesbatch.keys.collect import collect_keys
    >>> done = KeysDone(collect_keys(["a", "c", "e"]))
    >>> done.up_to("b"), done.up_to("e")
    (1, 3)
    """

    def __init__(self, keys: Keys) -> None:
        self._slices: Iterator[list[Any]] = keys.slices(lambda: CHECKED_AT_ONCE)
        self._keys: Iterable[Any] = ()
        self._walk = self._walked()
        self._next = next(self._walk, None)
        self._count = 0

    def up_to(self, key: Any) -> int:
        while self._next is not None and self._next <= key:
            self._count += 1
            self._next = next(self._walk, None)
        return self._count

    def _walked(self) -> Iterator[Any]:
        for some in self._slices:
            yield from some
