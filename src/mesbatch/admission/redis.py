"""Permits across machines, kept in Redis with leases."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from threading import Event as Flag
from threading import Lock, Thread
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mesbatch.admission.check import check_seconds
from mesbatch.admission.claims import MAX_WAITING, InFlight, digest
from mesbatch.admission.limiter import Limiter
from mesbatch.admission.redis_script import SCRIPT
from mesbatch.errors import AdmissionError, LimiterUnavailable, PermitLost

LEASE_SECONDS = 15.0  # until a dead holder is noticed; a live one renews three times meanwhile
ANSWER_SHARE = 1 / 4  # of a lease: a renewal begins after a third of it, and two tries end before the lease does
POLL_SECONDS = 0.02  # one round trip of a script; a reader holds its permit a hundred times longer


@dataclass(slots=True)
class _LeasedClaim:
    """Claim of this process, and the time on our own clock until which its lease certainly runs.

    A server that lost its data counts tickets anew, so that only the nonce tells the owner of a ticket.
    """

    ticket: int
    nonce: str
    holding: bool
    until: float
    lost: bool = False


class RedisLimiter(Limiter):
    """Permits for all processes that use the same Redis or Valkey.

    A thread renews the leases of held permits. A holder whose lease ran out learns it from `Permit.check`, from the
    body that holds the permit, or from `Permit.release`. A server that does not answer within half a lease counts as
    away. Processes should pass the same limits; while these differ, each process applies its own to all.

    Args:
        url: The URL of the server, or a client of redis-py, which stays yours; its own timeouts should be shorter than
            half a lease.
        name: The name that the processes share.
        permits: Readers at once, in all processes.
        max_bytes: Bytes that they hold together.
        max_waiting: Requests that wait beside them; one more is refused.
        lease: Seconds after which the permits of a process that went away are free.

    Raises:
        InvalidLimit: *lease* is not above 0.

    >>> def make_limiter(url: str) -> RedisLimiter:
    ...     return RedisLimiter(url, "mes", permits=5, max_bytes=2**28)
    """

    def __init__(
        self, url: str | Any, name: str, permits: int, max_bytes: int, *, max_waiting: int = MAX_WAITING,
        lease: float = LEASE_SECONDS,
    ) -> None:  # fmt: skip
        super().__init__(permits, max_bytes, max_waiting=max_waiting)
        check_seconds("lease", lease, above=0)
        self.name, self.lease = name, lease
        self._is_ours = isinstance(url, str)
        self._client: Any = _connect(url, lease * ANSWER_SHARE) if isinstance(url, str) else url
        self._script: Any = self._client.register_script(SCRIPT)
        self._own: dict[int, _LeasedClaim] = {}
        self._numbers = count(1)
        self._renewer: Thread | None = None
        self._lock = Lock()
        self._closed = Flag()

    def close(self) -> None:
        """Close the connections; leases of permits that are still held run out. May be called twice."""
        self._closed.set()
        if renewer := self._renewer:
            renewer.join()
        if self._is_ours:
            self._client.connection_pool.disconnect()  # which close() of redis-py 5.0.0 leaves open

    def _forget(self) -> None:
        self._lock, self._own, self._renewer = Lock(), {}, None

    def _count(self) -> InFlight:
        return InFlight(*self._call("count"))

    def _join(self, nbytes: int, principal: str) -> int | None:
        nonce, sent = secrets.token_hex(8), time.monotonic()
        ticket, holding = self._call("join", 0, nonce, digest(principal).hex(), nbytes)
        if not ticket:
            return None
        number = next(self._numbers)
        self._own[number] = _LeasedClaim(ticket, nonce, bool(holding), sent + self.lease)
        self._keep_renewing()
        return number

    def _begin(self, ticket: int) -> bool:
        own = self._own[ticket]
        if not own.holding and not self._renew(own):
            raise LimiterUnavailable(f"permits {self.name!r} in Redis: our claim was lost while it waited")
        return own.holding

    def _wait(self, ticket: int, timeout: float) -> None:
        time.sleep(min(POLL_SECONDS, timeout))

    def _leave(self, ticket: int) -> None:
        own = self._own.pop(ticket)
        found, _ = self._call("leave", own.ticket, own.nonce)
        if own.holding and not found:
            raise self._lost()

    def _check(self, ticket: int) -> None:
        own = self._own[ticket]
        if own.lost or time.monotonic() >= own.until:
            raise self._lost()

    def _renew(self, own: _LeasedClaim) -> bool:
        """Begin the lease of a claim anew; False if the claim is gone."""
        sent = time.monotonic()
        found, holding = self._call("look", own.ticket, own.nonce)
        own.lost = not found
        if found:
            own.holding, own.until = bool(holding), sent + self.lease
        return bool(found)

    def _keep_renewing(self) -> None:
        with self._lock:
            if self._renewer is None or not self._renewer.is_alive():
                self._renewer = Thread(target=self._renew_all, name=f"mesbatch-permits-{self.name}", daemon=True)
                self._renewer.start()

    def _renew_all(self) -> None:
        """Renew leases, in a thread, for as long as there are claims."""
        while not self._closed.wait(self.lease / 3):
            self._reclaim()
            with self._lock:
                claims = list(self._own.values())
                if not claims:
                    self._renewer = None
                    return
            for own in claims:
                if own.holding and not own.lost:
                    # If no round succeeds before the lease runs out, `check` will say so.
                    with suppress(AdmissionError):
                        self._renew(own)

    def _call(self, operation: str, ticket: int = 0, nonce: str = "0", principal: str = "0", nbytes: int = 0) -> Any:
        if self._closed.is_set():
            raise LimiterUnavailable(f"permits {self.name!r} in Redis: the limiter was closed")
        limit = self.limit
        numbers = [nbytes, limit.permits, limit.nbytes, limit.waiting, round(self.lease * 1000)]
        try:
            return self._script(keys=[self.name], args=[operation, ticket, nonce, principal, *numbers])
        except redis.RedisError as error:
            raise LimiterUnavailable(f"permits {self.name!r} in Redis: {type(error).__name__}: {error}") from error

    def _lost(self) -> PermitLost:
        return PermitLost(f"the lease of {self.lease} s on a permit of {self.name!r} ran out while it was held")


def _connect(url: str, timeout: float) -> Any:
    """Make a client that tries once more, at once: after a restart of the server, pooled connections are dead."""
    return redis.Redis.from_url(
        url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 1)
    )
