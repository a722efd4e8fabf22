"""An RQ worker that survives a Redis which is full, read-only, being switched over or restarted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any, TypeVar

import redis
from rq import Queue
from rq.job import Job

from mesbatch.jobs.rq_versions import VersionedWorker

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0  # seconds between two tries: it is idle, and found soon after Redis is back

_logger = logging.getLogger(__name__)

T = TypeVar("T")


class PatientWorker(VersionedWorker):
    """A worker whose own words may be refused: RQ's loop would end at the first one.

    Its notes about itself and about a job are hints, so they are given up. Birth and the wait for a job are repeated.
    """

    def register_birth(self) -> None:
        self._insist(super().register_birth)

    def set_state(self, *state: Any, **options: Any) -> None:
        with self._noting("the state of a worker"):
            super().set_state(*state, **options)

    def check_for_suspension(self, burst: bool) -> None:
        self._insist(lambda: super(PatientWorker, self).check_for_suspension(burst))

    def dequeue_job_and_maintain_ttl(self, *args: Any, **options: Any) -> Any:
        """Wait for a job; one that was taken before an error is found by the watch."""
        return self._insist(lambda: super(PatientWorker, self).dequeue_job_and_maintain_ttl(*args, **options))

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job to the end of its process, whatever can be noted about it."""
        with self._noting("the run of a job"):
            super().execute_job(job, queue)
        if self.horse_pid:
            self.wait_for_horse()
            self._horse_pid = 0

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        with self._noting("a heartbeat"):
            super().heartbeat(timeout, pipeline=pipeline)

    def maintain_heartbeats(self, job: Job, *execution: Any) -> None:
        with self._noting("a heartbeat"):
            super().maintain_heartbeats(job, *execution)

    def run_maintenance_tasks(self) -> None:
        with self._noting("maintenance"):
            super().run_maintenance_tasks()  # type: ignore[no-untyped-call]

    def prepare_job_execution(self, job: Job, *args: Any, **options: Any) -> None:
        with self._noting("the begin of a job"):
            super().prepare_job_execution(job, *args, **options)

    def teardown(self) -> None:
        with self._noting("the end of a worker"):
            super().teardown()  # type: ignore[no-untyped-call]

    @contextmanager
    def _noting(self, what: str) -> Any:
        try:
            yield
        except redis.RedisError as error:
            _logger.warning("%s is not noted in Redis: %s", what, error)

    def _insist(self, act: Callable[[], T]) -> T:
        """Return the result of *act*, which is repeated until Redis allows it; a signal ends that."""
        pause = FIRST_PAUSE
        while True:
            try:
                return act()
            except redis.RedisError as error:
                _logger.warning("this worker waits for Redis: %s", error)
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)
