"""Base of all limiters: permits to read, by count and by bytes, and a bounded wait for them."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from weakref import WeakSet

from mesbatch.admission.check import check_count, check_seconds
from mesbatch.admission.claims import MAX_WAITING, InFlight, Limit
from mesbatch.admission.permit import Permit
from mesbatch.errors import AdmissionError, LimiterBusy, PermitTooLarge
from mesbatch.units import format_bytes

WAIT_SECONDS = 10.0  # after that, "try again" is the better answer for a user
LOOK_SECONDS = 0.1  # between two looks for permits of dead processes and permits that became garbage
RETRY_SECONDS = 5.0  # permits change hands within seconds


class Limiter(ABC):
    """Permits for readers; the base of all limiters.

    Waiting is fair between principals, and no request is let through after its deadline.

    Args:
        permits: Readers at once.
        max_bytes: Bytes that they hold together.
        max_waiting: Requests that wait beside them; one more is refused.

    Raises:
        InvalidLimit: a limit is no integer, or too small to let anybody through.

    >>> from mesbatch.admission import ProcessLimiter
    >>> def read(limiter: Limiter) -> int:
    ...     with limiter.permit(60) as permit:
    ...         return permit.nbytes
    >>> read(ProcessLimiter(permits=2, max_bytes=100))
    60
    """

    def __init__(self, permits: int, max_bytes: int, *, max_waiting: int = MAX_WAITING) -> None:
        self.limit = Limit(permits, max_bytes, max_waiting)
        self._abandoned: SimpleQueue[int] = SimpleQueue()
        _ALL.add(self)

    def permit(self, nbytes: int, *, principal: str = "", timeout: float = WAIT_SECONDS) -> Permit:
        """Wait for a permit to hold *nbytes*, *timeout* seconds at most; 0 does not wait.

        *principal* is the one who asks: a user, a tenant, an address.

        Raises:
            LimiterBusy: too many wait already, or the time is over.
            PermitTooLarge: *nbytes* is more than all permits may hold together.
            InvalidLimit: *nbytes* is negative or no integer, *timeout* is negative.
            LimiterUnavailable: the server or file of the permits does not answer.
        """
        self._check_request(nbytes, timeout)
        deadline = time.monotonic() + timeout
        self._reclaim()
        ticket = self._join(nbytes, principal)
        if ticket is None:
            raise LimiterBusy(f"too many wait already: {self.limit}", RETRY_SECONDS)
        try:
            while not self._begin(ticket):
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise LimiterBusy(f"no permit within timeout={timeout} s: {self.limit}", RETRY_SECONDS)
                self._wait(ticket, min(remaining, LOOK_SECONDS))
                self._reclaim()
            return Permit(
                nbytes, partial(self._leave, ticket), partial(self._abandon, ticket), partial(self._check, ticket)
            )
        except BaseException:
            self._leave(ticket)
            raise

    @property
    def in_flight(self) -> InFlight:
        """Permits that are held and claims that wait now."""
        self._reclaim()
        return self._count()

    @abstractmethod
    def close(self) -> None:
        """Let nothing through any more, and close the server or file of the permits; may be called twice."""

    @abstractmethod
    def _count(self) -> InFlight: ...

    @abstractmethod
    def _join(self, nbytes: int, principal: str) -> int | None:
        """Draw a ticket; None if it would have to wait and too many wait already."""

    @abstractmethod
    def _begin(self, ticket: int) -> bool:
        """Give *ticket* a permit if it is its turn; True if it holds one."""

    @abstractmethod
    def _wait(self, ticket: int, timeout: float) -> None:
        """Return when something may have changed, after *timeout* seconds at most."""

    @abstractmethod
    def _leave(self, ticket: int) -> None:
        """Give up *ticket*, which holds a permit or waits for one."""

    @abstractmethod
    def _forget(self) -> None:
        """Drop all claims in a forked process: they are its parent's, and it may not keep them alive."""

    @abstractmethod
    def _check(self, ticket: int) -> None:
        """Raise `PermitLost` if *ticket* lost the permit that it held."""

    def _abandon(self, ticket: int) -> None:
        """Note that the permit of *ticket* is garbage, and do no more: this very thread may hold one of our locks."""
        self._abandoned.put(ticket)

    def _reclaim(self) -> None:
        """Give up the tickets of permits that became garbage."""
        with suppress(Empty):
            while True:
                ticket = self._abandoned.get_nowait()
                with suppress(AdmissionError):  # its lease ends by itself
                    self._leave(ticket)

    def _check_request(self, nbytes: int, timeout: float) -> None:
        check_count("nbytes", nbytes)
        check_seconds("timeout", timeout)
        if nbytes > self.limit.nbytes:
            limit = format_bytes(self.limit.nbytes)
            raise PermitTooLarge(f"a permit for {format_bytes(nbytes)} was asked for, all together have {limit}")


_ALL: WeakSet[Limiter] = WeakSet()


def _after_fork_in_child() -> None:
    for limiter in list(_ALL):
        limiter._abandoned = SimpleQueue()
        limiter._forget()


os.register_at_fork(after_in_child=_after_fork_in_child)
