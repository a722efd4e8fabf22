"""Plan of the memory of one machine: shares of the system, Redis, the web server and the workers."""

from __future__ import annotations

from dataclasses import dataclass

from mesbatch.errors import InvalidLimit
from mesbatch.units import GiB, MiB, format_bytes

SMALLEST = 1 * GiB
SYSTEM_BYTES, SYSTEM_SHARE = 384 * MiB, 1 / 8  # the kernel, sshd, a log daemon, and some file cache
REDIS_BYTES, REDIS_SHARE = 1 * GiB, 1 / 6  # eight results at once, each with 128 MiB there and the rest on disk
PROCESS_BYTES = 80 * MiB  # an interpreter with SQLAlchemy, Flask, RQ and a driver
THREAD_BYTES = 4 * MiB  # for an ordinary route
ANSWER_BYTES = 16 * MiB  # beside max_bytes: two lines of 5,000 rows, the encoder, gzip
ENQUEUE_ABOVE = 0.8  # of MemoryMax: above, admission takes no new work
HIGH_SHARE = 7 / 8  # of MemoryMax: above, the kernel slows processes down
STEP = 16 * MiB


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan in bytes; *system* + *redis* + *web* + *worker_count* x *worker* is *total*.

    Attributes:
        total: The memory of the machine.
        system: The rest, for the system.
        redis: The memory of Redis.
        web: MemoryMax of the unit of the web processes.
        worker: MemoryMax of the unit of a worker.
        worker_count: Workers for jobs.
        workers: Processes of gunicorn.
        threads: Threads of each of them.
        permits: Readers at once, on the whole machine.
        max_bytes: Bytes that one read may hold.
        job_limit: Bytes for ``mesbatch worker --memory-limit``.

    >>> plan = make_plan(7 * GiB)
    >>> plan.workers, plan.worker_count, plan.sum == plan.total
    (2, 2, True)
    """

    total: int
    system: int
    redis: int
    web: int
    worker: int
    worker_count: int
    workers: int
    threads: int
    permits: int
    max_bytes: int
    job_limit: int

    @property
    def sum(self) -> int:
        return self.system + self.redis + self.web + self.worker_count * self.worker

    def __str__(self) -> str:
        rows = [
            ("the system", self.system, ""),
            ("Redis", self.redis, "maxmemory, noeviction"),
            ("web", self.web, f"MemoryMax; MemoryHigh {_mega(int(self.web * HIGH_SHARE))}"),
            *[
                (f"worker {number + 1}", self.worker, f"MemoryMax; MemoryHigh {_mega(int(self.worker * HIGH_SHARE))}")
                for number in range(self.worker_count)
            ],
            ("sum", self.sum, ""),
        ]
        table = "\n".join(f"{name:12}{_mega(nbytes):>8}  {more}".rstrip() for name, nbytes, more in rows)
        return (
            f"{table}\n\nGUNICORN_WORKERS={self.workers}\nGUNICORN_THREADS={self.threads}\n"
            f"DB_SLOW_MAX_CONCURRENT={self.permits}  # permits, for the machine\n"
            f"TRACE_WORKER_COUNT={self.worker_count}\nmax_bytes={format_bytes(self.max_bytes)}  # of a read\n"
            f"mesbatch worker --memory-limit {_mega(self.job_limit)}iB"
        )


def make_plan(total: int) -> Plan:
    """Plan a machine of *total* bytes.

    Args:
        total: Bytes of the machine.

    Raises:
        InvalidLimit: it is too small to be shared.

    >>> plan = make_plan(7 * GiB)
    >>> plan.sum == plan.total, plan.workers, plan.threads, plan.permits
    (True, 2, 4, 6)
    """
    if total < SMALLEST:
        raise InvalidLimit(f"a machine of {format_bytes(total)} is too small: {format_bytes(SMALLEST)} at least")
    system = max(SYSTEM_BYTES, _step(int(total * SYSTEM_SHARE)))
    redis = min(REDIS_BYTES, _step(int(total * REDIS_SHARE)))
    rest = total - system - redis
    worker_count = 2 if rest >= 4 * GiB else 1
    worker = _step(rest // 2 // worker_count)
    web = rest - worker_count * worker
    workers, threads = (2, 4) if web >= 768 * MiB else (1, 4)
    free = int(web * ENQUEUE_ABOVE) - workers * (PROCESS_BYTES + threads * THREAD_BYTES)
    max_bytes = 8 * MiB if free >= 4 * (8 * MiB + ANSWER_BYTES) else 4 * MiB
    spare = 2 if workers * threads > 4 else 1  # threads for the other routes
    permits = max(1, min(workers * threads - spare, free // (max_bytes + ANSWER_BYTES)))
    return Plan(
        total, system, redis, web, worker, worker_count, workers, threads, permits, max_bytes,
        _step(int(worker * ENQUEUE_ABOVE)),
    )  # fmt: skip


def _step(nbytes: int) -> int:
    return nbytes // STEP * STEP


def _mega(nbytes: int) -> str:
    """Write a size as systemd and Redis do, with M for 2 to the 20th."""
    return f"{nbytes // MiB}M"
