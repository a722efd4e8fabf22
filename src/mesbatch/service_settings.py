"""Settings of a general service: variables that begin with ``MESBATCH_``, none of which the trace reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesbatch.errors import InvalidSetting, PolicyError
from mesbatch.settings import Deployment, any_count, count, redis_url, seconds, setting, switch, word

if TYPE_CHECKING:
    from mesbatch.admission import AdmissionPolicy


@dataclass(frozen=True, repr=False)
class ServiceSettings(Deployment):
    """Variables that a deployment of an ordinary dashboard may set; times are in seconds.

    Args:
        key_limit: ``MESBATCH_KEY_LIMIT``: keys above which a request is refused where no worker listens.
        async_threshold: ``MESBATCH_ASYNC_THRESHOLD``: keys above which a request becomes a job.
        cache_limit: ``MESBATCH_CACHE_LIMIT``: keys up to which an answer may be cached.
        fetch_size: ``MESBATCH_FETCH_SIZE``: the most rows of a batch.
        batch_size: ``MESBATCH_BATCH_SIZE``: the most rows of a line, and of a stored chunk.
        call_timeout: ``MESBATCH_CALL_TIMEOUT_SECONDS``: seconds for one query.
        max_concurrent: ``MESBATCH_MAX_CONCURRENT``: readers at once.
        job_ttl: ``MESBATCH_JOB_TTL_SECONDS``: seconds that a job stays after its last sign of life.
        job_timeout: ``MESBATCH_JOB_TIMEOUT_SECONDS``: seconds from the submission of a job to its end.
        worker_queue: ``MESBATCH_WORKER_QUEUE``: the queue of the workers.
        worker_count: ``MESBATCH_WORKER_COUNT``: workers, or local jobs at once.
        worker_enabled: ``MESBATCH_WORKER_ENABLED``: False runs jobs in processes of this machine, without RQ.
        domains_at_once: ``MESBATCH_QUERIES_AT_ONCE``: queries of a request that are read at once.
        parallel: ``MESBATCH_PARALLEL``: parts of a query that are read at once.
        redis_url: ``MESBATCH_REDIS_URL``: the server of results and jobs.
        redis_key_prefix: ``MESBATCH_REDIS_KEY_PREFIX``: the beginning of all keys there.

    Raises:
        InvalidSetting: the thresholds of the number of keys do not ascend.

    >>> settings = ServiceSettings.from_env({"MESBATCH_KEY_LIMIT": "80000", "TRACE_EVENTS_CID_LIMIT": "1"})
    >>> settings.key_limit, settings.call_timeout
    (80000, 300.0)
    """

    key_limit: int = setting("MESBATCH_KEY_LIMIT", any_count, "50000")
    async_threshold: int = setting("MESBATCH_ASYNC_THRESHOLD", any_count, "20000")
    cache_limit: int = setting("MESBATCH_CACHE_LIMIT", any_count, "10000")
    fetch_size: int = setting("MESBATCH_FETCH_SIZE", count, "5000")
    batch_size: int = setting("MESBATCH_BATCH_SIZE", count, "5000")
    call_timeout: float = setting("MESBATCH_CALL_TIMEOUT_SECONDS", seconds, "300")
    max_concurrent: int = setting("MESBATCH_MAX_CONCURRENT", count, "5")
    job_ttl: float = setting("MESBATCH_JOB_TTL_SECONDS", seconds, "3600")
    job_timeout: float = setting("MESBATCH_JOB_TIMEOUT_SECONDS", seconds, "1800")
    worker_queue: str = setting("MESBATCH_WORKER_QUEUE", word, "jobs")
    worker_count: int = setting("MESBATCH_WORKER_COUNT", count, "1")
    worker_enabled: bool = setting("MESBATCH_WORKER_ENABLED", switch, "false")
    domains_at_once: int = setting("MESBATCH_QUERIES_AT_ONCE", count, "2")
    parallel: int = setting("MESBATCH_PARALLEL", count, "2")
    redis_url: str = setting("MESBATCH_REDIS_URL", redis_url, "redis://localhost:6379/0")
    redis_key_prefix: str = setting("MESBATCH_REDIS_KEY_PREFIX", word, "mesbatch")

    def __post_init__(self) -> None:
        try:
            self.policy()
        except PolicyError as error:
            raise InvalidSetting(
                f"MESBATCH_CACHE_LIMIT={self.cache_limit}, MESBATCH_ASYNC_THRESHOLD={self.async_threshold} and "
                f"MESBATCH_KEY_LIMIT={self.key_limit} must ascend"
            ) from error

    def policy(self) -> AdmissionPolicy:
        """Make the policy of `result_blueprint`, with these thresholds."""
        from mesbatch.admission import result_policy

        return result_policy(
            cache_limit=self.cache_limit, async_threshold=self.async_threshold, key_limit=self.key_limit
        )  # fmt: skip
