"""The thread beside a running job: it renews the lease, and learns when the job must stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from threading import Event, Thread

from mesbatch.errors import JobNotFound, LeaseLost, PermitLost, StoreError
from mesbatch.jobs.limit import ReadLimit
from mesbatch.jobs.stop import Reason, Stop
from mesbatch.store.protocol import Lease, Store

BEATS_PER_LEASE = 3  # a heartbeat every 5 s of a lease of 15: two may fail
LONGEST_PAUSE = 5.0  # seconds between two heartbeats, however long the lease
LOOK_SECONDS = 0.5  # between two looks for a request to cancel: it must be heard within 2 s
SHUTDOWN_SECONDS = 5.0  # that a worker which is to end waits for a batch, of the 10 s that it has
KILL_SECONDS = 3.0  # after the first interruption: a process that ignores them, in a driver's C code, is killed

_logger = logging.getLogger(__name__)


class Heart:
    """A heartbeat that renews *lease* while its block runs, and looks for reasons to stop.

    These are a cancellation, a lost permit and the *deadline*, which is in seconds since 1970. A reason goes to *stop*;
    as long as the job goes on nevertheless, its read is interrupted again. Errors of the store, and any other, are
    logged, and the thread goes on: without it the job would lose its lease.
    """

    def __init__(self, store: Store, lease: Lease, stop: Stop, deadline: float, limit: ReadLimit) -> None:
        self._store, self._lease, self._stop, self._deadline, self._limit = store, lease, stop, deadline, limit
        self._ended = Event()
        self._thread = Thread(target=self._run, name="mesbatch-heart", daemon=True)

    def __enter__(self) -> Heart:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        every = min(self._store.lease_seconds / BEATS_PER_LEASE, LONGEST_PAUSE)
        renewed = asked = time.monotonic()
        reason: Reason | None = None
        while not self._ended.wait(min(LOOK_SECONDS, every)):
            now = time.monotonic()
            if now - renewed >= every and self._survives(partial(self._store.renew, self._lease)):
                renewed = now
            self._survives(self._look_here)
            self._survives(self._look_there)
            if self._stop.asked:
                if self._stop.reason != reason:
                    reason, asked = self._stop.reason, now
                self._survives(partial(self._insist, now - asked))

    def _survives(self, step: Callable[[], None]) -> bool:
        """Take a *step*; log an error that says nothing about the job itself, and return False after one."""
        try:
            step()
        except (LeaseLost, JobNotFound):
            self._stop.ask("fenced")
        except StoreError as error:
            _logger.warning("the heartbeat of job %s goes on without the store: %s", self._lease.job_id, error)
            return False
        except Exception:
            _logger.exception("the heartbeat of job %s goes on after an error", self._lease.job_id)
            return False
        return True

    def _look_here(self) -> None:
        """Look for a reason to stop that needs no answer of the store."""
        if time.time() >= self._deadline:
            self._stop.ask("timeout")
        try:
            self._limit.check()
        except PermitLost as error:
            if not self._stop.asked:
                _logger.warning("job %s stops reading, and waits for another permit: %s", self._lease.job_id, error)
            self._stop.ask("permit-lost")

    def _look_there(self) -> None:
        if self._store.facts(self._lease.job_id).get("cancel"):
            self._stop.ask("cancel")

    def _insist(self, seconds: float) -> None:
        """Interrupt, and in the end kill, a job that was asked to stop so many *seconds* ago."""
        patience = SHUTDOWN_SECONDS if self._stop.reason == "shutdown" else 0.0
        may_kill = self._stop.reason != "permit-lost"  # it may only be waiting for a server that is away
        if may_kill and seconds >= patience + KILL_SECONDS and self._stop.kill is not None:
            self._stop.kill()
        if seconds >= patience:
            self._stop.interrupt()
