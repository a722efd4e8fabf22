"""Jobs that nobody runs: those that wait, and those whose worker is gone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from mesbatch.errors import JobNotFound, StatusConflict
from mesbatch.jobs.job import TIMED_OUT, ending
from mesbatch.jobs.run import after_memory_kill, settle
from mesbatch.store.protocol import ENDED, Facts, Lease, Store


def waiting_jobs(store: Store, job_ids: Iterable[str] | None = None) -> Iterator[tuple[str, Facts]]:
    """The jobs, of *job_ids* or of all, that a worker may take now, those that wait longest first.

    Ends those that are past their deadline, were cancelled or have a whole result, and that no worker is at.
    """
    found = []
    for job_id in store.job_ids() if job_ids is None else job_ids:
        with suppress(JobNotFound):
            facts = store.facts(job_id)
            if facts.get("status") not in ENDED and facts.get("keys") and store.holder(job_id) is None:
                found.append((float(facts["queued_at"]), job_id, facts))
    for _, job_id, facts in sorted(found, key=lambda one: one[:2]):
        if not end_if_due(store, job_id, facts):
            yield job_id, facts


def after_death(store: Store, job_id: str, worker: str, *, for_memory: bool) -> bool:
    """Let others in at once where *worker*, which held the job's lease, is known to be dead; whether it had held it."""
    with suppress(JobNotFound, StatusConflict):
        facts = store.facts(job_id)
        if facts.get("worker") != worker or facts["status"] != "started":
            return False
        token = int(facts["token"])
        if facts.get("cancel"):
            store.change(job_id, ending("cancelled"), token=token)
        elif for_memory:
            store.change(job_id, after_memory_kill(facts), token=token)
        store.release(Lease(job_id, worker, token))
        return True
    return False


def end_if_due(store: Store, job_id: str, facts: Facts) -> bool:
    """End a job that no worker is at, where nothing is left to do for one; whether it has ended."""
    with suppress(JobNotFound, StatusConflict):
        if store.manifest(job_id) is not None:
            settle(store, job_id)
        elif facts.get("cancel"):
            store.change(job_id, ending("cancelled"), only_if={facts["status"]})
        elif time.time() >= float(facts["deadline"]):
            error = "the job did not end before its deadline"
            store.change(job_id, ending("failed", TIMED_OUT, error), only_if={facts["status"]})
        else:
            return False
    return True
