"""A worker's run of one job: take the lease, read domain by domain, publish chunk by chunk, the manifest last."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from mesbatch.errors import (
    InvalidJob,
    InvalidKey,
    JobNotFound,
    LeaseHeld,
    LeaseLost,
    StatusConflict,
    StoreError,
    StoreUnavailable,
)
from mesbatch.jobs.function import Functions, JobFunction, check_call
from mesbatch.jobs.heart import Heart
from mesbatch.jobs.job import ending, may_become
from mesbatch.jobs.limit import ReadLimit
from mesbatch.jobs.outcome import LATE, TIMED_OUT, Outcome, after_memory_kill, code_of, given_back, lost, settle
from mesbatch.jobs.patience import Patience
from mesbatch.jobs.publishing import Publishing
from mesbatch.jobs.reading import DomainReading
from mesbatch.jobs.shards import Joining, failure_of, progress_of, remove_shards
from mesbatch.jobs.spec import JobSpec
from mesbatch.jobs.stop import INTERRUPTIONS, Stop, Stopped
from mesbatch.keys.collect import Keys, collect_keys
from mesbatch.problem import tell
from mesbatch.store import KeyList, read_keys
from mesbatch.store.protocol import Facts, Lease, Store

MOST_STALLED = 3  # runs in a row that published nothing and died: the fourth would, too

_logger = logging.getLogger(__name__)


def run_job(
    store: Store, job_id: str, functions: Functions, worker: str, *, settings: Mapping[str, Any] | None = None,
    stop: Stop | None = None, limit: ReadLimit | None = None,
) -> Outcome:  # fmt: skip
    """Do the job *job_id*, or the rest of it, and return its outcome.

    ``queued`` means that it is to be run again: *stop* asked for that, or it was too large for the memory and gets half
    of it. ``not ours`` means that there was nothing to do: it has ended, or another worker is at it. Reads while it
    holds a permit of *limit*. Holds rows of *max_bytes* of the spec, one chunk, and the counts of the job's function.

    An error of the job is not raised: it stands in its facts.

    Raises:
        StoreError: the store is not to be trusted, or has lost a part of the job, so that no worker could do it.
    """
    try:
        lease = store.acquire(job_id, worker)
    except StatusConflict:
        settle(store, job_id)
        return "not ours"
    except (LeaseHeld, JobNotFound):
        return "not ours"
    except StoreError as error:
        if not error.retryable:
            raise
        return "not ours"
    stop = stop or Stop()
    run = _Run(store, lease, functions, settings or {}, stop, limit or ReadLimit(), Patience(stop))
    try:
        return run.do()
    finally:
        with suppress(StoreError):
            store.release(lease)


@dataclass
class _Run:
    store: Store
    lease: Lease
    functions: Functions
    settings: Mapping[str, Any]
    stop: Stop
    limit: ReadLimit
    patiently: Patience
    facts: Facts = field(default_factory=dict)

    def do(self) -> Outcome:
        try:
            self.facts = self._begin()
        except (StatusConflict, LeaseLost, JobNotFound, StoreError):
            return "not ours"
        try:
            return self._attempt()
        except (LeaseLost, JobNotFound):
            return self._fenced()

    def _begin(self) -> Facts:
        facts = self.store.facts(self.lease.job_id)
        stalled = int(facts.get("stalled") or 0) + 1 if facts.get("resumed_at") == str(self.lease.length) else 0
        began = {
            "status": "started",
            "attempt": str(int(facts.get("attempt") or 0) + 1),
            "worker": self.lease.owner,
            "token": str(self.lease.token),
            "pid": str(os.getpid()),
            "resumed_at": str(self.lease.length),
            "stalled": str(stalled),
            "interruption": facts.get("interruption") or ("worker-died" if facts["status"] == "started" else ""),
        }
        return self.store.change(
            self.lease.job_id, began, only_if=may_become("started") | {"started"}, token=self.lease.token
        )

    def _attempt(self) -> Outcome:
        try:
            if int(self.facts["stalled"]) >= MOST_STALLED:
                return self._end("failed", "job-keeps-dying", f"{MOST_STALLED} workers in a row died without a new row")
            spec = JobSpec.decode(self.facts["spec"].encode())
            with Heart(self.store, self.lease, self.stop, float(self.facts["deadline"]), self.limit):
                return self._work(spec)
        except (LeaseLost, JobNotFound):
            raise
        except MemoryError:
            return self._change(after_memory_kill(self.facts))
        except Exception as error:
            _logger.exception("job %s failed", self.lease.job_id)
            return self._give_up(error)

    def _work(self, spec: JobSpec) -> Outcome:
        try:
            self.stop.check()
            self._check(spec)
            function = check_call(self.functions, spec)
            if self.facts.get("children"):
                return self._join(spec, function)
            self._read(spec, function)
            return self._end("finished")
        except Stopped:
            return self._stopped()

    def _check(self, spec: JobSpec) -> None:
        """Refuse a job that was submitted by a process with other settings."""
        for name, value in spec.settings.items():
            if name in self.settings and self.settings[name] != value:
                raise InvalidJob(f"{name} is {value!r} where the job was submitted and {self.settings[name]!r} here")

    def _read(self, spec: JobSpec, function: JobFunction) -> None:
        max_bytes = int(self.facts.get("max_bytes") or spec.max_bytes)
        with self._keys() as keys, self.limit.held(self.stop):
            publishing = Publishing(self.store, self.lease, self.facts, spec, keys, self.patiently, self.stop)
            for domain in spec.domains:
                DomainReading(domain, function, spec, keys, max_bytes, publishing, self.stop).read()
            publishing.finish(self._elapsed, max_bytes)

    @contextmanager
    def _keys(self) -> Iterator[Keys | None]:
        stored = msgspec.json.decode(self.facts["keys"], type=KeyList | None)
        if stored is None:
            yield None
            return
        try:
            keys = collect_keys(read_keys(self.store, stored))
        except InvalidKey:  # of a type that is sorted in memory only, as it was when the job was submitted
            keys = collect_keys(list(read_keys(self.store, stored)))
        with closing(keys):
            yield keys

    def _join(self, spec: JobSpec, function: JobFunction) -> Outcome:
        """Join the results of the shards of this job."""
        failure = failure_of(self.store, self.facts)
        if failure is not None:
            return self._change(failure)
        _, progress = progress_of(self.store, self.facts)
        told = {"progress": msgspec.json.encode(progress).decode()}
        self.patiently(lambda: self.store.change(self.lease.job_id, told, token=self.lease.token))
        joining = Joining(self.store, self.lease, self.facts, spec, self.patiently)
        joining.join(function, self._elapsed, self.stop.check)
        # The result is whole. Whoever finds it after our death does the rest; see `settle`.
        remove_shards(self.store, self.facts)
        return self._end("finished")

    def _elapsed(self) -> float:
        return time.time() - float(self.facts["created_at"])

    # -- how it ends

    def _stopped(self) -> Outcome:
        match self.stop.reason:
            case "cancel":
                return self._end("cancelled")
            case "timeout":
                return self._end("failed", TIMED_OUT, LATE)
            case "shutdown" | "permit-lost" as reason:
                return self._change(given_back(INTERRUPTIONS[reason]))
            case _:
                raise LeaseLost(f"job {self.lease.job_id} is no longer ours")

    def _give_up(self, error: Exception) -> Outcome:
        if isinstance(error, StoreUnavailable):
            return "not ours"  # nothing can be written; the lease runs out, and another worker tries
        return self._end("failed", code_of(error), tell(error, "job"))

    def _end(self, status: Literal["finished", "failed", "cancelled"], code: str = "", error: str = "") -> Outcome:
        return self._change(ending(status, code, error))

    def _change(self, changes: Facts) -> Outcome:
        try:
            self.patiently(lambda: self.store.change(self.lease.job_id, changes, token=self.lease.token))
        except (StatusConflict, StoreError):
            return "not ours"
        return changes["status"]  # type: ignore[return-value]  # one of ours

    def _fenced(self) -> Outcome:
        """Leave the job to another worker; where the store lost it, write down that it is lost."""
        with suppress(StoreError, StatusConflict):
            return self.patiently(self._declared_lost, fenced=True)
        return "not ours"

    def _declared_lost(self) -> Outcome:
        try:
            self.store.facts(self.lease.job_id)
        except JobNotFound:
            self.store.create(self.lease.job_id, lost(self.facts))
            return "lost"
        return "not ours"
