"""Lifetimes of jobs that lie as objects: each is kept after its last sign of life, and while it is read."""

from __future__ import annotations

from mesbatch.store.objects import Objects

HOLD_SECONDS = 600.0  # after its last word a reader may still be sending a chunk to a client of 3 kB/s
GRACE_SECONDS = 60.0  # a job that expired a moment ago may just be opened


class Lifetimes:
    """The signs of life of jobs, by the storage's clock; a job expires *ttl* seconds after the last."""

    def __init__(self, objects: Objects, ttl: float) -> None:
        self._objects, self.ttl = objects, ttl

    def renew(self, job_id: str) -> None:
        self._objects.replace(f"{job_id}/life", b"")

    def has_expired(self, job_id: str) -> bool:
        written = self._objects.modified(f"{job_id}/life")
        return written is None or written + self.ttl < self._objects.now()

    def may_be_removed(self, job_id: str) -> bool:
        """Return whether the job expired some time ago and is read by nobody; a new one is as old as its folder."""
        if self.is_held(job_id):
            return False
        written = self._objects.modified(f"{job_id}/life") or self._objects.modified(job_id)
        return written is None or written + self.ttl + GRACE_SECONDS < self._objects.now()

    def hold(self, job_id: str, reader: str) -> None:
        self._objects.replace(f"{job_id}/held/{reader}", b"")

    def let_go(self, job_id: str, reader: str) -> None:
        self._objects.remove(f"{job_id}/held/{reader}")

    def is_held(self, job_id: str) -> bool:
        since = self._objects.now() - HOLD_SECONDS
        held = (self._objects.modified(f"{job_id}/held/{reader}") for reader in self._objects.names(f"{job_id}/held"))
        return any(written is not None and written >= since for written in held)
