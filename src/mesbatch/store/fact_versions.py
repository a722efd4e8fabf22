"""Facts of jobs that lie as objects: versions of one document, of which the highest counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from mesbatch.errors import JobNotFound, StoreUnavailable
from mesbatch.store.job_id import new_job_id
from mesbatch.store.lifetimes import Lifetimes
from mesbatch.store.objects import Objects, numbered, read_document
from mesbatch.store.protocol import Facts
from mesbatch.store.sealed import seal

REMEMBERED = 32  # changes that the facts know by name, so that one is made once, also by a slow process
TRIES = 100  # of one change, against others that change the same job at the same moment


class _Version(msgspec.Struct, frozen=True):
    """The facts after a change, and the names of the last changes that are in them."""

    facts: Facts
    changes: list[str]


class FactVersions:
    """The facts of each job that has not expired; a version that others replaced is removed."""

    def __init__(self, objects: Objects, lifetimes: Lifetimes) -> None:
        self._objects, self._lifetimes = objects, lifetimes

    def create(self, job_id: str, facts: Mapping[str, str]) -> bool:
        """Write the first version; False when there is one."""
        return self._objects.create(numbered(job_id, "facts", 0), seal(_Version(dict(facts), [])))

    def read(self, job_id: str) -> Facts:
        return self._newest(job_id)[1].facts

    def change(self, job_id: str, changes: Mapping[str, str], check: Callable[[Facts], None]) -> Facts:
        """Write a version with *changes*, made once however often others interfere; *check* raises to refuse it."""
        change = new_job_id()
        for _ in range(TRIES):
            with self._objects.exclusive(job_id):
                version, before = self._newest(job_id)
                if change in before.changes:
                    return before.facts
                check(before.facts)
                after = _Version({**before.facts, **changes}, [*before.changes[1 - REMEMBERED :], change])
                mine = numbered(job_id, "facts", version + 1)
                if not self._objects.create(mine, seal(after)):
                    continue
                if change in self._newest(job_id)[1].changes:
                    self._objects.remove(numbered(job_id, "facts", version - 1))
                    return after.facts
                self._objects.remove(mine)  # this version had been there, and was removed, while we looked at the last
        raise StoreUnavailable(f"the facts of job {job_id} were changed by others {TRIES} times in a row")

    def _newest(self, job_id: str) -> tuple[int, _Version]:
        for _ in range(TRIES):
            versions = self._objects.names(f"{job_id}/facts")
            if not versions or self._lifetimes.has_expired(job_id):
                raise JobNotFound(f"there is no job {job_id}, or it has expired")
            last = read_document(self._objects, f"{job_id}/facts/{versions[-1]}", _Version)
            if last is not None:  # else it was replaced since we looked
                return int(versions[-1]), last
        raise StoreUnavailable(f"the facts of job {job_id} could not be read, {TRIES} times in a row")
