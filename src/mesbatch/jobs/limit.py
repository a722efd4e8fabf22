"""The limit of jobs that read from the database at once: a job waits for a permit, and holds it while it reads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

from mesbatch.admission.limiter import Limiter
from mesbatch.admission.permit import Permit
from mesbatch.errors import LimiterBusy, LimiterUnavailable, PermitLost
from mesbatch.jobs.stop import Stop

WAIT_SECONDS = 0.25  # between two tries


class ReadLimit:
    """The permit of one job, taken from *limiter*; without a limiter every job may read.

    A job that waits asks again and again, in no queue of the limiter: so it hears that it is to stop, and waits for a
    limiter that does not answer as for one that is busy.
    """

    def __init__(self, limiter: Limiter | None = None) -> None:
        self._limiter = limiter
        self._permit: Permit | None = None
        self._lock = Lock()  # a permit that is given back is asked about no more

    @contextmanager
    def held(self, stop: Stop) -> Iterator[None]:
        """Hold a permit while the block runs.

        Raises:
            Stopped: the job was asked to stop while it waited.
        """
        self._permit = None if self._limiter is None else self._wait(self._limiter, stop)
        try:
            yield
        finally:
            with self._lock:
                permit, self._permit = self._permit, None
            if permit is not None:
                with suppress(PermitLost, LimiterUnavailable):  # its lease runs out, or did already
                    permit.release()

    def check(self) -> None:
        """Raise `PermitLost` when the lease of the permit ran out: another job may read instead."""
        with self._lock:
            if self._permit is not None:
                self._permit.check()

    def _wait(self, limiter: Limiter, stop: Stop) -> Permit:
        while True:
            stop.check()
            with suppress(LimiterBusy, LimiterUnavailable):
                return limiter.permit(0, timeout=0.0)
            time.sleep(WAIT_SECONDS)
