"""Names of the Redis keys of a job, which deployments and their clients know."""

from __future__ import annotations

from mesbatch.store.account import Chunk
from mesbatch.store.job_id import JOB_ID, check_job_id

PREFIX = "mes_wip"  # REDIS_KEY_PREFIX


class RedisNames:
    """Names that begin with *prefix*; an id that cannot be one raises `InvalidJobId`."""

    def __init__(self, prefix: str) -> None:
        self._start = f"{prefix}:trace:job:"
        self._claims = f"{prefix}:trace:claim:"
        self.open_jobs = f"{prefix}:trace:open"  # a set of the jobs that may not have ended

    def of(self, job_id: str, *members: str) -> list[str]:
        """Return the names of *members* of the job, such as ``meta``."""
        check_job_id(job_id)
        return [f"{self._start}{job_id}:{member}" for member in members]

    def of_chunk(self, job_id: str, chunk: Chunk) -> str:
        return f"{self._start}{check_job_id(job_id)}:result:{chunk.domain}:{chunk.number}"

    def of_claim(self, name: str) -> str:
        return f"{self._claims}{name}"

    @property
    def every_job(self) -> str:
        """A pattern for the one name that every job has."""
        return f"{self._start}*:meta"

    def job_of(self, name: bytes) -> str | None:
        """Return the id of the job that a name of `every_job` belongs to; None where another program made it."""
        job_id = name.decode().removeprefix(self._start).removesuffix(":meta")
        return job_id if JOB_ID.fullmatch(job_id) else None
