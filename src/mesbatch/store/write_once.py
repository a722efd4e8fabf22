"""A store in which nothing that counts is written twice: the name of an object holds the token of its writer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from mesbatch.errors import ChunkLost, LeaseHeld, LeaseLost, StatusConflict
from mesbatch.store.account import Chunk, Entry, ResultManifest
from mesbatch.store.claims import Claims
from mesbatch.store.fact_versions import FactVersions
from mesbatch.store.job_id import JOB_ID, check_job_id
from mesbatch.store.leases import StoredLease, StoredLeases
from mesbatch.store.lifetimes import GRACE_SECONDS, Lifetimes
from mesbatch.store.objects import Objects, numbered, of_token, read_document
from mesbatch.store.protocol import ENDED, LEASE_SECONDS, TTL_SECONDS, Facts, Lease
from mesbatch.store.sealed import seal

OPEN = "open"  # a folder with a name for each job that may not have ended; no job has this name
LOCKED_AT_ONCE = 64  # chunks: other workers, and the renewal of the lease, wait meanwhile where there are locks


class WriteOnceStore:
    """Jobs as objects, each in a folder of its own.

    A chunk, its journal entry and the manifest carry the token of the lease in their names, and readers look only at
    the names that the newest lease leads to. So the objects of a late writer are never seen, on any storage that can
    create an object if there is none; where the storage also has locks, they are not even written.
    """

    def __init__(self, objects: Objects, *, ttl: float = TTL_SECONDS, lease_seconds: float = LEASE_SECONDS) -> None:
        self.objects = objects
        self.ttl, self.lease_seconds = ttl, lease_seconds
        self._lifetimes = Lifetimes(objects, ttl)
        self._versions = FactVersions(objects, self._lifetimes)
        self._leases = StoredLeases(objects, lease_seconds)
        self._claims = Claims(objects, ttl)
        self._ended: set[str] = set()  # jobs that need not be looked at again

    # -- the job

    def create(self, job_id: str, facts: Mapping[str, str]) -> None:
        self.keep(job_id)
        if not self._versions.create(job_id, facts):
            raise StatusConflict(f"there is a job {job_id} already")
        self.objects.create(f"{OPEN}/{job_id}", b"")

    def facts(self, job_id: str) -> Facts:
        return self._versions.read(check_job_id(job_id))

    def change(
        self,
        job_id: str,
        changes: Mapping[str, str],
        *,
        only_if: Collection[str] | None = None,
        token: int | None = None,
    ) -> Facts:
        def check(before: Facts) -> None:
            _check_change(job_id, before.get("status", ""), changes, only_if)
            if token is not None:
                self._leases.check(job_id, token)

        facts = self._versions.change(check_job_id(job_id), changes, check)
        if changes.get("status") in ENDED:
            self.unlist(job_id)
        return facts

    def claim(self, name: str, job_id: str, instead_of: str | None) -> str:
        return self._claims.claim(name, job_id, instead_of)

    def job_ids(self) -> Iterator[str]:
        return (name for name in self.objects.names("") if JOB_ID.fullmatch(name))

    def open_jobs(self, *, unlisted: bool = False) -> Iterator[str]:
        listed = self.objects.names(OPEN)
        yield from filter(JOB_ID.fullmatch, listed)
        if unlisted:
            there = set(self.job_ids())
            self._ended &= there
            yield from there - self._ended - set(listed)

    def unlist(self, job_id: str) -> None:
        self.objects.remove(f"{OPEN}/{check_job_id(job_id)}")
        self._ended.add(job_id)

    def delete(self, job_id: str) -> None:
        self.unlist(job_id)
        self.objects.remove(job_id)

    def sweep(self) -> int:
        self.objects.sweep(max(GRACE_SECONDS, 4 * self.lease_seconds))
        expired = [job_id for job_id in self.job_ids() if self._lifetimes.may_be_removed(job_id)]
        for job_id in expired:
            self.delete(job_id)
        for job_id in self.job_ids():
            self._leases.sweep(job_id)
        self._claims.sweep()
        return len(expired)

    # -- its lease

    def acquire(self, job_id: str, owner: str) -> Lease:
        with self.objects.exclusive(check_job_id(job_id)):
            status = self._versions.read(job_id).get("status")
            if status in ENDED:
                raise StatusConflict(f"job {job_id} has ended: it is {status}")
            before = self._leases.newest(job_id)
            if before is not None:
                self._check_free(job_id, before)
            lease = self._leases.begin(job_id, owner, before)
            if before is not None and self._has_result(job_id, before.token):  # finished while we looked, without locks
                self._leases.withdraw(lease)
                raise StatusConflict(f"the result of job {job_id} is finished")
            self._lifetimes.renew(job_id)
        return lease

    def renew(self, lease: Lease) -> None:
        with self._fenced(lease):
            self._leases.renew(lease)
            self._lifetimes.renew(lease.job_id)

    def release(self, lease: Lease) -> None:
        try:
            with self._fenced(lease):
                self._leases.release(lease)
        except LeaseLost:
            pass

    def holder(self, job_id: str) -> str | None:
        stored = self._leases.newest(check_job_id(job_id))
        return None if stored is None or not self._leases.is_alive(job_id, stored.token) else stored.owner

    # -- its keys

    def put_keys(self, job_id: str, number: int, data: bytes) -> None:
        self.objects.replace(numbered(check_job_id(job_id), "keys", number), data)

    def keys(self, job_id: str, number: int) -> bytes | None:
        return self.objects.read(numbered(check_job_id(job_id), "keys", number))

    # -- its inputs

    def put_input(self, job_id: str, number: int, data: bytes) -> None:
        self.objects.replace(numbered(check_job_id(job_id), "inputs", number), data)

    def input(self, job_id: str, number: int) -> bytes | None:
        return self.objects.read(numbered(check_job_id(job_id), "inputs", number))

    # -- its result

    def append(self, lease: Lease, entry: Entry, data: bytes) -> Chunk:
        chunk = entry.chunk
        with self._fenced(lease):
            self._publish(of_token(lease.job_id, "chunks", chunk.token, chunk.position), data)
            self._publish(of_token(lease.job_id, "entries", chunk.token, chunk.position), seal(entry))
        return chunk

    def adopt(self, lease: Lease, entries: Sequence[Entry], source: str, chunks: Sequence[Chunk]) -> list[Chunk]:
        check_job_id(source)
        chunks, entries = chunks[:LOCKED_AT_ONCE], entries[:LOCKED_AT_ONCE]
        places = [entry.chunk for entry in entries]
        names = [of_token(lease.job_id, "chunks", place.token, place.position) for place in places]
        found = [of_token(source, "chunks", chunk.token, chunk.position) for chunk in chunks]
        sealed = [
            (of_token(lease.job_id, "entries", entry.chunk.token, entry.chunk.position), seal(entry))
            for entry in entries
        ]
        with self._fenced(lease):
            for chunk, copied in zip(chunks, self.objects.copy_all(list(zip(found, names)))):
                if not copied:
                    raise ChunkLost(f"chunk {chunk.number} of {chunk.domain!r} of job {source} is gone")
            for (name, data), created in zip(sealed, self.objects.create_all(sealed)):
                self._check_published(name, data, created=created)
        return places

    def finish(self, lease: Lease, manifest: ResultManifest, aggregation: bytes | None) -> None:
        with self._fenced(lease):
            if aggregation is not None:
                self._publish(numbered(lease.job_id, "aggregations", lease.token), aggregation)
            self._publish(numbered(lease.job_id, "results", lease.token), seal(manifest))
            # Without locks: was it still ours when the manifest was there?
            self._leases.check(lease.job_id, lease.token)
            self._lifetimes.renew(lease.job_id)

    def journal(self, job_id: str, first: int, count: int) -> Sequence[Entry]:
        stored = self._leases.newest(check_job_id(job_id))
        if stored is None:
            return []
        positions = iter(range(first, first + count))
        return list(iter(lambda: self._leases.entry(job_id, stored, next(positions, -1)), None))

    def chunk(self, job_id: str, chunk: Chunk) -> bytes | None:
        return self.objects.read(of_token(check_job_id(job_id), "chunks", chunk.token, chunk.position))

    def manifest(self, job_id: str) -> ResultManifest | None:
        token = self._result_token(check_job_id(job_id))
        if token is None:
            return None
        return read_document(self.objects, numbered(job_id, "results", token), ResultManifest)

    def aggregation(self, job_id: str) -> bytes | None:
        token = self._result_token(check_job_id(job_id))
        return None if token is None else self.objects.read(numbered(job_id, "aggregations", token))

    def whole_result(self, job_id: str) -> bytes | None:
        check_job_id(job_id)
        return None

    def hold(self, job_id: str, reader: str) -> None:
        self._lifetimes.hold(check_job_id(job_id), check_job_id(reader))

    def let_go(self, job_id: str, reader: str) -> None:
        self._lifetimes.let_go(check_job_id(job_id), check_job_id(reader))

    # -- chunks of jobs that live in another store, which has no room for them

    def put_spare(self, job_id: str, chunk: Chunk, data: bytes) -> None:
        """Keep *data*, for `chunk` to read, for another `ttl`; readers learn of it from the other store."""
        self.keep(job_id)
        self.objects.replace(of_token(job_id, "chunks", chunk.token, chunk.position), data)

    def keep(self, job_id: str) -> None:
        """Keep everything of the job for another `ttl`."""
        self._lifetimes.renew(check_job_id(job_id))

    def spare_jobs(self) -> list[str]:
        """Return the jobs of which only such chunks are here."""
        return [job_id for job_id in self.job_ids() if not self.objects.names(f"{job_id}/facts")]

    # -- checks

    @contextmanager
    def _fenced(self, lease: Lease) -> Iterator[None]:
        with self.objects.exclusive(check_job_id(lease.job_id)):
            self._leases.check(lease.job_id, lease.token)
            yield

    def _check_free(self, job_id: str, stored: StoredLease) -> None:
        if self._has_result(job_id, stored.token):
            raise StatusConflict(f"the result of job {job_id} is finished")
        if self._leases.is_alive(job_id, stored.token):
            raise LeaseHeld(f"job {job_id} is held by {stored.owner!r}, who was alive within {self.lease_seconds:g} s")

    def _has_result(self, job_id: str, token: int) -> bool:
        return self.objects.modified(numbered(job_id, "results", token)) is not None

    def _result_token(self, job_id: str) -> int | None:
        """Return the newest lease, if it left a manifest; None once the job has expired, unless it is being read."""
        token = self._leases.newest_token(job_id)
        if token is None or not self._has_result(job_id, token):
            return None
        return None if self._lifetimes.has_expired(job_id) and not self._lifetimes.is_held(job_id) else token

    def _publish(self, name: str, data: bytes) -> None:
        """Write an object, or find it written by us: an object storage that answered too late is asked twice."""
        self._check_published(name, data, created=self.objects.create(name, data))

    def _check_published(self, name: str, data: bytes, *, created: bool) -> None:
        if not created and self.objects.read(name) != data:
            raise LeaseLost(f"{name} was written by somebody else with the same lease")


def _check_change(job_id: str, status: str, changes: Mapping[str, str], only_if: Collection[str] | None) -> None:
    """Raise `StatusConflict` unless a job in *status* may have these *changes*."""
    if only_if is not None and status not in only_if:
        raise StatusConflict(f"job {job_id} is {status}, not {' or '.join(sorted(only_if))}")
    if status in ENDED and changes.get("status", status) != status:
        raise StatusConflict(f"job {job_id} has ended as {status}: it cannot become {changes['status']}")
