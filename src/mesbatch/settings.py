"""Settings of a deployment: its environment, read once at the application's edge into one frozen object."""

from __future__ import annotations

import logging
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

from mesbatch.errors import InvalidSetting, PolicyError
from mesbatch.units import MiB

if TYPE_CHECKING:
    from mesbatch.admission import AdmissionPolicy, MachineLimiter
    from mesbatch.jobs import Jobs
    from mesbatch.jobs.function import Functions

READER_BYTES = 8 * MiB  # the max_bytes of a reader
REDIS_RESULT_BYTES = 128 * MiB  # of one result in Redis, so that eight large ones fit its 1 GiB
REDIS_PATIENCE_SECONDS = 3.0  # a waiting request holds a thread; a worker tries again for a minute by itself
SECRET = frozenset({"redis_url"})  # it may carry a password
# These decide how a result is stored; a worker with other values would write a result that the web does not expect.
SHARED = ("batch_size", "job_ttl", "redis_key_prefix")

_logger = logging.getLogger(__name__)


def count(text: str) -> int:
    value = int(text)
    if value < 1 or not text.strip().isdigit():
        raise ValueError("it must be a whole number above 0")
    return value


def any_count(text: str) -> int:
    if not text.strip().isdigit():
        raise ValueError("it must be a whole number, and not negative")
    return int(text)


def seconds(text: str) -> float:
    value = float(text)
    if not isfinite(value) or value <= 0:
        raise ValueError("it must be a number above 0")
    return value


def milliseconds(text: str) -> float:
    return seconds(text) / 1_000


