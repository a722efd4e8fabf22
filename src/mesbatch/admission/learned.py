"""Bytes per key, learned from earlier reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from math import ceil, sqrt
from threading import Lock

from mesbatch.admission.check import check_count, check_seconds
from mesbatch.admission.cost import BUFFER_BYTES, Cost

STALE_SECONDS = 3_600.0  # an hour, so that a table which was reloaded overnight is learned anew
FEWEST_READS = 3  # with fewer, the spread is a guess
WEIGHT = 0.2  # of the newest read, so that about the last ten reads count
DEVIATIONS = 3.0  # above the mean: at most one read in ten costs more (Cantelli), whatever the distribution


@dataclass(slots=True)
class _Learned:
    """Mean and variance of the bytes per key of one domain; the newest reads count most."""

    reads: int = 0
    mean: float = 0.0
    variance: float = 0.0
    at: float = 0.0

    def add(self, value: float, at: float) -> None:
        self.reads += 1
        weight = max(WEIGHT, 1 / self.reads)  # the plain mean of the first few
        surprise = value - self.mean
        self.mean += weight * surprise
        self.variance = (1 - weight) * (self.variance + weight * surprise**2)
        self.at = at


class LearnedBytes:
    """Bytes per key of each domain, with their spread, learned from complete reads; safe in threads.

    Holds four numbers a domain.

    Args:
        stale_after: Seconds after which a figure is no longer believed.
        clock: A function that gives seconds.

    >>> learned = LearnedBytes()
    >>> for _ in range(3):
    ...     learned.add("history", keys=100, nbytes=50_000)
    >>> learned.estimate(["history"], keys=1_000), learned.estimate(["history", "holds"], keys=1_000)
    (500000, None)
    """

    def __init__(self, *, stale_after: float = STALE_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        check_seconds("stale_after", stale_after, above=0)
        self._stale_after, self._clock = stale_after, clock
        self._domains: dict[str, _Learned] = {}
        self._lock = Lock()

    def add(self, domain: str, *, keys: int, nbytes: int) -> None:
        """Learn the *keys* and *nbytes* of a complete read, from its manifest; a read without keys teaches nothing."""
        check_count("keys", keys)
        check_count("nbytes", nbytes)
        if keys:
            with self._lock:
                self._domains.setdefault(domain, _Learned()).add(nbytes / keys, self._clock())

    def estimate(self, domains: Iterable[str], *, keys: int) -> int | None:
        """Estimate the bytes of *domains* for *keys*, above the mean by the spread; None if one is unknown or stale."""
        check_count("keys", keys)
        with self._lock:
            per_key = [self._per_key(domain) for domain in domains]
        known = [value for value in per_key if value is not None]
        return ceil(keys * sum(known)) if len(known) == len(per_key) else None

    def cost(
        self,
        profile: str,
        ids: Iterable[Hashable],
        domains: Iterable[str],
        *,
        streamed: bool = False,
        buffers: int = BUFFER_BYTES,
    ) -> Cost:
        """Make the `Cost` of reading *domains* for *ids*, of which repeated ones count once.

        >>> LearnedBytes().cost("query_tool", ["a1", "b2", "a1"], ["history"], streamed=True).keys
        2
        """
        keys = len(set(ids))
        return Cost(profile, keys, self.estimate(domains, keys=keys), buffers, streamed)

    def _per_key(self, domain: str) -> float | None:
        learned = self._domains.get(domain)
        if learned is None or learned.reads < FEWEST_READS or self._clock() - learned.at > self._stale_after:
            return None
        return learned.mean + DEVIATIONS * sqrt(learned.variance)
