"""What every backend of jobs does alike: check, submit, show, cancel, read the result."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hmac import compare_digest
from typing import Any, Self

import msgspec

from mesbatch.errors import InvalidKey, JobNotFound, StatusConflict
from mesbatch.jobs.function import Functions, check_call
from mesbatch.jobs.job import Job, ending, first_facts, read_job
from mesbatch.jobs.recovery import end_if_due
from mesbatch.jobs.spec import JobSpec
from mesbatch.jobs.status import may_become
from mesbatch.source.keys import CHECKED_AT_ONCE, Keys, collect_keys
from mesbatch.store import ResultReader, check_job_id, new_job_id, store_keys
from mesbatch.store.protocol import ENDED, Facts, Store


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
            return self._create({**facts, "cid_count": str(len(collected))}, collected)
        finally:
            if not isinstance(keys, Keys):
                collected.close()

    def get(self, job_id: str, *, owner: str | None = None) -> Job:
        """What is known of a job; one that nobody took before its deadline ends now."""
        facts = self._facts(job_id, owner)
        due = facts["status"] not in ENDED and time.time() > float(facts.get("deadline") or "inf")
        if due and self.store.holder(job_id) is None and end_if_due(self.store, job_id, facts):
            facts = self.store.facts(job_id)
        return read_job(job_id, facts)

    def cancel(self, job_id: str, *, owner: str | None = None) -> Job:
        """Ask a job to stop: it does within 2 s or one batch. One that has ended stays as it is."""
        self._facts(job_id, owner)
        with suppress(StatusConflict):
            facts = self.store.change(job_id, {"cancel": "1"}, only_if=may_become("cancelled"))
            if self.store.holder(job_id) is None:
                self.store.change(job_id, ending("cancelled"), only_if={"queued"})
            elif facts["status"] == "started":
                self._stop(job_id, facts)
        return read_job(job_id, self.store.facts(job_id))

    def result(self, job_id: str, *, owner: str | None = None) -> ResultReader:
        """The reader of a job's result, for pages and for the whole."""
        self._facts(job_id, owner)
        return ResultReader(self.store, job_id)

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

    def _create(self, facts: Facts, keys: Keys) -> Job:
        job_id = new_job_id()
        self.store.create(job_id, facts)
        try:
            handle = store_keys(self.store, job_id, _flat(keys))
            facts = self.store.change(job_id, {"keys": msgspec.json.encode(handle).decode()})
            self._enqueue(job_id)
        except BaseException:
            self.store.delete(job_id)
            raise
        return read_job(job_id, facts)

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
