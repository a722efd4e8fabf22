"""The watch of a worker: a thread that says that it listens, and puts jobs of dead workers back into the queue."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from threading import Event, Lock, Thread

import redis

from mesbatch.errors import JobNotFound, LeaseLost, StatusConflict, StoreError
from mesbatch.jobs.listening import BEAT_SECONDS
from mesbatch.jobs.recovery import has_ended, waiting_jobs
from mesbatch.jobs.rq import RQJobs
from mesbatch.store.protocol import Facts

LOOK_SECONDS = 2.0  # between two looks: a dead worker's lease runs out after 15 s, and is found within 20
PAUSE_SECONDS = 0.25  # after which a worker that is to end is believed to listen no more
SWEEP_SECONDS = 60.0  # between two removals of expired jobs
UNSEEN_SECONDS = 5.0  # that a job may be neither in the queue nor in a lease: a worker takes it out and then starts

_logger = logging.getLogger(__name__)


class Watch:
    """A watch for the worker *name*, which listens while the block runs; each worker finds the jobs of dead ones."""

    def __init__(self, jobs: RQJobs, name: str) -> None:
        self._jobs, self._name = jobs, name
        self._woken, self._ended = Event(), Event()
        self._left = False
        self.at_rest = Lock()  # held while the process forks: a lock that this thread held then would stay locked
        self._beaten = self._swept = float("-inf")
        self._thread = Thread(target=self._run, name="mesbatch-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._left = True
        self._ended.set()
        self._woken.set()
        self._thread.join()
        with suppress(redis.RedisError):
            self._jobs.listening.leave(self._name)

    def look(self) -> None:
        """Look now: a job was left just here."""
        self._woken.set()

    def leave(self) -> None:
        """Listen no more, though a job may still run here; takes no lock, so that a signal's handler may call it."""
        self._left = True

    def _run(self) -> None:
        looked = float("-inf")
        while not self._ended.is_set():
            try:
                with self.at_rest:
                    self._beat()
                    if self._woken.is_set() or time.monotonic() - looked > LOOK_SECONDS:
                        self._woken.clear()
                        looked = time.monotonic()
                        self._find()
                        self._sweep()
            except (StoreError, redis.RedisError) as error:
                _logger.warning("the jobs of dead workers were not looked for: %s", error)
            except Exception:  # without this thread the worker would be taken for dead
                _logger.exception("the jobs of dead workers were not looked for")
            self._woken.wait(PAUSE_SECONDS)

    def _beat(self) -> None:
        if self._left:
            self._jobs.listening.leave(self._name)
        elif time.monotonic() - self._beaten >= BEAT_SECONDS:
            self._jobs.listening.beat(self._name)
            self._beaten = time.monotonic()

    def _sweep(self) -> None:
        if time.monotonic() - self._swept > SWEEP_SECONDS:
            self._swept = time.monotonic()
            self._jobs.store.sweep()

    def _find(self) -> None:
        listening, store = self._jobs.listening, self._jobs.store
        for job_id in (known := self._jobs.watched_jobs()):
            if has_ended(store, job_id):
                listening.remove_job(job_id)
        for job_id, facts in waiting_jobs(store, known):
            with suppress(StatusConflict, LeaseLost, JobNotFound):  # another worker was faster
                self._take_up(job_id, facts)

    def _take_up(self, job_id: str, facts: Facts) -> None:
        if facts["status"] == "started":
            self._jobs.enqueue(job_id, only_if={"started"}, token=int(facts["token"]))
        elif self._is_due(facts):
            self._jobs.enqueue(job_id, only_if={"queued"})

    def _is_due(self, facts: Facts) -> bool:
        """Return whether the job waits in no queue: its shards have just ended, or the worker that took it is gone."""
        if "rq_id" not in facts:
            return True
        return time.time() - float(facts["queued_at"]) > UNSEEN_SECONDS and not self._in_queue(facts["rq_id"])

    def _in_queue(self, rq_id: str) -> bool:
        return self._jobs.connection.lpos(self._jobs.queue.key, rq_id) is not None
