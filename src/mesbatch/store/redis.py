"""Jobs in Redis or Valkey, in the keys that deployments and their clients know."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, islice, takewhile
from typing import Any, Self

import msgspec

from mesbatch.errors import ChunkLost, LeaseHeld, StatusConflict
from mesbatch.store import redis_scripts
from mesbatch.store.account import Chunk, DomainAccount, Entry, ResultManifest
from mesbatch.store.claims import check_name
from mesbatch.store.job_id import check_job_id, new_job_id
from mesbatch.store.legacy import contract_meta
from mesbatch.store.lifetimes import HOLD_SECONDS
from mesbatch.store.protocol import LEASE_SECONDS, TTL_SECONDS, Facts, Lease
from mesbatch.store.redis_chunks import AT_ONCE, RedisChunks, in_lists, lost_chunk
from mesbatch.store.redis_facts import ENDED_JSON, RedisFacts, lost_lease, no_job
from mesbatch.store.redis_legacy import LegacyResults
from mesbatch.store.redis_names import PREFIX, RedisNames
from mesbatch.store.redis_server import RedisServer
from mesbatch.store.sealed import seal, unseal
from mesbatch.store.write_once import WriteOnceStore
from mesbatch.store.writer import read_journal
from mesbatch.units import MiB

MAX_BYTES = 512 * MiB  # of one result: the 114,000-CID job has 440
PATIENCE = 30.0  # seconds without Redis that a job survives
SLACK_SECONDS = 60.0  # chunks outlive the manifest, so that a reader who finds it finds them


class RedisStore:
    """Jobs in a Redis or Valkey server.

    A chunk is one value, so the server holds the whole result. Clients of the first implementation find the keys
    that they know, except for chunks that overflowed; its results can be read, too. Holds one chunk.

    A warning is logged when the server may evict keys: chunks would get lost, which readers notice but cannot mend.

    Args:
        server: A URL, or a client of redis-py that stays yours, such as that of a Sentinel; it must not decode answers.
        prefix: The beginning of all keys.
        ttl: Seconds that a job stays after its last sign of life.
        lease_seconds: Seconds without a sign of life after which another worker may take a job over.
        max_bytes: Bytes of the chunks of one job in the server.
        overflow: The store of further chunks; without one, publishing raises `ResultStoreFull`.
        patience: Seconds for which a call tries again while the server does not answer.

    Raises:
        StoreRefused: the client of a Redis Cluster, where the keys of a job lie apart, or one that decodes answers.
    """

    def __init__(
        self,
        server: str | Any,
        *,
        prefix: str = PREFIX,
        ttl: float = TTL_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        max_bytes: int = MAX_BYTES,
        overflow: WriteOnceStore | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.ttl, self.lease_seconds = ttl, lease_seconds
        self._server, self._names = RedisServer(server, patience), RedisNames(prefix)
        self.prefix = prefix
        self._facts = RedisFacts(self._server, self._names)
        self._chunks = RedisChunks(self._server, self._names, max_bytes, overflow)
        self._legacy = LegacyResults(self._server, self._names)
        self._ended: set[str] = set()  # jobs that need not be looked at again

    def close(self) -> None:
        """Close the connections; may be called twice."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # -- the job

    def create(self, job_id: str, facts: Mapping[str, str]) -> None:
        self._facts.create(job_id, facts, self._long)

    def facts(self, job_id: str) -> Facts:
        return self._facts.read(job_id)

    def change(
        self,
        job_id: str,
        changes: Mapping[str, str],
        *,
        only_if: Collection[str] | None = None,
        token: int | None = None,
    ) -> Facts:
        return self._facts.change(job_id, changes, only_if, token, self._long)

    def claim(self, name: str, job_id: str, instead_of: str | None) -> str:
        key = self._names.of_claim(check_name(name))
        answer = self._server.run(redis_scripts.CLAIM, [key], instead_of or "", check_job_id(job_id), 2 * self._long)
        return str(answer.decode())

    def job_ids(self) -> Iterator[str]:
        return self._facts.job_ids()

    def open_jobs(self, *, unlisted: bool = False) -> Iterator[str]:
        listed = self._facts.open_jobs()
        yield from listed
        if unlisted:
            there = set(self.job_ids())
            self._ended &= there
            yield from there - self._ended - set(listed)

    def unlist(self, job_id: str) -> None:
        self._facts.unlist(check_job_id(job_id))
        self._ended.add(job_id)

    def delete(self, job_id: str) -> None:
        chunks = [self._names.of_chunk(job_id, entry.chunk) for entry in self._entries(job_id)]
        members = ["meta", "facts", "lease", "journal", "result", "result:meta", "result:index", "result:aggregation"]
        for names in in_lists([*self._names.of(job_id, *members), *chunks, *self._parts(job_id)]):
            self._server("unlink", *names)
        self._facts.unlist(job_id)
        self._chunks.delete_overflow(job_id)

    def sweep(self) -> int:
        """Remove the overflowed chunks of jobs that are gone; Redis itself removes expired keys."""
        self._facts.forget_expired()
        return self._chunks.sweep()

    # -- its lease

    def acquire(self, job_id: str, owner: str) -> Lease:
        names = self._names.of(job_id, "lease", "meta", "result:meta", "journal")
        answer = self._server.run(
            redis_scripts.ACQUIRE, names, owner, new_job_id(), _milliseconds(self.lease_seconds), self._long,
            ENDED_JSON,
        )  # fmt: skip
        match answer:
            case [b"ok", token, length]:
                return self._cut(Lease(job_id, owner, int(token)), length)
            case [b"held", holder]:
                raise LeaseHeld(f"job {job_id} is held by {holder.decode()!r}")
            case [b"ended", status]:
                raise StatusConflict(f"job {job_id} has ended: it is {status.decode()}")
            case _:
                raise no_job(job_id)

    def renew(self, lease: Lease) -> None:
        members, until = ("lease", "meta", "facts", "journal"), _milliseconds(self.lease_seconds)
        if self._fenced(redis_scripts.RENEW, lease, members, until, self._long) == [b"touch"]:
            self._chunks.keep(lease.job_id, [entry.chunk for entry in self._entries(lease.job_id)], self._long)
            for names in in_lists(self._parts(lease.job_id)):
                self._chunks.expire(names, self._long)

    def release(self, lease: Lease) -> None:
        self._server.run(redis_scripts.RELEASE, self._names.of(lease.job_id, "lease"), lease.token)

    def holder(self, job_id: str) -> str | None:
        answer = self._server.run(redis_scripts.HOLDER, self._names.of(job_id, "lease"))
        return answer[1].decode() if answer[0] == b"ok" else None

    # -- its keys

    def put_keys(self, job_id: str, number: int, data: bytes) -> None:
        self._server("set", *self._names.of(job_id, f"keys:{number}"), data, px=self._long)

    def keys(self, job_id: str, number: int) -> bytes | None:
        return self._get(job_id, f"keys:{number}")

    # -- its inputs

    def put_input(self, job_id: str, number: int, data: bytes) -> None:
        self._server("set", *self._names.of(job_id, f"input:{number}"), data, px=self._long)

    def input(self, job_id: str, number: int) -> bytes | None:
        return self._get(job_id, f"input:{number}")

    # -- its result

    def append(self, lease: Lease, entry: Entry, data: bytes) -> Chunk:
        chunk, where = entry.chunk, [self._names.of_chunk(lease.job_id, entry.chunk)]
        if (overflow := self._chunks.overflow_for(lease.job_id, len(data))) is not None:
            chunk = msgspec.structs.replace(chunk, overflow=True)
            overflow.put_spare(lease.job_id, chunk, data)
            where, data = [], b""
        answer = self._fenced(
            redis_scripts.APPEND, lease, ("lease", "journal"), chunk.position, seal(Entry(chunk, entry.domains)),
            self._long, data, more=where,
        )  # fmt: skip
        if answer[0] == b"length":
            raise ChunkLost(f"the journal of job {lease.job_id} has {answer[1]:,} entries, not {chunk.position:,}")
        return chunk

    def adopt(self, lease: Lease, entries: Sequence[Entry], source: str, chunks: Sequence[Chunk]) -> list[Chunk]:
        here = list(takewhile(lambda chunk: not chunk.overflow, islice(chunks, AT_ONCE)))
        if not here:
            data = self.chunk(source, chunks[0])
            if data is None:
                raise lost_chunk(source, chunks[0])
            return [self.append(lease, entries[0], data)]
        entries = entries[: len(here)]
        places = [self._names.of_chunk(lease.job_id, entry.chunk) for entry in entries]
        moved = [self._names.of_chunk(source, chunk) for chunk in here]
        answer = self._fenced(
            redis_scripts.ADOPT, lease, ("lease", "journal"), entries[0].chunk.position, self._long,
            *map(seal, entries), more=[*places, *moved],
        )  # fmt: skip
        if answer[0] != b"ok":
            raise lost_chunk(source, here[answer[1]])
        return [entry.chunk for entry in entries]

    def finish(self, lease: Lease, manifest: ResultManifest, aggregation: bytes | None) -> None:
        """Publish the result; raise `ChunkLost` when the server has evicted a chunk by now."""
        self._chunks.keep(lease.job_id, manifest.chunks, self._long)
        members = ("lease", "result:index", "result:meta", "result:aggregation", "meta", "facts", "journal")
        self._fenced(
            redis_scripts.FINISH, lease, members, seal(manifest), contract_meta(manifest), aggregation or b"",
            _milliseconds(self.ttl), self._long,
        )  # fmt: skip

    def journal(self, job_id: str, first: int, count: int) -> Sequence[Entry]:
        sealed = self._server("lrange", *self._names.of(job_id, "journal"), first, first + count - 1)
        if not sealed and (old := self._legacy.find(job_id)) is not None:
            return old.journal[first : first + count]
        return [
            unseal(one, Entry, f"entry {at} of the journal of job {job_id}") for at, one in enumerate(sealed, first)
        ]

    def chunk(self, job_id: str, chunk: Chunk) -> bytes | None:
        data = self._chunks.read(job_id, chunk)
        return self._legacy.chunk(job_id, chunk) if data is None else data

    def manifest(self, job_id: str) -> ResultManifest | None:
        index, meta = self._server("mget", self._names.of(job_id, "result:index", "result:meta"))
        if index is not None:
            return None if meta is None else unseal(index, ResultManifest, f"the manifest of job {job_id}")
        old = self._legacy.find(job_id)
        return None if old is None else old.manifest

    def aggregation(self, job_id: str) -> bytes | None:
        data = self._get(job_id, "result:aggregation")
        return self._legacy.aggregation(job_id) if data is None else data

    def whole_result(self, job_id: str) -> bytes | None:
        return self._legacy.whole(job_id)

    def hold(self, job_id: str, reader: str) -> None:
        left, enough = self._server("pttl", *self._names.of(job_id, "result:meta")), _milliseconds(HOLD_SECONDS)
        if 0 <= left < enough and (manifest := self.manifest(job_id)) is not None:
            self._chunks.keep(job_id, manifest.chunks, enough + _milliseconds(SLACK_SECONDS))
            members = ("meta", "facts", "journal", "result:meta", "result:index", "result:aggregation")
            self._chunks.expire(self._names.of(job_id, *members), enough)

    def let_go(self, job_id: str, reader: str) -> None:
        """Do nothing: Redis forgets by itself."""
        check_job_id(job_id)

    # -- how it is asked

    @property
    def _long(self) -> int:
        return _milliseconds(self.ttl + SLACK_SECONDS)

    def _get(self, job_id: str, member: str) -> bytes | None:
        value: bytes | None = self._server("get", *self._names.of(job_id, member))
        return value

    def _parts(self, job_id: str) -> Iterator[str]:
        """Give out the names of the parts of keys and inputs that are there."""
        for kind in ("keys", "input"):
            for number in count():
                (name,) = self._names.of(job_id, f"{kind}:{number}")
                if not self._server("exists", name):
                    break
                yield name

    def _fenced(
        self, script: str, lease: Lease, members: Sequence[str], *arguments: Any, more: Sequence[str] = ()
    ) -> list[Any]:
        """Run a *script* that checks the lease first, on *members* of the job and the keys named in *more*."""
        names = [*self._names.of(lease.job_id, *members), *more]
        answer: list[Any] = self._server.run(script, names, lease.token, *arguments)
        if answer[0] == b"lost":
            raise lost_lease(lease.job_id, lease.token, answer[1])
        return answer

    def _cut(self, lease: Lease, length: int) -> Lease:
        """Drop the chunks that a worker before us published after the last end of a key."""
        dropped: list[Chunk] = []
        domains: Mapping[str, DomainAccount] = {}
        while length:
            (last,) = self.journal(lease.job_id, length - 1, 1)
            if last.ends_keys:
                domains = last.domains
                break
            dropped.append(last.chunk)
            length -= 1
        if dropped:
            kept = sum(
                entry.chunk.size for entry in read_journal(self, lease.job_id, length) if not entry.chunk.overflow
            )
            more = [self._names.of_chunk(lease.job_id, chunk) for chunk in dropped]
            self._fenced(redis_scripts.CUT, lease, ("lease", "journal"), length, kept, more=more)
        return replace(lease, length=length, domains=domains)

    def _entries(self, job_id: str) -> Iterable[Entry]:
        return read_journal(self, job_id, self._server("llen", *self._names.of(job_id, "journal")))


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1_000)
