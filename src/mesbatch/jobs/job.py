"""What is known of a job, read from its facts in the store."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from mesbatch.errors import MesbatchError, StatementError
from mesbatch.jobs.spec import JobSpec
from mesbatch.jobs.status import TERMINAL, JobStatus
from mesbatch.store.protocol import Facts

OUT_OF_MEMORY = "job-out-of-memory"
TIMED_OUT = "job-timeout"


@dataclass(frozen=True)
class Job:
    """A job as its owner sees it.

    *created_at* and *completed_at* are seconds since 1970. *error* says why a job failed, and *code* the same in one
    word; *interruption* is the code of what ended the run before this one.
    """

    job_id: str
    status: JobStatus
    profile: str | None
    owner: str | None
    cid_count: int
    domains: tuple[str, ...]
    progress: dict[str, Any]
    created_at: float
    completed_at: float | None
    error: str | None
    code: str | None
    interruption: str | None
    cancelling: bool
    attempt: int

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL

    def elapsed(self, now: float | None = None) -> float:
        """Seconds from the submission until the end, or until *now*."""
        return max(0.0, (self.completed_at or now or time.time()) - self.created_at)

    def as_json(self) -> dict[str, Any]:
        """The answer of ``GET /job/<id>``."""
        return {
            "job_id": self.job_id,
            "status": self.status,
            "profile": self.profile,
            "cid_count": self.cid_count,
            "domains": list(self.domains),
            "progress": self.progress,
            "created_at": self.created_at,
            "elapsed_seconds": round(self.elapsed(), 3),
            "error": self.error,
            "code": self.code,
            "interruption": self.interruption,
            "cancelling": self.cancelling,
            "attempt": self.attempt,
        }


def read_job(job_id: str, facts: Facts) -> Job:
    """The job of which these are the *facts*; those of the first implementation will do."""
    progress = facts.get("progress") or "{}"
    return Job(
        job_id,
        cast("JobStatus", facts["status"]),
        facts.get("profile") or None,
        facts.get("owner") or None,
        int(facts.get("cid_count") or 0),
        tuple(filter(None, facts.get("domains", "").split(","))),
        msgspec.json.decode(progress) if progress.startswith("{") else {"text": progress},
        float(facts.get("created_at") or 0),
        float(facts["completed_at"]) if facts.get("completed_at") else None,
        facts.get("error") or None,
        facts.get("code") or None,
        facts.get("interruption") or None,
        bool(facts.get("cancel")),
        int(facts.get("attempt") or 0),
    )


def first_facts(spec: JobSpec, cid_count: int, now: float) -> Facts:
    """What is written down of a new job; the names up to *error* are those of the first implementation."""
    return {
        "status": "queued",
        "profile": spec.profile or "",
        "cid_count": str(cid_count),
        "domains": ",".join(spec.domains),
        "progress": "",
        "created_at": f"{now:.3f}",
        "completed_at": "",
        "error": "",
        "shape": spec.shape,
        "spec": spec.encode().decode(),
        "owner": spec.owner or "",
        "deadline": f"{now + spec.timeout:.3f}",
        "queued_at": f"{now:.3f}",
        "attempt": "0",
    }


def ending(status: JobStatus, code: str = "", error: str = "") -> Facts:
    """The facts of a job that ends now."""
    return {"status": status, "completed_at": f"{time.time():.3f}", "code": code, "error": error}


def code_of(error: BaseException) -> str:
    """One word for what went wrong.

    >>> from mesbatch.errors import ChunkLost
    >>> code_of(ChunkLost("chunk 3 of history is gone")), code_of(KeyError("x"))
    ('chunk-lost', 'job-failed')
    """
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    if isinstance(error, MesbatchError):
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()
    return "job-failed"


def tell(error: BaseException) -> str:
    """What the owner of a job may know: our own words, and only the first line, as drivers quote the SQL below it."""
    if isinstance(error, MesbatchError) and not isinstance(error, StatementError):
        return str(error).partition("\n")[0]
    return f"the job failed: {type(error).__name__}"
