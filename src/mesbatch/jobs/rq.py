"""`RQJobs`: jobs that the RQ workers of one machine or of many run (extra ``rq``)."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

import redis
from rq import Queue
from rq.command import send_stop_job_command
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.serializers import JSONSerializer

from mesbatch.admission.redis import RedisLimiter
from mesbatch.errors import JobNotFound, NoWorker, StatusConflict, StoreUnavailable
from mesbatch.jobs.base import Jobs
from mesbatch.jobs.function import Functions
from mesbatch.jobs.job import Job, ending, read_job
from mesbatch.jobs.limit import ReadLimit
from mesbatch.jobs.listening import Listening, queue_name
from mesbatch.store import check_job_id, new_job_id
from mesbatch.store.protocol import ENDED, Facts, Store
from mesbatch.store.redis_names import PREFIX
from mesbatch.store.redis_server import open_client

QUEUE = "trace-events"  # TRACE_WORKER_QUEUE
FUNCTION = "mesbatch.jobs"  # shown by RQ; no worker of ours imports a name from a queue
KEPT_SECONDS = 60  # RQ's own record of a job: a hint, and ours is the truth
SLACK_SECONDS = 60  # that RQ waits beyond our own deadline
LOST_SECONDS = 60.0  # that a job without a worker waits for one to listen, before it is lost

_logger = logging.getLogger(__name__)


class RQJobs(Jobs):
    """Jobs in a queue of Redis, for the workers that ``mesbatch worker --app`` starts.

    Where the store has another prefix than the default, its prefix stands before the queue's name, so that
    deployments which share a Redis never see each other's jobs and workers.

    The queue holds ids only. RQ's own status is a hint: the truth about a job stands in the *store*, and is fenced
    by its lease. `submit` raises `NoWorker` when nobody listens on this queue.

    A warning is logged when nobody listens, or the queue does not answer, and not again before that has changed.

    Args:
        functions: The allow-list: the functions that a job may call, by name.
        store: The store of the jobs and their results.
        app: The place from which a worker imports this object, as ``module:object``.
        url: The URL of the Redis, or a client, as for `RedisStore`.
        queue: The name of the queue.
        settings: Values that a worker's own settings must equal.
        unmarked: False hides jobs of the first implementation, which have no owner.
        max_connections: The number of jobs that read from the database at once, whatever the number of workers and
            hosts. None sets no limit.
    """

    def __init__(
        self,
        functions: Functions,
        store: Store,
        *,
        app: str,
        url: str | Any,
        queue: str = QUEUE,
        settings: Mapping[str, Any] | None = None,
        unmarked: bool = True,
        max_connections: int | None = None,
    ) -> None:
        super().__init__(functions, store, app=app, settings=settings, unmarked=unmarked)
        if max_connections is not None and max_connections < 1:
            raise ValueError(f"max_connections must be at least 1, got {max_connections}")
        self._url, self._max_connections = url, max_connections
        self.connection: Any = redis.Redis.from_url(url) if isinstance(url, str) else open_client(url)
        name = queue_name(queue, getattr(store, "prefix", PREFIX))
        self.queue = Queue(name, connection=self.connection, serializer=JSONSerializer)
        self.listening = Listening(self.connection, name)
        self._old = None if name == queue else OldQueue(self.connection, queue)
        self._warned = False

    def check_listening(self) -> None:
        try:
            if not self._workers():
                raise NoWorker(f"no worker listens on the queue {self.queue.name!r}: mesbatch worker --app {self.app}")
        except (NoWorker, StoreUnavailable) as error:
            if not self._warned:
                _logger.warning("nothing can become a job: %s", error)
            self._warned = True
            raise
        self._warned = False

    def get(self, job_id: str, *, owner: str | None = None) -> Job:
        """Return a job as it is now.

        A job that a dead worker left is ``lost`` when for a minute no worker was there to go on; see `LOST_SECONDS`.
        """
        facts = self._facts(job_id, owner)
        if facts["status"] == "started" and self.store.holder(job_id) is None and not self._workers():
            return read_job(job_id, self._orphaned(job_id, facts))
        return super().get(job_id, owner=owner)

    @contextmanager
    def read_limit(self) -> Iterator[ReadLimit]:
        """Yield the limit for one job of this process: it reads as one of at most *max_connections*."""
        if self._max_connections is None:
            yield ReadLimit()
            return
        # Jobs count, not bytes; and a job that waits stands in no queue of the limiter, but asks again.
        limiter = RedisLimiter(
            self._url, f"mesbatch:reading:{self.queue.name}", self._max_connections, 1, max_waiting=0
        )
        with closing(limiter):
            yield ReadLimit(limiter)

    def close(self) -> None:
        if isinstance(self._url, str):
            self.connection.connection_pool.disconnect()  # which close() of redis-py 5.0.0 leaves open

    def enqueue(self, job_id: str, *, only_if: set[str] | None = None, token: int | None = None) -> None:
        """Put the job into the queue, if its status allows that; *only_if* and *token* are those of `Store.change`."""
        rq_id = f"{check_job_id(job_id)}_{new_job_id()[:8]}"
        queued = {"status": "queued", "rq_id": rq_id, "queued_at": f"{time.time():.3f}"}
        facts = self.store.change(job_id, queued, only_if=only_if, token=token)
        self.listening.add_job(job_id)
        remaining = float(facts["deadline"]) - time.time()
        self.queue.enqueue_call(
            FUNCTION, args=[job_id], job_id=rq_id, timeout=max(1, int(remaining)) + SLACK_SECONDS,
            result_ttl=KEPT_SECONDS, failure_ttl=KEPT_SECONDS, description=f"mesbatch job {job_id}",
        )  # fmt: skip

    def watched_jobs(self) -> list[str]:
        """Return the jobs that may not have ended.

        Among them are those of ours that a web server of an older version put into the queue without our prefix; the
        jobs of other deployments stay there.
        """
        if self._old is not None:
            for job_id in self._old.jobs():
                with suppress(JobNotFound):
                    facts = self.store.facts(job_id)
                    self.listening.add_job(job_id)
                    self._old.forget(job_id, facts.get("rq_id", ""))
        return self.listening.jobs()

    def _has_begun(self, facts: Facts) -> bool:
        return "rq_id" in facts or "children" in facts

    def _enqueue(self, job_id: str) -> None:
        with self._answering():
            self.enqueue(job_id, only_if={"queued"})

    def _workers(self) -> list[str]:
        with self._answering():
            return self.listening.workers()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            raise StoreUnavailable(f"the queue {self.queue.name!r} does not answer: {error}") from error

    def _await_shards(self, job_id: str) -> None:
        self.listening.add_job(job_id)

    def _stop(self, job_id: str, facts: Facts) -> None:
        if "rq_id" not in facts:  # the worker of its last shard joins them, and looks by itself
            return
        with suppress(NoSuchJobError, InvalidJobOperation):  # it is not where RQ thinks; its worker looks by itself
            send_stop_job_command(self.connection, facts["rq_id"], serializer=JSONSerializer)

    def _orphaned(self, job_id: str, facts: Facts) -> Facts:
        token = int(facts["token"])
        since, _, orphan = facts.get("orphaned", "").partition(" by ")
        with suppress(StatusConflict):
            if orphan != str(token):
                return self.store.change(job_id, {"orphaned": f"{time.time():.3f} by {token}"}, only_if={"started"})
            if time.time() - float(since) > LOST_SECONDS and facts["status"] not in ENDED:
                error = "its worker is gone, and no other was there to go on"
                return self.store.change(job_id, ending("lost", "lost", error), only_if={"started"}, token=token)
        return self.store.facts(job_id)


class OldQueue:
    """The queue of the name that older versions used with any prefix; other deployments may still use it."""

    def __init__(self, connection: Any, queue: str) -> None:
        self._listening = Listening(connection, queue)
        self._queue = Queue(queue, connection=connection, serializer=JSONSerializer)

    def jobs(self) -> list[str]:
        return self._listening.jobs()

    def forget(self, job_id: str, rq_id: str) -> None:
        """Take a job out; a worker that has taken it meanwhile goes on with it."""
        self._queue.connection.lrem(self._queue.key, 0, rq_id)
        self._listening.remove_job(job_id)
