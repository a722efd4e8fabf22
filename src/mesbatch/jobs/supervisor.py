"""The one thread of a machine that starts the processes of local jobs, and accounts for their ends."""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Iterator
from threading import Event, Thread

from mesbatch.errors import StoreError
from mesbatch.jobs.children import READY_SECONDS, Child, ReadyChildren
from mesbatch.jobs.machine_lock import MachineLock
from mesbatch.jobs.process import killed_for_memory
from mesbatch.jobs.recovery import after_death, fail, waiting_jobs
from mesbatch.store.protocol import Store

SCAN_SECONDS = 2.0  # between two looks for jobs that others left: a dead worker is found within 20 s, its lease is 15
SWEEP_SECONDS = 60.0  # between two removals of expired jobs
UNLISTED_SECONDS = 10.0  # between two looks for jobs that an older version submitted, which go through all jobs
POLL_SECONDS = 0.05  # between two looks at our own processes, and at calls of others
TAKE_SECONDS = 1.0  # between two tries to become the supervisor: the kernel frees the lock of a dead one at once
CLOSE_SECONDS = 10.0  # for all processes to stop at a batch

_logger = logging.getLogger(__name__)


class Supervisor:
    """The processes of the jobs of *store*, *workers* at once, each of which ends with the thread of this object.

    Nothing is started before it has *lock*, and others are waited for that hold it.
    """

    def __init__(self, store: Store, app: str, workers: int, memory_limit: int | None, lock: MachineLock) -> None:
        self._store, self._workers = store, workers
        self._lock, self._calls = lock, 0
        self._ready, self._expected = ReadyChildren(app, memory_limit), 0
        self._children: list[Child] = []
        self._woken, self._closing = Event(), Event()
        self._scanned = self._swept = self._seen = float("-inf")
        # The kernel ends our processes with the thread that started them: it must be one that lives.
        self._thread = Thread(target=self._run, name="mesbatch-jobs", daemon=True)

    def start(self) -> None:
        self._woken.set()  # jobs may be waiting already
        self._thread.start()

    def wake(self) -> None:
        """Let the supervisor, here or in another process, look at once: there is a new job."""
        self._woken.set()
        self._lock.call()

    def expect(self, jobs: int) -> None:
        """Make processes ready for so many *jobs*, which are being submitted here; does nothing without the lock."""
        self._expected = jobs
        self._woken.set()

    def close(self) -> None:
        """Stop all jobs at their next batch, and wait for them."""
        self._closing.set()
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            woken = self._woken.wait(POLL_SECONDS)
            self._woken.clear()
            try:
                if not self._lock.take():
                    self._expected = 0
                    self._closing.wait(TAKE_SECONDS)
                    continue
                woken = self._was_called() or woken
                ended = self._reap()
                self._prepare()
                if woken or ended or time.monotonic() - self._scanned > SCAN_SECONDS:
                    self._fill(ended)
                if time.monotonic() - self._swept > SWEEP_SECONDS:
                    self._swept = time.monotonic()
                    self._store.sweep()
            except StoreError as error:
                _logger.warning("no job can be started, and nothing be swept: %s", error)
            except Exception:  # this thread must live: its end would be that of all jobs
                _logger.exception("no job was started this time")
        self._end_all()
        self._lock.drop()

    def _was_called(self) -> bool:
        before, self._calls = self._calls, self._lock.calls()
        return before != self._calls

    def _prepare(self) -> None:
        """Start the processes of jobs that will be there soon: they import the application meanwhile."""
        expected, self._expected = self._expected, 0
        if expected:
            self._ready.prepare(min(expected, self._workers - len(self._children)))
        self._ready.retire(READY_SECONDS)

    def _fill(self, ended: list[Child]) -> None:
        """Start processes for waiting jobs.

        A job whose process *ended* just now, and was not killed, waits for the next look: while the store cannot be
        written to, as on a full disk, each process gives its job back at once.
        """
        self._scanned = time.monotonic()
        ours = {child.job_id for child in self._children}
        given_back = {child.job_id for child in ended if child.process.returncode == 0}
        if len(ours) < self._workers:
            for job_id, _ in waiting_jobs(self._store, self._open_jobs()):
                if job_id not in ours | given_back:
                    self._children.append(self._ready.take(job_id))
                if len(self._children) >= self._workers:
                    break

    def _open_jobs(self) -> Iterator[str]:
        unlisted = time.monotonic() - self._seen > UNLISTED_SECONDS
        if unlisted:
            self._seen = time.monotonic()
        return self._store.open_jobs(unlisted=unlisted)

    def _reap(self) -> list[Child]:
        """Account for the processes that ended, and return them."""
        ended = [child for child in self._children if not child.is_alive]
        for child in ended:
            self._children.remove(child)
            child.close()
            self._account_for(child, child.process.returncode)
        return ended

    def _account_for(self, child: Child, status: int) -> None:
        if status < 0:
            _logger.warning("the process of job %s was ended by signal %d", child.job_id, -status)
            after_death(self._store, child.job_id, child.worker, for_memory=killed_for_memory(-status, child.kills))
        elif status > 0:  # it could not even begin, and would not the next time
            after_death(self._store, child.job_id, child.worker, for_memory=False)
            fail(self._store, child.job_id, f"the job's process ended with status {status}: see its standard error")

    def _end_all(self) -> None:
        self._ready.retire(after=-1.0)
        for child in self._children:
            child.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + CLOSE_SECONDS
        for child in self._children:
            try:
                child.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        try:
            self._reap()
        except StoreError as error:
            _logger.warning("what became of the last jobs could not be written down: %s", error)