def switch(text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if text.strip().lower() not in words:
        raise ValueError("it must be true or false")
    return words[text.strip().lower()]


def word(text: str) -> str:
    if not text or text != text.strip() or not text.isprintable() or " " in text:
        raise ValueError("it must be one word")
    return text


def redis_url(text: str) -> str:
    if urlsplit(text).scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("it must be a URL that begins with redis://, rediss:// or unix://")
    return text


def setting(name: str, parse: Callable[[str], Any], default: str) -> Any:
    return field(default=parse(default), metadata={"name": name, "parse": parse, "text": default})


class Deployment(ABC):
    """Settings that every kind of deployment has, by whatever variables it reads."""

    batch_size: int
    fetch_size: int
    call_timeout: float
    max_concurrent: int
    job_ttl: float
    job_timeout: float
    worker_queue: str
    worker_count: int
    worker_enabled: bool
    domains_at_once: int
    parallel: int
    redis_url: str
    redis_key_prefix: str

    @abstractmethod
    def policy(self) -> AdmissionPolicy:
        """Make the policy of admission, with the thresholds of this deployment."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read *environ*, or ``os.environ``. A variable that is empty counts as not set.

        Raises:
            InvalidSetting: a variable has a value that it cannot have; the message shows it, unless it may be a secret.
        """
        found = os.environ if environ is None else environ
        return cls(
            **{one.name: _read(one, text) for one in cls.variables() if (text := found.get(one.metadata["name"]))}
        )

    def __repr__(self) -> str:
        shown = (
            f"{one.name}={'***' if one.name in SECRET else repr(getattr(self, one.name))}" for one in self.variables()
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    def limiter(self, directory: Path | None = None) -> MachineLimiter:
        """Make permits for all processes of this machine, *max_concurrent* readers of 8 MiB, kept in *directory*."""
        from mesbatch.admission import MachineLimiter

        path = private_directory(directory) / "permits"
        return MachineLimiter(path, self.max_concurrent, self.max_concurrent * READER_BYTES)

    def jobs(self, functions: Functions, *, app: str, directory: Path | None = None, unmarked: bool = True) -> Jobs:
        """Make the jobs of RQ's workers where workers are enabled, else those of this process.

        The log, and `Jobs.chosen`, say which and why.

        Redis holds 128 MiB of a result; the rest of it, and every result without Redis, is kept in *directory*, which
        the web server and all workers must share. *app* is the ``module:object`` where a worker's process finds the
        jobs that this returns. *unmarked* is that of `Jobs`: false once no job of the first implementation is left.
        """
        from mesbatch.store import DirectoryStore

        store = DirectoryStore(private_directory(directory) / "jobs", ttl=self.job_ttl)
        if not self.worker_enabled:
            from mesbatch.jobs import LocalJobs

            local = LocalJobs(
                functions, store, app=app, settings=self.shared(), workers=self.worker_count, unmarked=unmarked
            )
            off = self.variable("worker_enabled")
            why = f"{off} is false: {self.worker_count} at once in processes of their own"
            return _chosen(local, f"LocalJobs, because {why}, with results in {store.path}")
        from mesbatch.jobs.rq import RQJobs
        from mesbatch.store.redis import RedisStore

        redis_store = RedisStore(
            self.redis_url, prefix=self.redis_key_prefix, ttl=self.job_ttl, max_bytes=REDIS_RESULT_BYTES,
            overflow=store, patience=REDIS_PATIENCE_SECONDS,
        )  # fmt: skip
        jobs = RQJobs(
            functions, redis_store, app=app, url=self.redis_url, queue=self.worker_queue, settings=self.shared(),
            unmarked=unmarked,
        )  # fmt: skip
        why = f"{self.variable('worker_enabled')} is true: workers of the queue {jobs.queue.name!r}"
        return _chosen(jobs, f"RQJobs, because {why}, with results in the Redis of {self.variable('redis_url')}")

    def read_options(self) -> dict[str, Any]:
        """Give the options of `Trace.read`: ``trace.read(con, keys, **settings.read_options())``."""
        return {
            "domains_at_once": self.domains_at_once,
            "parallel": self.parallel,
            "batch_size": self.fetch_size,
            "timeout": self.call_timeout,
        }

    def shared(self) -> dict[str, Any]:
        """Give the settings that web and workers must share, by variable; a worker refuses a job with others."""
        return {self.variable(name): getattr(self, name) for name in SHARED}

    @classmethod
    def variables(cls) -> tuple[Field[Any], ...]:
        """List the settings, each with its variable's name and default as text."""
        return fields(cast("Any", cls))

    def variable(self, name: str) -> str:
        """Give the environment's name of the setting *name*."""
        return next(str(one.metadata["name"]) for one in self.variables() if one.name == name)


@dataclass(frozen=True, repr=False)
class Settings(Deployment):
    """Variables that a deployment of the trace may set, with the defaults of the incident's designers.

    Times are in seconds. A general service has `mesbatch.service_settings.ServiceSettings`, and neither reads the
    other's variables.

    Args:
        cid_limit: ``TRACE_EVENTS_CID_LIMIT``: keys above which a request is refused where no worker listens.
        async_threshold: ``TRACE_ASYNC_CID_THRESHOLD``: keys above which a request becomes a job.
        cache_limit: ``EVENT_FETCHER_CACHE_SKIP_CID_THRESHOLD``: keys up to which an answer may be cached.
        fetch_size: ``DB_SLOW_FETCHMANY_SIZE``: the most rows of a batch.
        batch_size: ``TRACE_STREAM_BATCH_SIZE``: the most rows of a line, and of a stored chunk.
        call_timeout: ``DB_SLOW_CALL_TIMEOUT_MS``: seconds for one round trip to the database; the variable has
            milliseconds.
        max_concurrent: ``DB_SLOW_MAX_CONCURRENT``: readers at once.
        job_ttl: ``TRACE_JOB_TTL_SECONDS``: seconds that a job stays after its last sign of life.
        job_timeout: ``TRACE_JOB_TIMEOUT_SECONDS``: seconds from the submission of a job to its end.
        worker_queue: ``TRACE_WORKER_QUEUE``: the queue of the workers.
        worker_count: ``TRACE_WORKER_COUNT``: workers, or local jobs at once.
        worker_enabled: ``TRACE_WORKER_ENABLED``: False makes no jobs.
        domains_at_once: ``TRACE_EVENTS_MAX_WORKERS``: domains of a trace that are read at once.
        parallel: ``EVENT_FETCHER_MAX_WORKERS``: parts of a domain that are read at once.
        redis_url: ``REDIS_URL``: the server of results and jobs.
        redis_key_prefix: ``REDIS_KEY_PREFIX``: the beginning of all keys there.
        gunicorn_workers: ``GUNICORN_WORKERS``: processes of the web server.
        gunicorn_threads: ``GUNICORN_THREADS``: threads of each of them.
        gunicorn_timeout: ``GUNICORN_TIMEOUT``: seconds after which gunicorn ends a process that does not answer.

    Raises:
        InvalidSetting: the threshold of the cache is above that of jobs.

    >>> settings = Settings.from_env({"TRACE_EVENTS_CID_LIMIT": "80000", "REDIS_URL": "redis://:secret@host/0"})
    >>> settings.cid_limit, settings.call_timeout, "secret" in repr(settings)
    (80000, 300.0, False)
    """

    cid_limit: int = setting("TRACE_EVENTS_CID_LIMIT", any_count, "50000")
    async_threshold: int = setting("TRACE_ASYNC_CID_THRESHOLD", any_count, "20000")
    cache_limit: int = setting("EVENT_FETCHER_CACHE_SKIP_CID_THRESHOLD", any_count, "10000")
    fetch_size: int = setting("DB_SLOW_FETCHMANY_SIZE", count, "5000")
    batch_size: int = setting("TRACE_STREAM_BATCH_SIZE", count, "5000")
    call_timeout: float = setting("DB_SLOW_CALL_TIMEOUT_MS", milliseconds, "300000")
    max_concurrent: int = setting("DB_SLOW_MAX_CONCURRENT", count, "5")
    job_ttl: float = setting("TRACE_JOB_TTL_SECONDS", seconds, "3600")
    job_timeout: float = setting("TRACE_JOB_TIMEOUT_SECONDS", seconds, "1800")
    worker_queue: str = setting("TRACE_WORKER_QUEUE", word, "trace-events")
    worker_count: int = setting("TRACE_WORKER_COUNT", count, "1")
    worker_enabled: bool = setting("TRACE_WORKER_ENABLED", switch, "false")
    domains_at_once: int = setting("TRACE_EVENTS_MAX_WORKERS", count, "2")
    parallel: int = setting("EVENT_FETCHER_MAX_WORKERS", count, "2")
    redis_url: str = setting("REDIS_URL", redis_url, "redis://localhost:6379/0")
    redis_key_prefix: str = setting("REDIS_KEY_PREFIX", word, "mes_wip")
    gunicorn_workers: int = setting("GUNICORN_WORKERS", count, "2")
    gunicorn_threads: int = setting("GUNICORN_THREADS", count, "4")
    gunicorn_timeout: int = setting("GUNICORN_TIMEOUT", count, "360")

    def __post_init__(self) -> None:
        try:
            self.policy()
        except PolicyError as error:
            raise InvalidSetting(
                f"EVENT_FETCHER_CACHE_SKIP_CID_THRESHOLD={self.cache_limit} and TRACE_ASYNC_CID_THRESHOLD="
                f"{self.async_threshold} must ascend"
            ) from error

    def policy(self) -> AdmissionPolicy:
        """Make the policy of the trace, with these thresholds."""
        from mesbatch.admission import AdmissionPolicy, trace_rules

        return AdmissionPolicy(
            trace_rules(
                cache_limit=self.cache_limit, async_threshold=self.async_threshold, cid_limit=self.cid_limit
            )
        )  # fmt: skip


def variables(kind: type[Deployment] = Settings) -> dict[str, str]:
    """Give the name of every variable of some *kind* of settings, with its default as it is written."""
    return {one.metadata["name"]: one.metadata["text"] for one in kind.variables()}


def private_directory(directory: Path | None = None) -> Path:
    """Make *directory*, or one below the system's temporary directory, for this user alone, unless it is there."""
    found = directory or Path(tempfile.gettempdir(), f"mesbatch-{os.geteuid()}")
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def _chosen(jobs: Jobs, told: str) -> Jobs:
    jobs.chosen = told
    _logger.info("jobs are %s", told)
    return jobs


def _read(one: Field[Any], text: str) -> Any:
    name = one.metadata["name"]
    try:
        return one.metadata["parse"](text)
    except (ValueError, OverflowError) as error:
        shown = "a value" if one.name in SECRET else f"{text[:60]!r}"
        raise InvalidSetting(f"{name} has {shown} that it cannot have: {error}") from None
