"""Jobs in Redis or Valkey, in the keys that deployments and their clients know."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count, islice
from typing import Any, Self, TypeVar

import msgspec

from mesbatch.errors import (
    ChunkLost,
    JobNotFound,
    LeaseHeld,
    LeaseLost,
    ResultStoreFull,
    StatusConflict,
)
from mesbatch.store import legacy, redis_scripts
from mesbatch.store.account import Chunk, DomainAccount, Entry, ResultManifest
from mesbatch.store.job_id import JOB_ID, check_job_id, new_job_id
from mesbatch.store.protocol import CONTRACT_FACTS, ENDED, LEASE_SECONDS, TTL_SECONDS, Facts, Lease
from mesbatch.store.redis_server import RedisServer
from mesbatch.store.sealed import seal, unseal
from mesbatch.store.write_once import HOLD_SECONDS, WriteOnceStore
from mesbatch.store.writer import read_journal
from mesbatch.units import MiB, format_bytes

PREFIX = "mes_wip"  # REDIS_KEY_PREFIX
MAX_BYTES = 512 * MiB  # of one result: the 114,000-CID job has 440
PATIENCE = 30.0  # seconds without Redis that a job survives
SLACK_SECONDS = 60.0  # chunks outlive the manifest, so that who finds it finds them
AT_ONCE = 500  # keys in one request

Answer = TypeVar("Answer")


class RedisStore:
    """Jobs in the Redis or Valkey at *url*, in keys that begin with *prefix*.

    A chunk is one value, so the server holds the whole result: beyond *max_bytes* (of chunks, per job) further chunks
    go to *overflow*, or without one publishing raises `ResultStoreFull`. While the server does not answer, every call
    tries again for *patience* seconds. Readers of the first implementation find what they know, except for chunks that
    overflowed. Its results can be read, too. Holds one chunk. Not for a Redis Cluster: the keys of a job lie apart.

    A warning is logged when the server may evict keys: chunks would get lost, which readers notice but cannot mend.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = PREFIX,
        ttl: float = TTL_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        max_bytes: int = MAX_BYTES,
        overflow: WriteOnceStore | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.ttl, self.lease_seconds = ttl, lease_seconds
        self._prefix, self._max_bytes, self._overflow = prefix, max_bytes, overflow
        self._server = RedisServer(url, patience)
        self._legacy: tuple[str, legacy.LegacyResult] | None = None

    def close(self) -> None:
        """Close the connections; may be called twice."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # -- the job

    def create(self, job_id: str, facts: Mapping[str, str]) -> None:
        keys = self._keys(job_id, "meta", "facts")
        split = _split({"status": "", **facts})
        if self._server.run(redis_scripts.CREATE, keys, *split, new_job_id(), self._long) != [b"ok"]:
            raise StatusConflict(f"there is a job {job_id} already")

    def facts(self, job_id: str) -> Facts:
        meta, ours = self._keys(job_id, "meta", "facts")
        contract, others = self._server.ask(
            lambda: self._server.client.pipeline().hgetall(meta).hgetall(ours).execute()
        )
        if not contract:
            raise JobNotFound(f"there is no job {job_id}, or it has expired")
        return _facts(contract, others)

    def change(
        self,
        job_id: str,
        changes: Mapping[str, str],
        *,
        only_if: Collection[str] | None = None,
        token: int | None = None,
    ) -> Facts:
        keys = self._keys(job_id, "lease", "meta", "facts")
        starts = "" if only_if is None else _json(sorted(only_if))
        answer = self._server.run(
            redis_scripts.CHANGE, keys, "" if token is None else token, *_split(changes), new_job_id(), self._long,
            starts, _json(sorted(ENDED)),
        )  # fmt: skip
        match answer:
            case [b"ok", meta, ours]:
                return _facts(_pairs(meta), _pairs(ours))
            case [b"lost", newest]:
                raise _lost(job_id, token, newest)
            case [b"conflict", status]:
                raise StatusConflict(f"job {job_id} is {status.decode()}: it cannot get {dict(changes)}")
            case _:
                raise JobNotFound(f"there is no job {job_id}, or it has expired")

    def job_ids(self) -> Iterator[str]:
        start, end = f"{self._prefix}:trace:job:", ":meta"
        cursor = 0
        while True:
            cursor, keys = self._server("scan", cursor, match=f"{start}*{end}", count=1_000)
            for key in keys:
                job_id = key.decode()[len(start) : -len(end)]
                if JOB_ID.fullmatch(job_id):
                    yield job_id
            if cursor == 0:
                return

    def delete(self, job_id: str) -> None:
        chunks = [self._chunk_key(job_id, entry.chunk) for entry in self._entries(job_id)]
        names = ["meta", "facts", "lease", "journal", "result", "result:meta", "result:index", "result:aggregation"]
        for keys in _in_parts([*self._keys(job_id, *names), *chunks, *self._key_parts(job_id)]):
            self._server("unlink", *keys)
        if self._overflow is not None and job_id in self._overflow.spare_jobs():
            self._overflow.delete(job_id)

    def sweep(self) -> int:
        """Redis itself removes what expires; this removes what had overflowed of it."""
        if self._overflow is None:
            return 0
        gone = [job_id for job_id in self._overflow.spare_jobs() if self._is_gone(job_id)]
        for job_id in gone:
            self._overflow.delete(job_id)
        return len(gone)

    # -- its lease

    def acquire(self, job_id: str, owner: str) -> Lease:
        keys = self._keys(job_id, "lease", "meta", "result:meta", "journal")
        answer = self._server.run(
            redis_scripts.ACQUIRE, keys, owner, new_job_id(), _milliseconds(self.lease_seconds), self._long,
            _json(sorted(ENDED)),
        )  # fmt: skip
        match answer:
            case [b"ok", token, length]:
                return self._cut(Lease(job_id, owner, int(token)), length)
            case [b"held", holder]:
                raise LeaseHeld(f"job {job_id} is held by {holder.decode()!r}")
            case [b"ended", status]:
                raise StatusConflict(f"job {job_id} has ended: it is {status.decode()}")
            case _:
                raise JobNotFound(f"there is no job {job_id}, or it has expired")

    def renew(self, lease: Lease) -> None:
        keys = self._keys(lease.job_id, "lease", "meta", "facts", "journal")
        answer = self._server.run(redis_scripts.RENEW, keys, lease.token, _milliseconds(self.lease_seconds), self._long)
        if self._granted(lease, answer) == [b"touch"]:
            self._touch(lease.job_id, [entry.chunk for entry in self._entries(lease.job_id)], self._long)

    def release(self, lease: Lease) -> None:
        self._server.run(redis_scripts.RELEASE, self._keys(lease.job_id, "lease"), lease.token)

    def holder(self, job_id: str) -> str | None:
        answer = self._server.run(redis_scripts.HOLDER, self._keys(job_id, "lease"))
        return answer[1].decode() if answer[0] == b"ok" else None

    # -- its keys

    def put_keys(self, job_id: str, number: int, data: bytes) -> None:
        (key,) = self._keys(job_id, f"keys:{number}")
        self._server("set", key, data, px=self._long)

    def keys(self, job_id: str, number: int) -> bytes | None:
        (key,) = self._keys(job_id, f"keys:{number}")
        return self._get(key)

    # -- its result

    def append(self, lease: Lease, entry: Entry, data: bytes) -> Chunk:
        chunk = entry.chunk
        lease_key, journal = self._keys(lease.job_id, "lease", "journal")
        keys = [lease_key, journal, self._chunk_key(lease.job_id, chunk)]
        if (spare := self._spare_store(lease_key, len(data))) is not None:
            chunk = msgspec.structs.replace(chunk, overflow=True)
            spare.put_spare(lease.job_id, chunk, data)
            keys, data = keys[:2], b""
        sealed = seal(Entry(chunk, entry.domains))
        answer = self._server.run(redis_scripts.APPEND, keys, lease.token, chunk.position, sealed, self._long, data)
        if self._granted(lease, answer)[0] == b"length":
            raise ChunkLost(f"the journal of job {lease.job_id} has {answer[1]:,} entries, not {chunk.position:,}")
        return chunk

    def adopt(self, lease: Lease, entry: Entry, source: str, chunk: Chunk) -> Chunk:
        if chunk.overflow:
            data = self.chunk(source, chunk)
            if data is None:
                raise ChunkLost(f"chunk {chunk.number} of {chunk.domain!r} of job {source} is gone")
            return self.append(lease, entry, data)
        keys = [*self._keys(lease.job_id, "lease", "journal"), self._chunk_key(lease.job_id, entry.chunk)]
        keys.append(self._chunk_key(source, chunk))
        arguments = (lease.token, entry.chunk.position, seal(entry), self._long)
        answer = self._granted(lease, self._server.run(redis_scripts.ADOPT, keys, *arguments))
        if answer[0] != b"ok":
            raise ChunkLost(f"chunk {chunk.number} of {chunk.domain!r} of job {source} is gone from Redis")
        return entry.chunk

    def finish(self, lease: Lease, manifest: ResultManifest, aggregation: bytes | None) -> None:
        """Raises `ChunkLost` when the server has evicted a chunk by now."""
        self._touch(lease.job_id, manifest.chunks, self._long)
        names = ("lease", "result:index", "result:meta", "result:aggregation", "meta", "facts", "journal")
        keys = self._keys(lease.job_id, *names)
        answer = self._server.run(
            redis_scripts.FINISH, keys, lease.token, seal(manifest), legacy.contract_meta(manifest), aggregation or b"",
            _milliseconds(self.ttl), self._long,
        )  # fmt: skip
        self._granted(lease, answer)

    def journal(self, job_id: str, first: int, count: int) -> Sequence[Entry]:
        (key,) = self._keys(job_id, "journal")
        sealed = self._server("lrange", key, first, first + count - 1)
        if not sealed and not self._is_ours(job_id) and (old := self._old_result(job_id)) is not None:
            return old.journal[first : first + count]
        return [
            unseal(one, Entry, f"entry {at} of the journal of job {job_id}") for at, one in enumerate(sealed, first)
        ]

    def chunk(self, job_id: str, chunk: Chunk) -> bytes | None:
        if chunk.overflow and self._overflow is not None:
            return self._overflow.chunk(job_id, chunk)
        data = self._get(self._chunk_key(job_id, chunk))
        if data is None and (whole := self.whole_result(job_id)) is not None:
            return legacy.rows_of_whole(whole).get(chunk.domain)
        return data

    def manifest(self, job_id: str) -> ResultManifest | None:
        index, meta = self._server("mget", self._keys(job_id, "result:index", "result:meta"))
        if index is not None:
            return None if meta is None else unseal(index, ResultManifest, f"the manifest of job {job_id}")
        old = None if self._is_ours(job_id) else self._old_result(job_id)
        return None if old is None else old.manifest

    def aggregation(self, job_id: str) -> bytes | None:
        (key,) = self._keys(job_id, "result:aggregation")
        data = self._get(key)
        if data is None and (whole := self.whole_result(job_id)) is not None:
            return legacy.aggregation_of_whole(whole)
        return data

    def whole_result(self, job_id: str) -> bytes | None:
        (key,) = self._keys(job_id, "result")
        return self._get(key)

    def hold(self, job_id: str, reader: str) -> None:
        (meta,) = self._keys(job_id, "result:meta")
        left, enough = self._server("pttl", meta), _milliseconds(HOLD_SECONDS)
        if 0 <= left < enough and (manifest := self.manifest(job_id)) is not None:
            self._touch(job_id, manifest.chunks, enough + _milliseconds(SLACK_SECONDS))
            names = ("meta", "facts", "journal", "result:meta", "result:index", "result:aggregation")
            self._server.ask(partial(self._expire, self._keys(job_id, *names), enough))

    def let_go(self, job_id: str, reader: str) -> None:
        """Nothing to do: Redis forgets by itself."""
        check_job_id(job_id)

    # -- how it is asked

    @property
    def _long(self) -> int:
        return _milliseconds(self.ttl + SLACK_SECONDS)

    def _keys(self, job_id: str, *names: str) -> list[str]:
        check_job_id(job_id)
        return [f"{self._prefix}:trace:job:{job_id}:{name}" for name in names]

    def _chunk_key(self, job_id: str, chunk: Chunk) -> str:
        return f"{self._prefix}:trace:job:{check_job_id(job_id)}:result:{chunk.domain}:{chunk.number}"

    def _key_parts(self, job_id: str) -> Iterator[str]:
        for number in count():
            (key,) = self._keys(job_id, f"keys:{number}")
            if not self._server("exists", key):
                return
            yield key

    def _get(self, key: str) -> bytes | None:
        value: bytes | None = self._server("get", key)
        return value

    def _granted(self, lease: Lease, answer: list[Any]) -> list[Any]:
        if answer[0] == b"lost":
            raise _lost(lease.job_id, lease.token, answer[1])
        return answer

    def _cut(self, lease: Lease, length: int) -> Lease:
        """Drop what a worker before us published after the last end of a key."""
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
            keys = [*self._keys(lease.job_id, "lease", "journal"), *(self._chunk_key(lease.job_id, c) for c in dropped)]
            self._granted(lease, self._server.run(redis_scripts.CUT, keys, lease.token, length, kept))
        return replace(lease, length=length, domains=domains)

    def _entries(self, job_id: str) -> Iterable[Entry]:
        (journal,) = self._keys(job_id, "journal")
        return read_journal(self, job_id, self._server("llen", journal))

    def _touch(self, job_id: str, chunks: Iterable[Chunk], milliseconds: int) -> None:
        """Let *chunks* live that long from now.

        Raises:
            ChunkLost: one is gone already.
        """
        overflows = False
        for part in _in_parts(chunks):
            here = [chunk for chunk in part if not chunk.overflow]
            overflows = overflows or len(here) < len(part)
            keys = [self._chunk_key(job_id, chunk) for chunk in here]
            for chunk, found in zip(here, self._server.ask(partial(self._expire, keys, milliseconds))):
                if not found:
                    raise ChunkLost(f"chunk {chunk.number} of {chunk.domain!r} of job {job_id} is gone from Redis")
        if overflows and self._overflow is not None:
            self._overflow.keep(job_id)

    def _expire(self, keys: list[str], milliseconds: int) -> Any:
        pipeline = self._server.client.pipeline(transaction=False)
        for key in keys:
            pipeline.pexpire(key, milliseconds)
        return pipeline.execute()

    def _spare_store(self, lease_key: str, size: int) -> WriteOnceStore | None:
        """Where *size* more bytes of this result go; None: to Redis."""
        held = int(self._server("hget", lease_key, "bytes") or 0)
        if held + size <= self._max_bytes:
            return None
        if self._overflow is None:
            raise ResultStoreFull(
                f"{format_bytes(held + size)} are more than the {format_bytes(self._max_bytes)} that one result may "
                "have in Redis, and there is no second store"
            )
        return self._overflow

    def _is_ours(self, job_id: str) -> bool:
        (lease,) = self._keys(job_id, "lease")
        return bool(self._server("exists", lease))

    def _old_result(self, job_id: str) -> legacy.LegacyResult | None:
        """The account of a result of the first implementation, made by reading all of it; the last one is kept."""
        if self._legacy is not None and self._legacy[0] == job_id:
            return self._legacy[1]
        whole, meta = self._server("mget", self._keys(job_id, "result", "result:meta"))
        if whole is None and meta is None:
            return None
        if whole is not None:
            found = legacy.account_of_whole(whole)
        else:
            (aggregation,) = self._keys(job_id, "result:aggregation")
            found = legacy.account_of_chunks(
                meta, lambda chunk: self._get(self._chunk_key(job_id, chunk)), self._get(aggregation)
            )
        self._legacy = job_id, found
        return found

    def _is_gone(self, job_id: str) -> bool:
        (meta,) = self._keys(job_id, "meta")
        return not self._server("exists", meta)


def _split(facts: Mapping[str, str]) -> tuple[str, str]:
    """The facts of the contract, and ours, which lie in a hash of their own."""
    contract = {name: value for name, value in facts.items() if name in CONTRACT_FACTS}
    return _json(contract), _json({name: value for name, value in facts.items() if name not in CONTRACT_FACTS})


def _facts(meta: Mapping[bytes, bytes], ours: Mapping[bytes, bytes]) -> Facts:
    both = {name.decode(): value.decode() for name, value in (*meta.items(), *ours.items())}
    both.pop(redis_scripts.NONCE, None)
    return both


def _pairs(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2]))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _lost(job_id: str, token: int | None, newest: bytes) -> LeaseLost:
    known = f"lease {newest.decode()} is the newest" if newest else "the store knows no lease of it"
    return LeaseLost(f"job {job_id} is no longer ours by lease {token}: {known}")


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1_000)


def _in_parts(items: Iterable[Answer]) -> Iterator[list[Answer]]:
    remaining = iter(items)
    return iter(lambda: list(islice(remaining, AT_ONCE)), [])
