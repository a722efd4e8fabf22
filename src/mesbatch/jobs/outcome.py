"""Outcomes of a run: their codes, and the facts of a job that is run again, has failed or is lost."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import Literal

from mesbatch.errors import JobNotFound, MesbatchError, StatusConflict
from mesbatch.jobs.job import ending, may_become
from mesbatch.jobs.shards import remove_shards
from mesbatch.jobs.spec import JobSpec
from mesbatch.store.protocol import Facts, Store
from mesbatch.units import format_bytes

Outcome = Literal["finished", "failed", "cancelled", "queued", "lost", "not ours"]

OUT_OF_MEMORY = "job-out-of-memory"
TIMED_OUT = "job-timeout"
LATE = "the job did not end before its deadline"


def code_of(error: BaseException) -> str:
    """Return the kind of an error in one word.

    >>> from mesbatch.errors import ChunkLost
    >>> code_of(ChunkLost("chunk 3 of history is gone")), code_of(KeyError("x"))
    ('chunk-lost', 'job-failed')
    """
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    if isinstance(error, MesbatchError):
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()
    return "job-failed"


def again() -> Facts:
    """Return the facts of a job that waits once more."""
    return {"status": "queued", "queued_at": f"{time.time():.3f}"}


def given_back(interruption: str) -> Facts:
    """Return the facts of a job that its worker gives back for no fault of the job."""
    return {**again(), "resumed_at": "", "interruption": interruption}


def after_memory_kill(facts: Facts) -> Facts:
    """Return the facts of a job that was too large for the memory: it gets half the budget once, then it fails."""
    spec = JobSpec.decode(facts["spec"].encode())
    if facts.get("max_bytes"):
        budget = format_bytes(int(facts["max_bytes"]))
        return ending("failed", OUT_OF_MEMORY, f"the job was too large for the memory twice, at last with {budget}")
    return {**again(), "max_bytes": str(spec.max_bytes // 2), "interruption": OUT_OF_MEMORY}


def lost(facts: Facts) -> Facts:
    """Return the facts of a job whose result the store has lost."""
    kept = {name: value for name, value in facts.items() if name not in {"keys", "worker", "token", "progress"}}
    return {**kept, **ending("lost", "lost", "the store was restarted empty: the result is gone")}


def settle(store: Store, job_id: str) -> None:
    """Set the status of a job whose result is whole to finished, if it is not yet, and remove its shards."""
    with suppress(StatusConflict, JobNotFound):
        if store.manifest(job_id) is not None:
            remove_shards(store, store.facts(job_id))
            store.change(job_id, ending("finished"), only_if=may_become("finished") | {"queued"})
