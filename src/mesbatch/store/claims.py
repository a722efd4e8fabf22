"""Names that belong to one job at a time, as objects that are never written twice."""

from __future__ import annotations

import re

from mesbatch.store.job_id import check_job_id
from mesbatch.store.objects import Objects

CLAIMS = "claims"  # a folder with a folder for each name; no job has this name
NAME = re.compile(r"[0-9a-f]{64}")


class Claims:
    """Claims by name: the highest number below a name belongs to the job that has it now."""

    def __init__(self, objects: Objects, ttl: float) -> None:
        self._objects, self._ttl = objects, ttl

    def claim(self, name: str, job_id: str, instead_of: str | None) -> str:
        """Give *name* to *job_id* if it belongs to *instead_of*; return the job that it belongs to now."""
        folder = f"{CLAIMS}/{check_name(name)}"
        check_job_id(job_id)
        while True:
            numbers = self._objects.names(folder)
            holder = self._holder(folder, numbers)
            if holder != instead_of and holder is not None:
                return holder
            mine = f"{int(numbers[-1]) + 1 if numbers else 1:08d}"
            if not self._objects.create(f"{folder}/{mine}", job_id.encode()):
                continue  # somebody was faster
            if self._objects.names(folder)[-1] != mine:  # our number was used, and removed, before
                self._objects.remove(f"{folder}/{mine}")
                continue
            for number in numbers:
                self._objects.remove(f"{folder}/{number}")
            return job_id

    def sweep(self) -> None:
        """Remove the claims that are older than any job that nobody renews."""
        before = self._objects.now() - 2 * self._ttl
        for name in self._objects.names(CLAIMS):
            folder = f"{CLAIMS}/{name}"
            times = [self._objects.modified(f"{folder}/{number}") for number in self._objects.names(folder)]
            if all(at is None or at < before for at in times):
                self._objects.remove(folder)

    def _holder(self, folder: str, numbers: list[str]) -> str | None:
        found = self._objects.read(f"{folder}/{numbers[-1]}") if numbers else None
        return None if found is None else found.decode()


def check_name(name: str) -> str:
    """Return *name*, or raise ValueError for one that is no digest."""
    if not NAME.fullmatch(name):
        raise ValueError(f"a claim's name is a SHA-256 in 64 hexadecimal digits, got {name[:80]!r}")
    return name
