"""The base of every backend of jobs: check, submit, show, cancel, read the result."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

import msgspec

from mesbatch.errors import CorruptChunk, InvalidJob, InvalidKey, JobNotFound, StatusConflict
from mesbatch.jobs.function import Functions, check_call
from mesbatch.jobs.job import Job, first_facts, may_become, read_job
from mesbatch.jobs.owner import may_see, owner_text
from mesbatch.jobs.ranges import shares
from mesbatch.jobs.recovery import end_if_due
from mesbatch.jobs.sameness import Sameness
from mesbatch.jobs.shards import progress_of, shards_of
from mesbatch.jobs.spec import JobSpec
from mesbatch.keys.collect import Keys, collect_keys, flat
from mesbatch.sink.stream import ByteStream
from mesbatch.store import ResultReader, check_job_id, new_job_id, store_keys
from mesbatch.store.inputs import check_inputs, store_inputs
from mesbatch.store.protocol import ENDED, Facts, Store
from mesbatch.store.stored_lines import stored_lines

READY_SECONDS = 2.0  # between the claim of a submission and its keys there are milliseconds
READY_PAUSE = 0.02

_logger = logging.getLogger(__name__)


class Jobs(ABC):
    """Jobs that outlive the request that submits them; `LocalJobs` and `RQJobs` are the kinds of them.

    Every method that takes a job id raises `InvalidJobId` for a text that cannot be one, and `JobNotFound` for the
    job of another *owner*, and for a job of ours that has lost its facts.

    Args:
        functions: The allow-list: the functions that a job may call, by name.
        store: The store of the jobs and their results.
        app: The place from which a worker imports this object, as ``module:object``.
        settings: Values that a worker's own settings must equal.
        unmarked: False hides jobs of the first implementation, which have no owner.

    Attributes:
        chosen: The backend that `Settings.jobs` has chosen, and why.

    >>> def progress_of_mine(jobs: Jobs, job_id: str) -> float:
    ...     return jobs.get(job_id, owner="ann").progress["percent"]
    """

    chosen = ""

    def __init__(
        self,
        functions: Functions,
        store: Store,
        *,
        app: str,
        settings: Mapping[str, Any] | None = None,
        unmarked: bool = True,
    ) -> None:
        self.functions, self.store, self.app = dict(functions), store, app
        self.settings = dict(settings or {})
        self.unmarked = unmarked

    def submit(
        self, spec: JobSpec, keys: Iterable[Any] | Keys | None = None, *, inputs: Mapping[str, Any] | None = None,
        again: bool = False,
    ) -> Job:  # fmt: skip
        """Accept a job for *keys*; they are stored once, in order, and go into no queue. None is a job without keys.

        *inputs* are what is too large for the arguments, by name: JSON, bytes, or a binary file, which is read to its
        end; 256 MiB in all. They are stored once beside the keys, and the function opens one as ``work.inputs[name]``.

        The same submission while its job waits or runs, such as a double click, is that job: same are all members of
        *spec*, with its owner, the keys, and the inputs by their checksums. With *again* it is a new job in any case.

        Holds a reference to every key of a collection, and 10,000 keys of an iterator; and 1 MiB of an input.

        Raises:
            InvalidJob: the function is not allowed, its arguments do not fit, or an input is no JSON or too large; or a
                job without keys is to have shards, or another order than that of its query.
            InvalidKey: a key that no row can have, or no key at all.
            NoWorker: nobody would run it.
        """
        check_call(self.functions, spec)
        if spec.owner == "":
            raise InvalidJob("an owner must not be empty: a job for everybody has the owner None")
        check_inputs(inputs or {})
        self._expect(spec)
        facts = first_facts(spec, 0, time.time())
        if keys is None:
            _check_without_keys(spec)
            self.check_listening()
            return self._create(spec, {**facts, "cid_count": ""}, None, inputs or {}, again=again)
        collected = collect_keys(keys)
        try:
            if not len(collected):
                raise InvalidKey("a job is for one key or more; got none")
            self.check_listening()
            return self._create(spec, {**facts, "cid_count": str(len(collected))}, collected, inputs or {}, again=again)
        finally:
            if not isinstance(keys, Keys):
                collected.close()

    def get(self, job_id: str, *, owner: str | None = None) -> Job:
        """Return a job as it is now; one that no worker took before its deadline has failed."""
        facts = self._facts(job_id, owner)
        due = facts["status"] not in ENDED and time.time() > float(facts.get("deadline") or "inf")
        if due and self.store.holder(job_id) is None and end_if_due(self.store, job_id, facts):
            facts = self.store.facts(job_id)
        if not (facts["status"] == "queued" and shards_of(facts)):
            return read_job(job_id, facts)
        begun, progress = progress_of(self.store, facts)
        return replace(read_job(job_id, facts), status="started" if begun else "queued", progress=progress)

    def cancel(self, job_id: str, *, owner: str | None = None) -> Job:
        """Ask a job to stop, which takes up to 2 s or one batch. A job that has ended stays as it is."""
        for shard in shards_of(self._facts(job_id, owner)):
            with suppress(JobNotFound):
                self.cancel(shard, owner=owner)
        with suppress(StatusConflict):
            facts = self.store.change(job_id, {"cancel": "1"}, only_if=may_become("cancelled"))
            if self.store.holder(job_id) is None:
                end_if_due(self.store, job_id, facts)
            elif facts["status"] == "started":
                self._stop(job_id, facts)
        return read_job(job_id, self.store.facts(job_id))

    def result(self, job_id: str, *, owner: str | None = None) -> ResultReader:
        """Return the reader of a job's result, for pages and for the whole."""
        self._facts(job_id, owner)
        return ResultReader(self.store, job_id)

    def lines(self, job_id: str, *, owner: str | None = None, from_: int = 0) -> ByteStream:
        """Return the job's NDJSON stream from its *from_*-th ``records`` line to the job's end; see `stored_lines`."""
        self._facts(job_id, owner)
        return stored_lines(self.store, job_id, from_=from_)

    def attend(self) -> None:
        """Begin with the part of a web process in these jobs, before its first request; may be called twice."""
        return

    @abstractmethod
    def check_listening(self) -> None:
        """Raise `NoWorker` when a job that is submitted now would wait for nobody."""

    @abstractmethod
    def close(self) -> None:
        """Give back connections and threads of this object; may be called twice. Jobs of other processes go on."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _expect(self, spec: JobSpec) -> None:
        """Make ready for a job that is about to be stored."""
        return

    @abstractmethod
    def _enqueue(self, job_id: str) -> None:
        """Let a worker run the job."""

    @abstractmethod
    def _stop(self, job_id: str, facts: Facts) -> None:
        """Tell the worker of a started job to look at once for the request to stop."""

    def _create(
        self, spec: JobSpec, facts: Facts, keys: Keys | None, inputs: Mapping[str, Any], *, again: bool
    ) -> Job:  # fmt: skip
        """Store the job, and let a worker run it, unless the same one waits or runs already."""
        job_id, count = new_job_id(), 0 if keys is None else min(spec.shards, len(keys))
        shards = [new_job_id() for _ in range(count)] if count > 1 else []
        try:
            self.store.create(job_id, facts)
            same = Sameness(spec)
            if inputs:  # no worker takes the job before its keys are there, too
                handles = store_inputs(self.store, job_id, inputs)
                same.add_inputs(handles)
                facts = self.store.change(job_id, {"inputs": _encode(handles)})
            ready = self._store(job_id, shards, spec, facts, keys, same)
            twin = None if again else self._twin(same.hexdigest(), job_id, spec.owner)
            if twin is None:
                return read_job(job_id, self._begin(job_id, ready))
        except BaseException:
            self._forget_job(job_id, shards)
            raise
        self._forget_job(job_id, shards)
        return twin

    def _forget_job(self, job_id: str, shards: list[str]) -> None:
        for one in (job_id, *shards):
            self.store.delete(one)

    def _store(
        self, job_id: str, shards: list[str], spec: JobSpec, facts: Facts, keys: Keys | None, same: Sameness
    ) -> dict[str, Facts]:  # fmt: skip
        """Store the keys of the job or of its shards; return the facts, by job, with which workers may take them.

        A job with shards waits for them; its inputs are theirs, too.
        """
        if keys is None:
            return {job_id: {"keys": _encode(None)}}
        hashed = same.passing(flat(keys))
        if not shards:
            return {job_id: self._store_keys(job_id, hashed)}
        shared = {**facts, "parent": job_id, "spec": replace(spec, shards=1).encode().decode()}
        ready = {}
        for shard, share in zip(shards, shares(hashed, len(keys), len(shards))):
            self.store.create(shard, shared)
            ready[shard] = self._store_keys(shard, share)
        return {**ready, job_id: {"children": ",".join(ready)}}

    def _store_keys(self, job_id: str, keys: Iterator[Any]) -> Facts:
        handle = store_keys(self.store, job_id, keys)
        return {"keys": _encode(handle), "cid_count": str(handle.count)}

    def _begin(self, job_id: str, ready: Mapping[str, Facts]) -> Facts:
        """Let workers take the job, or its shards and then the job itself; return its facts."""
        for one, more in ready.items():
            facts = self.store.change(one, more)
            if "keys" in more:
                self._enqueue(one)
            else:
                self._await_shards(one)
        return facts

    def _twin(self, name: str, job_id: str, owner: str | None) -> Job | None:
        """Return the same job, which waits or runs; None where *job_id* is now the one."""
        instead_of = None
        while (holder := self.store.claim(name, job_id, instead_of)) != job_id:
            if (twin := self._running(holder, owner)) is not None:
                return twin
            instead_of = holder
        return None

    def _has_begun(self, facts: Facts) -> bool:
        """Return whether a submission came to its end, so that a worker will find the job."""
        return "keys" in facts or "children" in facts

    def _running(self, job_id: str, owner: str | None) -> Job | None:
        """Return a job that has not ended, nor will at once; None for one whose submission stopped half way."""
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                job, facts = self.get(job_id, owner=owner), self.store.facts(job_id)
            except JobNotFound:
                return None
            if job.ended or job.cancelling:
                return None
            if self._has_begun(facts):
                return job
            if time.monotonic() > until:
                return None
            time.sleep(READY_PAUSE)

    @abstractmethod
    def _await_shards(self, job_id: str) -> None:
        """Let a worker join the results of a split job once its shards have ended."""

    def _facts(self, job_id: str, owner: str | None) -> Facts:
        """Return the facts of a job that *owner* may see.

        Raises:
            JobNotFound: there is no such job, or it is another's.
        """
        check_job_id(job_id)  # before the store is asked at all
        asking = None if owner in {None, ""} else owner_text(owner)
        try:
            facts = self.store.facts(job_id)
        except CorruptChunk as error:
            _logger.exception("the facts of job %s cannot be read: it is there for nobody", job_id)
            raise _no_job(job_id) from error
        if not may_see(facts, asking, unmarked=self.unmarked):
            raise _no_job(job_id)
        return facts


def _check_without_keys(spec: JobSpec) -> None:
    if spec.shards > 1:
        raise InvalidJob(f"shards={spec.shards}: they are ranges of keys, and this job has none")
    if spec.order != "key":
        raise InvalidJob(f"order={spec.order!r}: it reads ranges of keys, and this job has none")


def _encode(handle: object) -> str:
    return msgspec.json.encode(handle).decode()


def _no_job(job_id: str) -> JobNotFound:
    return JobNotFound(f"there is no job {job_id}, or it has expired")
