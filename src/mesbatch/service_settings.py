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
