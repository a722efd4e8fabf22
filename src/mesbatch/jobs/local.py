"""`LocalJobs`: a process for each job, started from here, without any server."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

from mesbatch.jobs.app import import_jobs
from mesbatch.jobs.base import Jobs
from mesbatch.jobs.function import Functions
from mesbatch.jobs.supervisor import Supervisor
from mesbatch.store.protocol import Facts, Store


class LocalJobs(Jobs):
    """Jobs that run in processes of their own on this machine, *workers* of them at once.

    Jobs that other processes left in the same *store* are taken up, too, once one was submitted here or `start` was
    called. A job's process may allocate *memory_limit* bytes, interpreter included, and dies with this one; `close`
    lets it stop at the next batch, and the next process that uses the store goes on. These jobs never lack a worker.

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
        self._supervisor: Supervisor | None = None
        self._lock = Lock()

    def start(self) -> None:
        """Begin to run the jobs that wait in the store; may be called twice."""
        with self._lock:
            if self._supervisor is None:
                import_jobs(self.app)
                self._supervisor = Supervisor(self.store, self.app, self._workers, self._memory_limit)
                self._supervisor.start()

    def check_listening(self) -> None:
        self.start()

    def close(self) -> None:
        with self._lock:
            if self._supervisor is not None:
                self._supervisor.close()
                self._supervisor = None

    def _enqueue(self, job_id: str) -> None:
        self.start()
        if self._supervisor is not None:
            self._supervisor.wake()

    def _await_shards(self, job_id: str) -> None:
        """Do nothing: the supervisor looks for it."""

    def _stop(self, job_id: str, facts: Facts) -> None:
        """Do nothing: its process looks twice a second."""
