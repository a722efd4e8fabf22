"""Permits for the threads of one process."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import Event, Lock

from mesbatch.admission.limiter import Limiter
from mesbatch.admission.line import LINE, Claim, InFlight, count_claims, draw_claim, next_claim


@dataclass(slots=True)
class _Place:
    """A claim, and how its thread is told that it holds a permit."""

    claim: Claim
    granted: Event = field(default_factory=Event)


class ProcessLimiter(Limiter):
    """Permits for the threads of this process.

    >>> limiter = ProcessLimiter(permits=2, max_bytes=100)
    >>> with limiter.permit(60):
    ...     limiter.in_flight.permits
    1
    """

    def __init__(self, permits: int, max_bytes: int, *, line: int = LINE) -> None:
        super().__init__(permits, max_bytes, line=line)
        self._lock = Lock()
        self._places: dict[int, _Place] = {}
        self._tickets = 0

    def close(self) -> None:
        """Nothing is open."""

    def _forget(self) -> None:
        self._lock, self._places = Lock(), {}

    def _count(self) -> InFlight:
        with self._lock:
            return count_claims(self._claims())

    def _join(self, nbytes: int, principal: str) -> int | None:
        with self._lock:
            self._tickets += 1
            place = _Place(draw_claim(self._claims(), self.limit, self._tickets, principal, nbytes))
            self._places[self._tickets] = place
            self._grant()
            if not place.claim.holding and count_claims(self._claims()).waiting > self.limit.line:
                del self._places[self._tickets]
                return None
            return self._tickets

    def _begin(self, ticket: int) -> bool:
        return self._places[ticket].granted.is_set()

    def _wait(self, ticket: int, timeout: float) -> None:
        self._places[ticket].granted.wait(timeout)

    def _leave(self, ticket: int) -> None:
        with self._lock:
            del self._places[ticket]
            self._grant()

    def _check(self, ticket: int) -> None:
        """Nobody can take it away."""

    def _grant(self) -> None:
        while claim := next_claim(self._claims(), self.limit):
            place = self._places[claim.ticket]
            place.claim = replace(claim, holding=True)
            place.granted.set()

    def _claims(self) -> list[Claim]:
        return [place.claim for place in self._places.values()]
