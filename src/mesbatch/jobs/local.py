"""`LocalJobs`: a process for each job, started on this machine, without any server."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakSet

from mesbatch.errors import InvalidJob
from mesbatch.jobs.app import import_jobs
from mesbatch.jobs.base import Jobs
from mesbatch.jobs.function import Functions
from mesbatch.jobs.machine_lock import MachineLock
from mesbatch.jobs.process import is_job
from mesbatch.jobs.spec import JobSpec
from mesbatch.jobs.supervisor import Supervisor
from mesbatch.store.protocol import Facts, Store

_logger = logging.getLogger(__name__)


class LocalJobs(Jobs):
    """Jobs that run in processes of their own on this machine.

    Of all processes that use the same *store* here, one starts these processes. Each of them is ready to go on when
    that one ends: from its first `submit` on, or from `start`, which the Flask adapter calls with the first request.
    A job's process dies with the one that started it; `close` lets it stop at the next batch. These jobs never lack
    a worker. In a job's own process nothing is started.

    Args:
        functions: The allow-list: the functions that a job may call, by name.
        store: The store of the jobs and their results.
        app: The place from which a job's process imports this object, as ``module:object``.
        settings: Values that a job's own settings must equal.
        unmarked: False hides jobs of the first implementation, which have no owner.
        workers: The number of jobs that run at once.
        memory_limit: Bytes that a job's process may allocate, interpreter included; None sets no limit.

    Raises:
        InvalidJob: on first use, when *app* is not where this object can be imported from.
    """

    def __init__(
        self,
        functions: Functions,
        store: Store,
        *,
        app: str,
        settings: Mapping[str, Any] | None = None,
        unmarked: bool = True,
        workers: int = 1,
        memory_limit: int | None = None,
    ) -> None:
        super().__init__(functions, store, app=app, settings=settings, unmarked=unmarked)
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self._workers, self._memory_limit = workers, memory_limit
        self._lock = Lock()
        self._supervisor: Supervisor | None = None
        self._cannot_start = False
        _all.add(self)

    def start(self) -> None:
        """Begin to run the jobs that wait in the store, or to wait for the end of the process that does.

        May be called twice; after a fork the child has to call it again.
        """
        if is_job():
            return
        with self._lock:
            if self._supervisor is None:
                import_jobs(self.app)
                lock = MachineLock(lock_path(self.store, self.app))
                self._supervisor = Supervisor(self.store, self.app, self._workers, self._memory_limit, lock)
                self._supervisor.start()

    def attend(self) -> None:
        """Call `start`; an application that cannot be imported is told in the log, once."""
        if self._supervisor is None and not self._cannot_start:
            try:
                self.start()
            except InvalidJob:
                self._cannot_start = True
                _logger.exception("no job can be run")

    def check_listening(self) -> None:
        self.start()

    def close(self) -> None:
        with self._lock:
            if self._supervisor is not None:
                self._supervisor.close()
                self._supervisor = None

    def _expect(self, spec: JobSpec) -> None:
        """Let the processes of the job start while its keys are sorted and stored."""
        self.start()
        if self._supervisor is not None:
            self._supervisor.expect(spec.shards)

    def _enqueue(self, job_id: str) -> None:
        self.start()
        if self._supervisor is not None:
            self._supervisor.wake()

    def _await_shards(self, job_id: str) -> None:
        """Do nothing: the supervisor looks for it."""

    def _stop(self, job_id: str, facts: Facts) -> None:
        """Do nothing: its process looks twice a second."""

    def _forget(self) -> None:
        """Begin anew, in a child whose threads are its parent's."""
        self._lock, self._supervisor, self._cannot_start = Lock(), None, False


def lock_path(store: Store, app: str) -> Path:
    """Return the file whose lock the one supervisor of *store* on this machine holds.

    It lies in the directory of the store; for a store elsewhere, in a private one, named after *app*.
    """
    directory = getattr(store, "path", None)
    if directory is not None:
        return Path(directory, f".supervisor-{socket.gethostname()}")
    private = Path(tempfile.gettempdir(), f"mesbatch-{os.geteuid()}")
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    return private / f"supervisor-{sha256(app.encode()).hexdigest()[:16]}"


def attend_all() -> None:
    """Call `LocalJobs.attend` of all objects of this process, as a web server's hook after its fork does."""
    for jobs in list(_all):
        jobs.attend()


def _forget_all() -> None:
    for jobs in list(_all):
        jobs._forget()  # of this module


def _close_all() -> None:
    """Let jobs stop at a batch when this process ends by itself: the next one goes on at once."""
    for jobs in list(_all):
        jobs.close()


_all: WeakSet[LocalJobs] = WeakSet()
os.register_at_fork(after_in_child=_forget_all)
atexit.register(_close_all)
