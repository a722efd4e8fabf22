"""Workers that listen on a queue, and jobs that went into it, in lists of our own: those of RQ are out of date."""

from __future__ import annotations

from typing import Any

from mesbatch.store.redis_names import PREFIX

BEAT_SECONDS = 5.0
LISTENING_SECONDS = 15.0  # after its last heartbeat a worker is taken for dead: RQ would believe in it for minutes

# It forgets first: a full server lets a script write that began by removing something.
_BEAT = (
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', redis.call('TIME')[1]) "
    "redis.call('ZADD', KEYS[1], redis.call('TIME')[1] + ARGV[2], ARGV[1])"
)
_WORKERS = "return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. redis.call('TIME')[1], '+inf')"


def queue_name(queue: str, prefix: str) -> str:
    """Return the name of *queue* for the deployment that has *prefix*, so that two of them share none.

    >>> queue_name("trace-events", "mes_wip"), queue_name("trace-events", "staging")
    ('trace-events', 'staging:trace-events')
    """
    return queue if prefix == PREFIX else f"{prefix}:{queue}"


class Listening:
    """The workers of one queue, known by heartbeats in the time of Redis, and its jobs that may not have ended.

    *queue* is a name that `queue_name` gave.
    """

    def __init__(self, connection: Any, queue: str) -> None:
        self._connection = connection
        self._workers, self._jobs = f"mesbatch:workers:{queue}", f"mesbatch:jobs:{queue}"

    def beat(self, worker: str) -> None:
        """Say that *worker* listens, for the next 15 s."""
        self._connection.eval(_BEAT, 1, self._workers, worker, LISTENING_SECONDS)

    def leave(self, worker: str) -> None:
        self._connection.zrem(self._workers, worker)

    def workers(self) -> list[str]:
        """Return the names of the workers that listen."""
        return [name.decode() for name in self._connection.eval(_WORKERS, 1, self._workers)]

    def add_job(self, job_id: str) -> None:
        self._connection.sadd(self._jobs, job_id)

    def remove_job(self, job_id: str) -> None:
        self._connection.srem(self._jobs, job_id)

    def jobs(self) -> list[str]:
        return [job_id.decode() for job_id in self._connection.smembers(self._jobs)]
