"""Leases stored as objects: each has a token of its own, and keeps the start of the journal of those before it."""

from __future__ import annotations

import msgspec

from mesbatch.errors import LeaseHeld, LeaseLost
from mesbatch.store.account import Entry
from mesbatch.store.objects import Objects, numbered, of_token, read_document
from mesbatch.store.protocol import Lease
from mesbatch.store.sealed import seal

RELEASED = b"released"


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """The chunks below position *end*, from the end of the segment before, which were written under *token*."""

    token: int
    end: int


class StoredLease(msgspec.Struct, frozen=True):
    """A lease in the storage: its *token*, its *owner*, and the chunks of the leases before it that it keeps."""

    token: int
    owner: str
    kept: list[Segment]

    def token_at(self, position: int) -> int:
        """Return the token under which the chunk at *position* was written."""
        return next((segment.token for segment in self.kept if position < segment.end), self.token)


class StoredLeases:
    """The leases of jobs, of which the newest counts; one that is not renewed for *lease_seconds* is free again."""

    def __init__(self, objects: Objects, lease_seconds: float) -> None:
        self._objects, self.lease_seconds = objects, lease_seconds

    def newest(self, job_id: str) -> StoredLease | None:
        tokens = self._objects.names(f"{job_id}/leases")
        return read_document(self._objects, f"{job_id}/leases/{tokens[-1]}", StoredLease) if tokens else None

    def newest_token(self, job_id: str) -> int | None:
        tokens = self._objects.names(f"{job_id}/leases")
        return int(tokens[-1]) if tokens else None

    def check(self, job_id: str, token: int) -> None:
        """Raise `LeaseLost` unless *token* is the newest."""
        newest = self.newest_token(job_id)
        if newest != token:
            known = "the store knows no lease of it" if newest is None else f"lease {newest} is the newest"
            raise LeaseLost(f"job {job_id} is no longer ours by lease {token}: {known}")

    def begin(self, job_id: str, owner: str, before: StoredLease | None) -> Lease:
        """Take the lease after *before*; it keeps the journal up to the last end of a key.

        Raises:
            LeaseHeld: another worker was faster.
        """
        kept, last = self._keep(job_id, before)
        stored = StoredLease(1 if before is None else before.token + 1, owner, kept)
        if not self._objects.create(numbered(job_id, "leases", stored.token), seal(stored)):
            raise LeaseHeld(f"job {job_id} was taken by another worker at this moment")
        length = kept[-1].end if kept else 0
        return Lease(job_id, owner, stored.token, length, {} if last is None else last.domains)

    def withdraw(self, lease: Lease) -> None:
        """Give back a lease that should not have been taken."""
        self._objects.remove(numbered(lease.job_id, "leases", lease.token))

    def renew(self, lease: Lease) -> None:
        self._objects.replace(numbered(lease.job_id, "beats", lease.token), b"")

    def release(self, lease: Lease) -> None:
        self._objects.replace(numbered(lease.job_id, "beats", lease.token), RELEASED)

    def is_alive(self, job_id: str, token: int) -> bool:
        beat = numbered(job_id, "beats", token)
        seen = self._objects.modified(beat) or self._objects.modified(numbered(job_id, "leases", token)) or 0.0
        return seen + self.lease_seconds > self._objects.now() and self._objects.read(beat) != RELEASED

    def entry(self, job_id: str, stored: StoredLease, position: int) -> Entry | None:
        """Return the entry of the journal at *position* as *stored* knows it; None where there is none."""
        if position < 0:
            return None
        return read_document(self._objects, of_token(job_id, "entries", stored.token_at(position), position), Entry)

    def sweep(self, job_id: str) -> None:
        """Remove the chunks of older leases that the newest does not keep."""
        stored = self.newest(job_id)
        tokens = self._objects.names(f"{job_id}/chunks") if stored is not None else []
        for token in map(int, tokens):
            if stored is None or token >= stored.token:
                continue
            for position in map(int, self._objects.names(f"{job_id}/chunks/{token:08d}")):
                if stored.token_at(position) != token:
                    self._objects.remove(of_token(job_id, "entries", token, position))
                    self._objects.remove(of_token(job_id, "chunks", token, position))

    def _keep(self, job_id: str, stored: StoredLease | None) -> tuple[list[Segment], Entry | None]:
        """Return the longest part of the journal after which no domain stops within a key, and its last entry."""
        if stored is None:
            return [], None
        length = stored.kept[-1].end if stored.kept else 0
        written = {int(name) for name in self._objects.names(f"{job_id}/entries/{stored.token:08d}")}
        while length in written:
            length += 1
        last = self.entry(job_id, stored, length - 1)
        while length and (last is None or not last.ends_keys):
            length -= 1
            last = self.entry(job_id, stored, length - 1)
        segments = [*stored.kept, Segment(stored.token, length)]
        cut = [Segment(segment.token, min(segment.end, length)) for segment in segments]
        return [segment for at, segment in enumerate(cut) if segment.end > (cut[at - 1].end if at else 0)], last
