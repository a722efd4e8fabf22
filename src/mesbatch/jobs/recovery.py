"""Jobs that nobody runs: those that wait, and those whose worker is gone."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from mesbatch.errors import JobNotFound, LeaseLost, StatusConflict, StoreError
from mesbatch.jobs.job import ending
from mesbatch.jobs.outcome import LATE, TIMED_OUT, after_memory_kill, settle
from mesbatch.jobs.shards import all_ended, shards_of
from mesbatch.store.protocol import ENDED, Facts, Lease, Store

_logger = logging.getLogger(__name__)


def waiting_jobs(store: Store, job_ids: Iterable[str] | None = None) -> Iterator[tuple[str, Facts]]:
    """Give out the jobs that a worker may take now, the one that waits longest first.

    They are among *job_ids*, or among those in the store that may not have ended.

    Ends those that are past their deadline, were cancelled or have a whole result, if no worker is at them.
    """
    found = []
    for job_id in store.open_jobs() if job_ids is None else job_ids:
        with _passing_over(job_id):
            facts = _open_facts(store, job_id)
            if facts is not None and _is_ready(store, facts) and store.holder(job_id) is None:
                found.append((float(facts["queued_at"]), job_id, facts))
    for _, job_id, facts in sorted(found, key=lambda one: one[:2]):
        waits = False
        with _passing_over(job_id):
            waits = not end_if_due(store, job_id, facts)
        if waits:
            yield job_id, facts


def _open_facts(store: Store, job_id: str) -> Facts | None:
    """Return the facts of a job that has not ended; of another the store forgets that it may not have."""
    with suppress(JobNotFound):
        facts = store.facts(job_id)
        if facts.get("status") not in ENDED:
            return facts
    store.unlist(job_id)
    return None


def has_ended(store: Store, job_id: str) -> bool:
    """Return whether nobody needs to look for the job any more."""
    ended = False
    with _passing_over(job_id):
        try:
            ended = store.facts(job_id)["status"] in ENDED
        except JobNotFound:  # or no id at all
            ended = True
    return ended


@contextmanager
def _passing_over(job_id: str) -> Iterator[None]:
    """Log that a job cannot be read, so that others run nevertheless; raise an error that would meet every job."""
    try:
        yield
    except StoreError as error:
        if error.retryable:
            raise
        _logger.exception("job %s cannot be looked at", job_id)
    except Exception:
        _logger.exception("job %s cannot be looked at", job_id)


def _is_ready(store: Store, facts: Facts) -> bool:
    """Return whether all its keys are stored; for a job that is split, whether its shards have ended."""
    shards = shards_of(facts)
    return all_ended(store, shards) if shards else bool(facts.get("keys"))


def after_death(store: Store, job_id: str, worker: str, *, for_memory: bool) -> bool:
    """Let others in at once after the death of *worker*, if it held the job's lease; return whether it did.

    The worker of a shard that has ended may have died while it joined the shards: then that lease is meant.
    """
    with suppress(JobNotFound, StatusConflict, LeaseLost):
        facts = store.facts(job_id)
        if facts.get("worker") != worker:
            return False
        if facts["status"] in ENDED and facts.get("parent"):
            return after_death(store, facts["parent"], worker, for_memory=for_memory)
        if facts["status"] != "started":
            return False
        token = int(facts["token"])
        if facts.get("cancel"):
            store.change(job_id, ending("cancelled"), token=token)
        elif for_memory:
            store.change(job_id, after_memory_kill(facts), token=token)
        store.release(Lease(job_id, worker, token))
        return True
    return False


def fail(store: Store, job_id: str, error: str) -> None:
    """End a job that no process of ours can begin, unless another worker holds it."""
    with suppress(JobNotFound, StatusConflict):
        if store.holder(job_id) is None:
            store.change(job_id, ending("failed", "job-failed", error), only_if={"queued", "started"})


def end_if_due(store: Store, job_id: str, facts: Facts) -> bool:
    """End a job that no worker is at, if nothing is left to do for one; return whether it has ended."""
    with suppress(JobNotFound, StatusConflict):
        if store.manifest(job_id) is not None:
            settle(store, job_id)
        elif facts.get("cancel"):
            store.change(job_id, ending("cancelled"), only_if={facts["status"]})
        elif time.time() >= float(facts["deadline"]):
            store.change(job_id, ending("failed", TIMED_OUT, LATE), only_if={facts["status"]})
        else:
            return False
    return True
