"""What every backend of jobs does alike: check, submit, show, cancel, read the result."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from hmac import compare_digest
from itertools import islice
from typing import Any, Self

import msgspec

from mesbatch.errors import InvalidKey, JobNotFound, StatusConflict
from mesbatch.jobs.function import Functions, check_call
from mesbatch.jobs.job import Job, first_facts, read_job
from mesbatch.jobs.recovery import end_if_due
from mesbatch.jobs.shards import children_of, progress_of
from mesbatch.jobs.spec import JobSpec
from mesbatch.jobs.status import may_become
from mesbatch.keys.collect import CHECKED_AT_ONCE, Keys, collect_keys
from mesbatch.sink.stream import ByteStream
from mesbatch.store import ResultReader, check_job_id, new_job_id, store_keys
from mesbatch.store.protocol import ENDED, Facts, Store
from mesbatch.store.stored_lines import stored_lines


class Jobs(ABC):
    """Jobs that outlive the request that submits them.

    *functions* is the allow-list: what a job may call, by name. *app*, a ``module:object``, is where a worker's process
    finds this object, and with it *functions*, *store* and *settings*. Every method that takes a job id raises
    `InvalidJobId` for a text that cannot be one, and `JobNotFound` for the job of another *owner*.
    """

    def __init__(
        self, functions: Functions, store: Store, *, app: str, settings: Mapping[str, Any] | None = None
    ) -> None:
        self.functions, self.store, self.app = dict(functions), store, app
        self.settings = dict(settings or {})

    def submit(self, spec: JobSpec, keys: Iterable[Any] | Keys) -> Job:
        """Accept a job for *keys*; they are stored once, in order, and go into no queue.

        Holds a reference to every key of a collection, and 10,000 keys of an iterator.

        Raises:
            InvalidJob: the function is not allowed, or its arguments do not fit.
            InvalidKey: a key that no row can have, one that is neither text nor an integer, or no key at all.
            NoWorker: nobody would run it.
        """
        check_call(self.functions, spec)
        facts = first_facts(spec, 0, time.time())
        collected = collect_keys(keys)
        try:
            if collected.key_type not in (str, int):
                got = "none" if collected.key_type is None else collected.key_type.__name__
                raise InvalidKey(f"a job is for one key or more, all text or all integers; got {got}")
            self.check_listening()
            return self._create(spec, {**facts, "cid_count": str(len(collected))}, collected)
        finally:
            if not isinstance(keys, Keys):
                collected.close()

    def get(self, job_id: str, *, owner: str | None = None) -> Job:
        """What is known of a job; one that nobody took before its deadline ends now."""
        facts = self._facts(job_id, owner)
        due = facts["status"] not in ENDED and time.time() > float(facts.get("deadline") or "inf")
        if due and self.store.holder(job_id) is None and end_if_due(self.store, job_id, facts):
            facts = self.store.facts(job_id)
        if not (facts["status"] == "queued" and children_of(facts)):
            return read_job(job_id, facts)
        begun, progress = progress_of(self.store, facts)
        return replace(read_job(job_id, facts), status="started" if begun else "queued", progress=progress)

    def cancel(self, job_id: str, *, owner: str | None = None) -> Job:
        """Ask a job to stop: it does within 2 s or one batch. One that has ended stays as it is."""
        for child in children_of(self._facts(job_id, owner)):
            with suppress(JobNotFound):
                self.cancel(child, owner=owner)
        with suppress(StatusConflict):
            facts = self.store.change(job_id, {"cancel": "1"}, only_if=may_become("cancelled"))
            if self.store.holder(job_id) is None:
                end_if_due(self.store, job_id, facts)
            elif facts["status"] == "started":
                self._stop(job_id, facts)
        return read_job(job_id, self.store.facts(job_id))

    def result(self, job_id: str, *, owner: str | None = None) -> ResultReader:
        """The reader of a job's result, for pages and for the whole."""
        self._facts(job_id, owner)
        return ResultReader(self.store, job_id)

    def lines(self, job_id: str, *, owner: str | None = None, from_: int = 0) -> ByteStream:
        """The job's NDJSON stream from its *from_*-th ``records`` line on, until the job's end; see `stored_lines`."""
        self._facts(job_id, owner)
        return stored_lines(self.store, job_id, from_=from_)

    @abstractmethod
    def check_listening(self) -> None:
        """Raise `NoWorker` when a job that is submitted now would wait for nobody."""

    @abstractmethod
    def close(self) -> None:
        """Give back what this object holds in this process; may be called twice. Jobs go on where others run them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @abstractmethod
    def _enqueue(self, job_id: str) -> None:
        """See to it that a worker runs the job."""

    @abstractmethod
    def _stop(self, job_id: str, facts: Facts) -> None:
        """Tell the worker of a started job to look at once whether it is to stop."""

    def _create(self, spec: JobSpec, facts: Facts, keys: Keys) -> Job:
        job_id, shards = new_job_id(), min(spec.shards, len(keys))
        parts = [new_job_id() for _ in range(shards)] if shards > 1 else []
        try:
            stored = self._store_parts(job_id, parts, spec, facts, keys) if parts else None
            return read_job(job_id, stored or self._store_job(job_id, facts, _flat(keys)))
        except BaseException:
            for one in (job_id, *parts):
                self.store.delete(one)
            raise

    def _store_parts(self, job_id: str, parts: list[str], spec: JobSpec, facts: Facts, keys: Keys) -> Facts:
        """A job for each range of keys, and one that waits for them."""
        self.store.create(job_id, facts)
        shared = {**facts, "parent": job_id, "spec": replace(spec, shards=1).encode().decode()}
        flat, total = _flat(keys), len(keys)
        for number, part in enumerate(parts):
            count = total * (number + 1) // len(parts) - total * number // len(parts)
            self._store_job(part, {**shared, "cid_count": str(count)}, islice(flat, count))
        facts = self.store.change(job_id, {"children": ",".join(parts)})
        self._await_parts(job_id)
        return facts

    def _store_job(self, job_id: str, facts: Facts, keys: Iterator[Any]) -> Facts:
        self.store.create(job_id, facts)
        handle = store_keys(self.store, job_id, keys)
        facts = self.store.change(job_id, {"keys": msgspec.json.encode(handle).decode()})
        self._enqueue(job_id)
        return facts

    @abstractmethod
    def _await_parts(self, job_id: str) -> None:
        """See to it that a worker joins the parts of the job once they have ended."""

    def _facts(self, job_id: str, owner: str | None) -> Facts:
        """The facts of a job that *owner* may see.

        Raises:
            JobNotFound: there is none; the same for another's.
        """
        check_job_id(job_id)  # before the store is asked at all
        facts = self.store.facts(job_id)
        theirs = facts.get("owner") or ""
        if theirs and not compare_digest(theirs.encode(), (owner or "").encode()):
            raise JobNotFound(f"there is no job {job_id}, or it has expired")
        return facts


def _flat(keys: Keys) -> Iterator[Any]:
    for some in keys.slices(lambda: CHECKED_AT_ONCE):
        yield from some
