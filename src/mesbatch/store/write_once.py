"""A store in which nothing that matters is ever written twice: an object's name holds the token of its writer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from mesbatch.errors import ChunkLost, JobNotFound, LeaseHeld, LeaseLost, StatusConflict, StoreUnavailable
from mesbatch.store.account import Chunk, Entry, ResultManifest
from mesbatch.store.job_id import JOB_ID, check_job_id, new_job_id
from mesbatch.store.objects import Objects
from mesbatch.store.protocol import ENDED, LEASE_SECONDS, TTL_SECONDS, Facts, Lease
from mesbatch.store.sealed import seal, unseal

HOLD_SECONDS = 600.0  # after its last word a reader may still be sending a chunk to a client of 3 kB/s
GRACE_SECONDS = 60.0  # what expired a moment ago may just be opened
RELEASED = b"released"
REMEMBERED = 32  # changes that the facts know by name, so that one is made once, also by who was slow
TRIES = 100  # of one change, against others that change the same job at the same moment

Document = TypeVar("Document")


class _Segment(msgspec.Struct, frozen=True, array_like=True):
    """The chunks below position *end*, from the end of the segment before, were written under *token*."""

    token: int
    end: int


class _Term(msgspec.Struct, frozen=True):
    """A lease as it lies there: who took it, and the chunks of those before that it keeps."""

    token: int
    owner: str
    kept: list[_Segment]

    def token_at(self, position: int) -> int:
        return next((segment.token for segment in self.kept if position < segment.end), self.token)


class _Version(msgspec.Struct, frozen=True):
    """The facts after a change, and the names of the last changes that are in them."""

    facts: Facts
    changes: list[str]


class WriteOnceStore:
    """Jobs as objects, each in a folder of its own.

    A chunk, its journal entry and the manifest carry the token of the lease in their names, and readers look only at
    the names that the newest lease leads to. So what a late writer still writes is never seen, on any storage that can
    create an object if there is none; where the storage also has locks, not even written.

    Facts are versions of one document, of which the highest counts; the older ones are removed.
    """

    def __init__(self, objects: Objects, *, ttl: float = TTL_SECONDS, lease_seconds: float = LEASE_SECONDS) -> None:
        self.objects = objects
        self.ttl, self.lease_seconds = ttl, lease_seconds

    # -- the job

    def create(self, job_id: str, facts: Mapping[str, str]) -> None:
        check_job_id(job_id)
        self._live(job_id)
        if not self.objects.create(_numbered(job_id, "facts", 0), seal(_Version(dict(facts), []))):
            raise StatusConflict(f"there is a job {job_id} already")

    def facts(self, job_id: str) -> Facts:
        check_job_id(job_id)
        return self._facts(job_id)[1].facts

    def change(
        self,
        job_id: str,
        changes: Mapping[str, str],
        *,
        only_if: Collection[str] | None = None,
        token: int | None = None,
    ) -> Facts:
        check_job_id(job_id)
        change = new_job_id()
        for _ in range(TRIES):
            with self.objects.exclusive(job_id):
                version, before = self._facts(job_id)
                if change in before.changes:
                    return before.facts
                check_change(job_id, before.facts.get("status", ""), changes, only_if)
                if token is not None:
                    self._check(job_id, token)
                after = _Version({**before.facts, **changes}, [*before.changes[1 - REMEMBERED :], change])
                mine = _numbered(job_id, "facts", version + 1)
                if not self.objects.create(mine, seal(after)):
                    continue
                if change in self._facts(job_id)[1].changes:
                    self.objects.remove(_numbered(job_id, "facts", version - 1))
                    return after.facts
                self.objects.remove(mine)  # this version had been there, and was removed, while we looked at the last
        raise StoreUnavailable(f"the facts of job {job_id} were changed by others {TRIES} times in a row")

    def job_ids(self) -> Iterator[str]:
        return (name for name in self.objects.names("") if JOB_ID.fullmatch(name))

    def delete(self, job_id: str) -> None:
        self.objects.remove(check_job_id(job_id))

    def sweep(self) -> int:
        self.objects.sweep(max(GRACE_SECONDS, 4 * self.lease_seconds))
        expired = [
            job_id for job_id in self.job_ids() if not self._is_held(job_id) and self._expired(job_id, GRACE_SECONDS)
        ]
        for job_id in expired:
            self.objects.remove(job_id)
        for job_id in self.job_ids():
            self._sweep_late(job_id)
        return len(expired)

    # -- its lease

    def acquire(self, job_id: str, owner: str) -> Lease:
        check_job_id(job_id)
        with self.objects.exclusive(job_id):
            status = self._facts(job_id)[1].facts.get("status")
            if status in ENDED:
                raise StatusConflict(f"job {job_id} has ended: it is {status}")
            before = self._term(job_id)
            if before is not None:
                self._check_free(job_id, before)
            kept, last = self._resume_point(job_id, before)
            term = _Term(1 if before is None else before.token + 1, owner, kept)
            if not self.objects.create(_numbered(job_id, "leases", term.token), seal(term)):
                raise LeaseHeld(f"job {job_id} was taken by another worker at this moment")
            if before is not None and self._has_result(job_id, before.token):  # finished while we looked, without locks
                self.objects.remove(_numbered(job_id, "leases", term.token))
                raise StatusConflict(f"the result of job {job_id} is finished")
            self._live(job_id)
        length = kept[-1].end if kept else 0
        return Lease(job_id, owner, term.token, length, {} if last is None else last.domains)

    def renew(self, lease: Lease) -> None:
        with self._fenced(lease):
            self.objects.replace(_numbered(lease.job_id, "beats", lease.token), b"")
            self._live(lease.job_id)

    def release(self, lease: Lease) -> None:
        try:
            with self._fenced(lease):
                self.objects.replace(_numbered(lease.job_id, "beats", lease.token), RELEASED)
        except LeaseLost:
            pass

    def holder(self, job_id: str) -> str | None:
        term = self._term(check_job_id(job_id))
        return None if term is None or not self._is_alive(job_id, term.token) else term.owner

    # -- its keys

    def put_keys(self, job_id: str, number: int, data: bytes) -> None:
        self.objects.replace(_numbered(check_job_id(job_id), "keys", number), data)

    def keys(self, job_id: str, number: int) -> bytes | None:
        return self.objects.read(_numbered(check_job_id(job_id), "keys", number))

    # -- its result

    def append(self, lease: Lease, entry: Entry, data: bytes) -> Chunk:
        chunk = entry.chunk
        with self._fenced(lease):
            self._publish(_of_token(lease.job_id, "chunks", chunk.token, chunk.position), data)
            self._publish(_of_token(lease.job_id, "entries", chunk.token, chunk.position), seal(entry))
        return chunk

    def adopt(self, lease: Lease, entry: Entry, source: str, chunk: Chunk) -> Chunk:
        found = _of_token(check_job_id(source), "chunks", chunk.token, chunk.position)
        with self._fenced(lease):
            name = _of_token(lease.job_id, "chunks", entry.chunk.token, entry.chunk.position)
            if not self.objects.copy(found, name):
                raise ChunkLost(f"chunk {chunk.number} of {chunk.domain!r} of job {source} is gone")
            self._publish(_of_token(lease.job_id, "entries", entry.chunk.token, entry.chunk.position), seal(entry))
        return entry.chunk

    def finish(self, lease: Lease, manifest: ResultManifest, aggregation: bytes | None) -> None:
        with self._fenced(lease):
            if aggregation is not None:
                self._publish(_numbered(lease.job_id, "aggregations", lease.token), aggregation)
            self._publish(_numbered(lease.job_id, "results", lease.token), seal(manifest))
            self._check(lease.job_id, lease.token)  # without locks: was it still ours when the manifest was there?
            self._live(lease.job_id)

    def journal(self, job_id: str, first: int, count: int) -> Sequence[Entry]:
        term = self._term(check_job_id(job_id))
        if term is None:
            return []
        positions = iter(range(first, first + count))
        return list(iter(lambda: self._entry(job_id, term, next(positions, -1)), None))

    def chunk(self, job_id: str, chunk: Chunk) -> bytes | None:
        return self.objects.read(_of_token(check_job_id(job_id), "chunks", chunk.token, chunk.position))

    def manifest(self, job_id: str) -> ResultManifest | None:
        found = self._result_token(check_job_id(job_id))
        return None if found is None else self._read(_numbered(job_id, "results", found), ResultManifest)

    def aggregation(self, job_id: str) -> bytes | None:
        found = self._result_token(check_job_id(job_id))
        return None if found is None else self.objects.read(_numbered(job_id, "aggregations", found))

    def whole_result(self, job_id: str) -> bytes | None:
        check_job_id(job_id)
        return None

    def hold(self, job_id: str, reader: str) -> None:
        self.objects.replace(f"{check_job_id(job_id)}/held/{check_job_id(reader)}", b"")

    def let_go(self, job_id: str, reader: str) -> None:
        self.objects.remove(f"{check_job_id(job_id)}/held/{check_job_id(reader)}")

    # -- chunks of jobs that live in another store, which has no room for them

    def put_spare(self, job_id: str, chunk: Chunk, data: bytes) -> None:
        """Keep *data*, which `chunk` then reads, for another `ttl`; nobody sees it before the other store says so."""
        self.keep(job_id)
        self.objects.replace(_of_token(job_id, "chunks", chunk.token, chunk.position), data)

    def keep(self, job_id: str) -> None:
        """Keep everything of the job for another `ttl`."""
        self._live(check_job_id(job_id))

    def spare_jobs(self) -> list[str]:
        """The jobs of which only such chunks are here."""
        return [job_id for job_id in self.job_ids() if not self.objects.names(f"{job_id}/facts")]

    # -- what lies where

    def _live(self, job_id: str) -> None:
        self.objects.replace(f"{job_id}/life", b"")

    def _expired(self, job_id: str, grace: float = 0.0) -> bool:
        written = self.objects.modified(f"{job_id}/life")
        return written is None or written + self.ttl + grace < self.objects.now()

    def _is_held(self, job_id: str) -> bool:
        since = self.objects.now() - HOLD_SECONDS
        held = (self.objects.modified(f"{job_id}/held/{reader}") for reader in self.objects.names(f"{job_id}/held"))
        return any(written is not None and written >= since for written in held)

    def _facts(self, job_id: str) -> tuple[int, _Version]:
        for _ in range(TRIES):
            versions = self.objects.names(f"{job_id}/facts")
            if not versions or self._expired(job_id):
                raise JobNotFound(f"there is no job {job_id}, or it has expired")
            last = self._read(f"{job_id}/facts/{versions[-1]}", _Version)
            if last is not None:  # else it was replaced since we looked
                return int(versions[-1]), last
        raise StoreUnavailable(f"the facts of job {job_id} could not be read, {TRIES} times in a row")

    def _term(self, job_id: str) -> _Term | None:
        tokens = self.objects.names(f"{job_id}/leases")
        return self._read(f"{job_id}/leases/{tokens[-1]}", _Term) if tokens else None

    def _check(self, job_id: str, token: int) -> None:
        tokens = self.objects.names(f"{job_id}/leases")
        if not tokens or int(tokens[-1]) != token:
            newest = f"lease {int(tokens[-1])} is the newest" if tokens else "the store knows no lease of it"
            raise LeaseLost(f"job {job_id} is no longer ours by lease {token}: {newest}")

    @contextmanager
    def _fenced(self, lease: Lease) -> Iterator[None]:
        with self.objects.exclusive(check_job_id(lease.job_id)):
            self._check(lease.job_id, lease.token)
            yield

    def _is_alive(self, job_id: str, token: int) -> bool:
        beat = _numbered(job_id, "beats", token)
        seen = self.objects.modified(beat) or self.objects.modified(_numbered(job_id, "leases", token)) or 0.0
        return seen + self.lease_seconds > self.objects.now() and self.objects.read(beat) != RELEASED

    def _check_free(self, job_id: str, term: _Term) -> None:
        if self._has_result(job_id, term.token):
            raise StatusConflict(f"the result of job {job_id} is finished")
        if self._is_alive(job_id, term.token):
            raise LeaseHeld(f"job {job_id} is held by {term.owner!r}, who was alive within {self.lease_seconds:g} s")

    def _has_result(self, job_id: str, token: int) -> bool:
        return self.objects.modified(_numbered(job_id, "results", token)) is not None

    def _result_token(self, job_id: str) -> int | None:
        """The lease whose manifest counts: the newest. None once the job has expired, but for who reads it already."""
        tokens = self.objects.names(f"{job_id}/leases")
        if not tokens or not self._has_result(job_id, int(tokens[-1])):
            return None
        return None if self._expired(job_id) and not self._is_held(job_id) else int(tokens[-1])

    def _resume_point(self, job_id: str, term: _Term | None) -> tuple[list[_Segment], Entry | None]:
        """The longest part of the journal after which no domain stops within a key."""
        if term is None:
            return [], None
        length = term.kept[-1].end if term.kept else 0
        written = {int(name) for name in self.objects.names(f"{job_id}/entries/{term.token:08d}")}
        while length in written:
            length += 1
        last = self._entry(job_id, term, length - 1)
        while length and (last is None or not last.ends_keys):
            length -= 1
            last = self._entry(job_id, term, length - 1)
        segments = [*term.kept, _Segment(term.token, length)]
        cut = [_Segment(segment.token, min(segment.end, length)) for segment in segments]
        return [segment for at, segment in enumerate(cut) if segment.end > (cut[at - 1].end if at else 0)], last

    def _entry(self, job_id: str, term: _Term, position: int) -> Entry | None:
        if position < 0:
            return None
        return self._read(_of_token(job_id, "entries", term.token_at(position), position), Entry)

    def _read(self, name: str, kind: type[Document]) -> Document | None:
        sealed = self.objects.read(name)
        return None if sealed is None else unseal(sealed, kind, name)

    def _publish(self, name: str, data: bytes) -> None:
        """An object storage that answered too late is asked twice: what is there already must be the same."""
        if not self.objects.create(name, data) and self.objects.read(name) != data:
            raise LeaseLost(f"{name} was written by somebody else with the same lease")

    def _sweep_late(self, job_id: str) -> None:
        """Remove what was written under older leases and is not kept by the newest."""
        term = self._term(job_id)
        tokens = self.objects.names(f"{job_id}/chunks") if term is not None else []
        for token in map(int, tokens):
            if term is None or token >= term.token:
                continue
            for position in map(int, self.objects.names(f"{job_id}/chunks/{token:08d}")):
                if term.token_at(position) != token:
                    self.objects.remove(_of_token(job_id, "entries", token, position))
                    self.objects.remove(_of_token(job_id, "chunks", token, position))


def check_change(job_id: str, status: str, changes: Mapping[str, str], only_if: Collection[str] | None) -> None:
    """Raise `StatusConflict` unless a job in *status* may have these *changes*."""
    if only_if is not None and status not in only_if:
        raise StatusConflict(f"job {job_id} is {status}, not {' or '.join(sorted(only_if))}")
    if status in ENDED and changes.get("status", status) != status:
        raise StatusConflict(f"job {job_id} has ended as {status}: it cannot become {changes['status']}")


def _numbered(job_id: str, kind: str, number: int) -> str:
    return f"{job_id}/{kind}/{number:08d}"


def _of_token(job_id: str, kind: str, token: int, position: int) -> str:
    return f"{job_id}/{kind}/{token:08d}/{position:08d}"
