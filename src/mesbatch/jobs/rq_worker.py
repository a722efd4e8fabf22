"""An RQ worker for our jobs: it dies as a whole, stops at a batch, and takes up the jobs that others left."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import suppress
from typing import Any

import redis
from rq import Queue
from rq.command import parse_payload
from rq.job import Job
from rq.serializers import JSONSerializer

from mesbatch.errors import JobNotFound, StoreError
from mesbatch.jobs.process import count_kills, die_with_parent, end_now, killed_for_memory, limit_memory
from mesbatch.jobs.recovery import after_death, fail
from mesbatch.jobs.rq import RQJobs
from mesbatch.jobs.rq_patient import PatientWorker
from mesbatch.jobs.rq_watch import Watch
from mesbatch.jobs.run_and_join import run_and_join
from mesbatch.jobs.stop import Stop

WORKER_SECONDS = 30  # RQ's worker_ttl: it waits half of that for a job, and then says that it lives
MONITOR_SECONDS = 5  # between two heartbeats of RQ while a job runs

_logger = logging.getLogger(__name__)


class QueuedJob(Job):
    """A job as RQ has it in its queue. No function or callback that the queue names is imported."""

    worker: JobWorker
    success_callback = failure_callback = stopped_callback = None

    def perform(self) -> None:
        (job_id,) = self.args
        self.worker.run(job_id)

    def send_webhooks(self, *args: Any, **options: Any) -> None:
        """Send none: the queue would name them, too."""


class JobWorker(PatientWorker):
    """A worker that runs *jobs*, one at a time, each in a work-horse that may allocate *memory_limit* bytes."""

    job_class = QueuedJob

    def __init__(self, jobs: RQJobs, memory_limit: int | None = None) -> None:
        super().__init__(
            [jobs.queue.name], connection=jobs.connection, serializer=JSONSerializer, job_class=QueuedJob,
            worker_ttl=WORKER_SECONDS, job_monitoring_interval=MONITOR_SECONDS, log_job_description=False,
        )  # fmt: skip
        self._jobs, self._memory_limit = jobs, memory_limit
        self._stop = Stop(end_now)
        self._kills = 0
        self._watch = Watch(jobs, self.name)

    def work(self, *args: Any, **options: Any) -> bool:
        with self._watch:
            return super().work(*args, **options)

    # -- in the worker

    def execute_job(self, job: Job, queue: Queue) -> None:
        self._kills = count_kills()
        super().execute_job(job, queue)

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        with self._watch.at_rest:
            super().fork_work_horse(job, queue)

    def handle_payload(self, message: Any) -> None:
        """Cancel the database cursor on RQ's stop command, which by itself would kill the work-horse at once."""
        payload = parse_payload(message)
        if payload["command"] != "stop-job":
            super().handle_payload(message)  # type: ignore[no-untyped-call]
        elif payload.get("job_id") == self.get_current_job_id():
            self._signal_horse(signal.SIGUSR1)

    def handle_warm_shutdown_request(self) -> None:
        self._watch.leave()
        super().handle_warm_shutdown_request()  # type: ignore[no-untyped-call]
        self._signal_horse(signal.SIGTERM)

    def handle_work_horse_killed(self, job: Job, retpid: int, ret_val: int, rusage: Any) -> None:
        number = os.WTERMSIG(ret_val) if ret_val and os.WIFSIGNALED(ret_val) else 0
        _logger.warning("the work-horse of %s was ended by signal %d", job.id, number)
        with suppress(StoreError):  # then the lease runs out, and the job is found
            self._account_for(job.id.partition("_")[0], retpid, number, ret_val)

    def _account_for(self, job_id: str, pid: int, number: int, status: int) -> None:
        if not number and not self._has_begun(job_id, pid):  # and would not the next time
            fail(self._jobs.store, job_id, f"the work-horse ended with status {status}: see the worker's log")
        for_memory = killed_for_memory(number, self._kills)
        if after_death(self._jobs.store, job_id, self._horse_name(pid), for_memory=for_memory):
            self._watch.look()

    def _has_begun(self, job_id: str, pid: int) -> bool:
        with suppress(JobNotFound):
            return self._jobs.store.facts(job_id).get("worker") == self._horse_name(pid)
        return False

    def _signal_horse(self, number: signal.Signals) -> None:
        if self.horse_pid:
            with suppress(ProcessLookupError):
                os.kill(self.horse_pid, number)

    def _horse_name(self, pid: int) -> str:
        return f"{self.name}:{pid}"

    # -- in the work-horse

    def setup_work_horse_signals(self) -> None:
        super().setup_work_horse_signals()  # type: ignore[no-untyped-call]
        assert self.pid is not None
        die_with_parent(self.pid)
        signal.signal(signal.SIGTERM, lambda *_: self._stop.ask("shutdown"))
        signal.signal(signal.SIGUSR1, lambda *_: self._stop.ask("cancel"))
        limit_memory(self._memory_limit)

    def perform_job(self, job: Job, queue: Queue, *execution: Any) -> bool:
        assert isinstance(job, QueuedJob)
        job.worker = self
        return super().perform_job(job, queue, *execution)

    def run(self, job_id: str) -> None:
        """Run a job for RQ: nothing is returned, and errors stand in our store."""
        jobs = self._jobs
        worker = self._horse_name(os.getpid())
        try:
            with jobs.read_limit() as limit:
                outcome = run_and_join(
                    jobs.store, job_id, jobs.functions, worker, settings=jobs.settings, stop=self._stop, limit=limit
                )
        except Exception:
            with suppress(StoreError):  # then the job is found again
                fail(jobs.store, job_id, "the job could not be run: see the worker's log")
            raise
        if outcome == "queued":
            with suppress(redis.RedisError, StoreError):  # then the watch of a worker finds it
                jobs.enqueue(job_id, only_if={"queued"})
