"""Progress of a job: numbers that only grow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mesbatch.keys.collect import Keys, flat
from mesbatch.store.account import Resume


@dataclass(slots=True)
class DomainProgress:
    """Progress of one domain: *keys* that are done, and *rows* and *nbytes* that can be read.

    *resume* says how a worker goes on without keys.
    """

    keys: int = 0
    rows: int = 0
    nbytes: int = 0
    done: bool = False
    resume: Resume | None = None


@dataclass(slots=True)
class Progress:
    """Progress of a job for *keys* keys in each of its domains."""

    keys: int
    domains: dict[str, DomainProgress] = field(default_factory=dict)

    @property
    def percent(self) -> float:
        """The share of all keys of all domains that is done; a domain in no order of keys counts at its end."""
        done = [1.0 if one.done else one.keys / max(1, self.keys) for one in self.domains.values()]
        return round(100 * sum(done) / max(1, len(done)), 1)

    def as_json(self) -> dict[str, Any]:
        """Return the member ``progress`` of the answer of ``GET /job/<id>``."""
        total = DomainProgress()
        for one in self.domains.values():
            total.keys += one.keys
            total.rows += one.rows
            total.nbytes += one.nbytes
        return {
            "percent": self.percent,
            "keys": total.keys,
            "keys_total": self.keys * len(self.domains),
            "rows": total.rows,
            "bytes": total.nbytes,
            "domains": {
                name: {"keys": one.keys, "rows": one.rows, "bytes": one.nbytes, "done": one.done}
                | ({"resume": one.resume} if one.resume else {})
                for name, one in self.domains.items()
            },
        }


class KeysDone:
    """A count of the keys up to a key that only ascends, made in one walk over the sorted keys.

    >>> from mesbatch.keys.collect import collect_keys
    >>> done = KeysDone(collect_keys(["a", "c", "e"]))
    >>> done.up_to("b"), done.up_to("e")
    (1, 3)
    """

    def __init__(self, keys: Keys) -> None:
        self._walk = flat(keys)
        self._next = next(self._walk, None)
        self._count = 0

    def up_to(self, key: Any) -> int:
        """Return the number of keys up to *key*, that key included."""
        while self._next is not None and self._next <= key:
            self._count += 1
            self._next = next(self._walk, None)
        return self._count
