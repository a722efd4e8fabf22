"""A job: its statuses, the facts that the store keeps of it, and the view that its owner gets."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import msgspec

from mesbatch.jobs.owner import marked
from mesbatch.jobs.spec import JobSpec
from mesbatch.renamed import Renamed
from mesbatch.store.protocol import ENDED, Facts
from mesbatch.trace.lines import progress_in
from mesbatch.trace.words import TRACE_WORDS, Words

JobStatus = Literal["queued", "started", "finished", "failed", "cancelled", "lost"]
STATUSES: tuple[JobStatus, ...] = get_args(JobStatus)
# A started job is queued again when its worker was stopped, or died, and another is to go on.
_BEFORE: dict[JobStatus, frozenset[JobStatus]] = {
    "queued": frozenset({"started"}),
    "started": frozenset({"queued"}),
    "finished": frozenset({"started"}),
}


def may_become(status: JobStatus) -> frozenset[JobStatus]:
    """Return the statuses from which a job may become *status*; none of `ENDED` is among them.

    >>> sorted(may_become("finished")), sorted(may_become("cancelled"))
    (['started'], ['queued', 'started'])
    """
    return _BEFORE.get(status, frozenset({"queued", "started"}))


@dataclass(frozen=True)
class Job:
    """A job as its owner sees it.

    Attributes:
        job_id: 32 hexadecimal digits that nobody can guess.
        status: ``queued``, ``started``, ``finished``, ``failed``, ``cancelled`` or ``lost``.
        profile: The profile of the request.
        owner: The principal that alone may see the job; None lets everybody.
        key_count: The number of distinct keys.
        domains: The names of the domains.
        progress: The percentage, keys, rows and bytes that are done, in all and of each domain.
        created_at: Seconds since 1970.
        completed_at: Seconds since 1970; None while it runs.
        error: The reason why the job failed, for people.
        code: The same in one word, for programs.
        interruption: The code of the reason why the run before this one ended.
        cancelling: True after `Jobs.cancel`, until the job has stopped.
        attempt: The number of this run, from 1; 0 before the first.

    >>> job = read_job("0" * 32, {"status": "queued", "created_at": "1772000000"})
    >>> job.status, job.key_count
    ('queued', 0)
    """

    job_id: str
    status: JobStatus
    profile: str | None
    owner: str | None
    key_count: int
    domains: tuple[str, ...]
    progress: dict[str, Any]
    created_at: float
    completed_at: float | None
    error: str | None
    code: str | None
    interruption: str | None
    cancelling: bool
    attempt: int

    cid_count = Renamed("key_count")

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def elapsed(self, now: float | None = None) -> float:
        """Return the seconds from the submission until the end, or until *now*."""
        return max(0.0, (self.completed_at or now or time.time()) - self.created_at)

    def as_json(self, words: Words = TRACE_WORDS) -> dict[str, Any]:
        """Return the answer of ``GET /job/<id>``, in the *words* of the routes that give it."""
        return {
            "job_id": self.job_id,
            "status": self.status,
            **({} if words.stage is None else {"profile": self.profile}),
            words.key_count: self.key_count,
            words.many: list(self.domains),
            "progress": progress_in(self.progress, words),
            "created_at": self.created_at,
            "elapsed_seconds": round(self.elapsed(), 3),
            "error": self.error,
            "code": self.code,
            "interruption": self.interruption,
            "cancelling": self.cancelling,
            "attempt": self.attempt,
        }


def read_job(job_id: str, facts: Facts) -> Job:
    """Make the job that has these *facts*, ours or those of the first implementation."""
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


def first_facts(spec: JobSpec, key_count: int, now: float) -> Facts:
    """Return the facts of a new job; the names up to *error* are those of the first implementation."""
    facts = {
        "status": "queued",
        "profile": spec.profile or "",
        "cid_count": str(key_count),
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
    return marked(facts)


def ending(status: JobStatus, code: str = "", error: str = "") -> Facts:
    """Return the facts of a job that ends now."""
    return {"status": status, "completed_at": f"{time.time():.3f}", "code": code, "error": error}
