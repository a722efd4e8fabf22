"""A worker's run of one job, and of the join of its shards where it was the last of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import mesbatch.keys.examine  # noqa: F401  # every keyed read needs it: so a process has it before its job is there
from mesbatch.errors import JobNotFound, StoreError
from mesbatch.jobs.function import Functions
from mesbatch.jobs.limit import ReadLimit
from mesbatch.jobs.outcome import Outcome
from mesbatch.jobs.run import run_job
from mesbatch.jobs.shards import all_ended, shards_of
from mesbatch.jobs.stop import Stop
from mesbatch.store.protocol import ENDED, Store


def run_and_join(
    store: Store, job_id: str, functions: Functions, worker: str, *, settings: Mapping[str, Any] | None = None,
    stop: Stop | None = None, limit: ReadLimit | None = None,
) -> Outcome:  # fmt: skip
    """Do as `run_job`, and return its outcome; if *job_id* was the last shard of a job to end, then run that job, too.

    So no other process has to find it and to start. Where this one dies or is stopped meanwhile, another joins the
    shards, as ever.

    Raises:
        StoreError: as `run_job`, for either of the two.
    """
    stop = stop or Stop()
    outcome = run_job(store, job_id, functions, worker, settings=settings, stop=stop, limit=limit)
    if outcome in ENDED and not stop.asked:
        whole = _ready_to_join(store, job_id)
        if whole is not None:
            run_job(store, whole, functions, worker, settings=settings, stop=stop, limit=limit)
    return outcome


def _ready_to_join(store: Store, job_id: str) -> str | None:
    """Return the job of which *job_id* is a shard, once all its shards have ended; None where the store cannot tell."""
    with suppress(JobNotFound, StoreError):
        whole = store.facts(job_id).get("parent")
        if whole:
            shards = shards_of(store.facts(whole))
            return whole if shards and all_ended(store, shards) else None
    return None
