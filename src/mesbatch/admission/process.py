"""Permits for the threads of one process."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import Event, Lock

from mesbatch.admission.claims import MAX_WAITING, Claim, InFlight, count_claims, draw_claim, next_claim
from mesbatch.admission.limiter import Limiter


@dataclass(slots=True)
class _ThreadClaim:
    """Claim, and the event that tells its thread that it holds a permit."""

    claim: Claim
    granted: Event = field(default_factory=Event)


class ProcessLimiter(Limiter):
    """Permits for the threads of this process.

    Args:
        permits: Readers at once.
        max_bytes: Bytes that they hold together.
        max_waiting: Requests that wait beside them; one more is refused.

    >>> limiter = ProcessLimiter(permits=2, max_bytes=100)
    >>> with limiter.permit(60):
    ...     limiter.in_flight.permits
    1
    """

    def __init__(self, permits: int, max_bytes: int, *, max_waiting: int = MAX_WAITING) -> None:
        super().__init__(permits, max_bytes, max_waiting=max_waiting)
        self._lock = Lock()
        self._own: dict[int, _ThreadClaim] = {}
        self._tickets = 0

    def close(self) -> None:
        """Do nothing: no server or file is open."""

    def _forget(self) -> None:
        self._lock, self._own = Lock(), {}

    def _count(self) -> InFlight:
        with self._lock:
            return count_claims(self._claims())

    def _join(self, nbytes: int, principal: str) -> int | None:
        with self._lock:
            self._tickets += 1
            own = _ThreadClaim(draw_claim(self._claims(), self.limit, self._tickets, principal, nbytes))
            self._own[self._tickets] = own
            self._grant()
            if not own.claim.holding and count_claims(self._claims()).waiting > self.limit.waiting:
                del self._own[self._tickets]
                return None
            return self._tickets

    def _begin(self, ticket: int) -> bool:
        return self._own[ticket].granted.is_set()

    def _wait(self, ticket: int, timeout: float) -> None:
        self._own[ticket].granted.wait(timeout)

    def _leave(self, ticket: int) -> None:
        with self._lock:
            del self._own[ticket]
            self._grant()

    def _check(self, ticket: int) -> None:
        """Do nothing: a permit of this process cannot be lost."""

    def _grant(self) -> None:
        while claim := next_claim(self._claims(), self.limit):
            own = self._own[claim.ticket]
            own.claim = replace(claim, holding=True)
            own.granted.set()

    def _claims(self) -> list[Claim]:
        return [own.claim for own in self._own.values()]
