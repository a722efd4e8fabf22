"""Places for the permits of limiters of each kind, in a form that can be handed to another process."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mesbatch.admission import Limiter, MachineLimiter, ProcessLimiter


class Place:
    """Place for the permits of limiters of one kind; `close` closes the limiters that were made here."""

    shared = True

    def limiter(self, permits: int, max_bytes: int, **options: Any) -> Limiter:
        limiter = self._open(permits, max_bytes, **options)
        self.__dict__.setdefault("limiters", []).append(limiter)
        return limiter

    def _open(self, permits: int, max_bytes: int, **options: Any) -> Limiter:
        raise NotImplementedError

    def close(self) -> None:
        for limiter in self.__dict__.get("limiters", []):
            limiter.close()


@dataclass
class ProcessPlace(Place):
    """Place in this process; all its limiters are one object, because nothing else would be shared."""

    shared = False

    def _open(self, permits: int, max_bytes: int, **options: Any) -> Limiter:
        if not hasattr(self, "_limiter"):
            self._limiter = ProcessLimiter(permits, max_bytes, **options)
        return self._limiter


@dataclass
class MachinePlace(Place):
    """Place in a file."""

    path: str

    def _open(self, permits: int, max_bytes: int, **options: Any) -> Limiter:
        return MachineLimiter(self.path, permits, max_bytes, **options)


@dataclass
class RedisPlace(Place):
    """Place in a key of a Redis on this machine."""

    url: str
    name: str
    lease: float = 15.0

    def _open(self, permits: int, max_bytes: int, **options: Any) -> Limiter:
        from mesbatch.admission.redis import RedisLimiter

        return RedisLimiter(self.url, self.name, permits, max_bytes, lease=self.lease, **options)


KINDS = {kind.__name__: kind for kind in (ProcessPlace, MachinePlace, RedisPlace)}


def describe(place: Place) -> dict[str, Any]:
    return {"kind": type(place).__name__, "arguments": asdict(place)}


def find(description: dict[str, Any]) -> Place:
    place: Place = KINDS[description["kind"]](**description["arguments"])
    return place
