"""A worker's run of one job: take the lease, read domain by domain, publish chunk by chunk, the manifest last."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

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
from mesbatch.jobs.job import OUT_OF_MEMORY, TIMED_OUT, code_of, ending, tell
from mesbatch.jobs.permit import NoLimit, Permit
from mesbatch.jobs.publishing import Publishing
from mesbatch.jobs.reading import DomainReading
from mesbatch.jobs.shards import Joining, failure_of, progress_of
from mesbatch.jobs.spec import JobSpec
from mesbatch.jobs.status import may_become
from mesbatch.jobs.stop import Stop, Stopped
from mesbatch.keys.collect import Keys, collect_keys
from mesbatch.store import KeyList, read_keys
from mesbatch.store.protocol import Facts, Lease, Store
from mesbatch.units import format_bytes

Outcome = Literal["finished", "failed", "cancelled", "queued", "lost", "not ours"]

MOST_STALLED = 3  # runs in a row that published nothing and died: the fourth would, too
PATIENCE_SECONDS = 60.0  # for a store that does not answer: a restart of Redis takes less
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds between two tries

T = TypeVar("T")

_logger = logging.getLogger(__name__)


def run_job(
    store: Store, job_id: str, functions: Functions, worker: str, *, settings: Mapping[str, Any] | None = None,
    stop: Stop | None = None, permit: Permit | None = None,
) -> Outcome:  # fmt: skip
    """Do the job *job_id*, or what is left of it, and say what became of it.

    ``queued`` means that it is to be run again: *stop* asked for a shutdown, or it was too large for the memory and
    gets half of it. ``not ours`` means that there was nothing to do: it has ended, or another worker is at it. Reads
    once it has *permit*. Holds what the spec allows in *max_bytes*, one chunk, and what the job's function counts.

    Never raises for what goes wrong with the job: that stands in its facts.
    """
    try:
        lease = store.acquire(job_id, worker)
    except StatusConflict:
        return settle(store, job_id)
    except (LeaseHeld, JobNotFound):
        return "not ours"
    except StoreError as error:
        if not error.retryable:
            raise  # the next worker would find the same
        return "not ours"
    stop = stop or Stop()
    run = _Run(store, lease, functions, settings or {}, stop, permit or NoLimit())
    try:
        return run.do()
    finally:
        with suppress(StoreError):
            store.release(lease)


def settle(store: Store, job_id: str) -> Outcome:
    """A job whose result is whole is finished, whatever its facts still say."""
    with suppress(StatusConflict, JobNotFound):
        if store.manifest(job_id) is not None:
            store.change(job_id, ending("finished"), only_if=may_become("finished") | {"queued"})
    return "not ours"


@dataclass
class _Run:
    store: Store
    lease: Lease
    functions: Functions
    settings: Mapping[str, Any]
    stop: Stop
    permit: Permit
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

    def _attempt(self) -> Outcome:
        try:
            if int(self.facts["stalled"]) >= MOST_STALLED:
                return self._end("failed", "job-keeps-dying", f"{MOST_STALLED} workers in a row died without a new row")
            spec = JobSpec.decode(self.facts["spec"].encode())
            with Heart(self.store, self.lease, self.stop, float(self.facts["deadline"]), self.permit):
                return self._work(spec)
        except (LeaseLost, JobNotFound):
            raise
        except MemoryError:
            return self._change(after_memory_kill(self.facts))
        except Exception as error:
            _logger.exception("job %s failed", self.lease.job_id)
            return self._give_up(error)

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

    def _work(self, spec: JobSpec) -> Outcome:
        try:
            self.stop.check()
            self._check(spec)
            function = check_call(self.functions, spec)
            if self.facts.get("children"):
                return self._join(spec, function)
            max_bytes = int(self.facts.get("max_bytes") or spec.max_bytes)
            with closing(self._keys()) as keys, self._permitted():
                publishing = Publishing(self.store, self.lease, self.facts, spec, len(keys), self._patiently)
                for domain in spec.domains:
                    DomainReading(domain, function, spec, keys, max_bytes, publishing, self.stop).read()
                publishing.finish(time.time() - float(self.facts["created_at"]))
            return self._end("finished")
        except Stopped:
            return self._stopped()

    def _join(self, spec: JobSpec, function: JobFunction) -> Outcome:
        failure = failure_of(self.store, self.facts)
        if failure is not None:
            return self._change(failure)
        joining = Joining(self.store, self.lease, self.facts, spec, self._patiently)
        joining.join(function, time.time() - float(self.facts["created_at"]), self.stop.check)
        _, progress = progress_of(self.store, self.facts)
        outcome = self._change({**ending("finished"), "progress": msgspec.json.encode(progress).decode()})
        if outcome == "finished":
            joining.clean()
        return outcome

    @contextmanager
    def _permitted(self) -> Iterator[None]:
        """While the database is read."""
        try:
            self.permit.take(self.stop)
            yield
        finally:
            self.permit.give_back()

    def _keys(self) -> Keys:
        stored = msgspec.json.decode(self.facts["keys"], type=KeyList)
        try:
            return collect_keys(read_keys(self.store, stored))
        except InvalidKey:  # of a type that is sorted in memory only, as it was when the job was submitted
            return collect_keys(list(read_keys(self.store, stored)))

    def _check(self, spec: JobSpec) -> None:
        """Refuse a job that was submitted by a process with other settings."""
        for name, value in spec.settings.items():
            if name in self.settings and self.settings[name] != value:
                raise InvalidJob(f"{name} is {value!r} where the job was submitted and {self.settings[name]!r} here")

    # -- how it ends

    def _stopped(self) -> Outcome:
        match self.stop.reason:
            case "cancel":
                return self._end("cancelled")
            case "timeout":
                return self._end("failed", TIMED_OUT, "the job did not end before its deadline")
            case "shutdown":
                return self._change({**again(), "resumed_at": "", "interruption": "worker-stopped"})
            case _:
                raise LeaseLost(f"job {self.lease.job_id} is no longer ours")

    def _give_up(self, error: Exception) -> Outcome:
        if isinstance(error, StoreUnavailable):
            return "not ours"  # nothing can be written; the lease runs out, and another worker tries
        return self._end("failed", code_of(error), tell(error))

    def _end(self, status: Literal["finished", "failed", "cancelled"], code: str = "", error: str = "") -> Outcome:
        return self._change(ending(status, code, error))

    def _change(self, changes: Facts) -> Outcome:
        try:
            self._patiently(lambda: self.store.change(self.lease.job_id, changes, token=self.lease.token))
        except (StatusConflict, StoreError):
            return "not ours"
        return changes["status"]  # type: ignore[return-value]  # one of ours

    def _fenced(self) -> Outcome:
        """Another worker has the job; or the store lost it, and everybody who asks for it shall be told."""
        with suppress(StoreError, StatusConflict):
            return self._patiently(self._declared_lost, fenced=True)
        return "not ours"

    def _declared_lost(self) -> Outcome:
        try:
            self.store.facts(self.lease.job_id)
        except JobNotFound:
            self.store.create(self.lease.job_id, lost(self.facts))
            return "lost"
        return "not ours"

    def _patiently(self, act: Callable[[], T], *, fenced: bool = False) -> T:
        """Do what the store may refuse for a while: it is restarted, or the way to it is cut."""
        until, pause = time.monotonic() + PATIENCE_SECONDS, FIRST_PAUSE
        while True:
            try:
                return act()
            except StoreUnavailable:
                if time.monotonic() > until or (self.stop.reason == "fenced" and not fenced):
                    raise
                time.sleep(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)


def after_memory_kill(facts: Facts) -> Facts:
    """What becomes of a job that was too large for the memory: once it gets half the budget, then it fails."""
    spec = JobSpec.decode(facts["spec"].encode())
    if facts.get("max_bytes"):
        budget = format_bytes(int(facts["max_bytes"]))
        return ending("failed", OUT_OF_MEMORY, f"the job was too large for the memory twice, at last with {budget}")
    return {**again(), "max_bytes": str(spec.max_bytes // 2), "interruption": OUT_OF_MEMORY}


def again() -> Facts:
    """The facts of a job that waits once more."""
    return {"status": "queued", "queued_at": f"{time.time():.3f}"}


def lost(facts: Facts) -> Facts:
    """The facts of a job whose result the store has lost."""
    kept = {name: value for name, value in facts.items() if name not in {"keys", "worker", "token", "progress"}}
    return {**kept, **ending("lost", "lost", "the store was restarted empty: the result is gone")}
