"""Storages that every contract test runs over, each with a way to damage its chunks."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mesbatch.store import Chunk, DirectoryStore, Store


class StoreRig(Protocol):
    """One storage; *open* gives a store on it, as another process would have."""

    def open(self, **options: Any) -> Store: ...

    def put_chunk(self, job_id: str, chunk: Chunk, data: bytes | None) -> None:
        """Replace the bytes of a chunk behind the store's back; None removes it."""

    def close(self) -> None: ...


@dataclass
class DirectoryRig:
    path: Path

    def open(self, **options: Any) -> Store:
        return DirectoryStore(self.path / "jobs", **options)

    def put_chunk(self, job_id: str, chunk: Chunk, data: bytes | None) -> None:
        path = self.path / "jobs" / job_id / "chunks" / f"{chunk.token:08d}" / f"{chunk.position:08d}"
        if data is None:
            path.unlink()
        else:
            path.write_bytes(data)

    def close(self) -> None:
        pass


@dataclass
class RedisRig:
    url: str
    prefix: str = field(default_factory=lambda: f"test_{uuid.uuid4().hex}")
    opened: list[Any] = field(default_factory=list)

    def open(self, **options: Any) -> Store:
        from mesbatch.store.redis import RedisStore

        self.opened.append(RedisStore(self.url, **{"prefix": self.prefix, **options}))
        return self.opened[-1]

    def client(self) -> Any:
        import redis

        self.opened.append(redis.Redis.from_url(self.url))
        return self.opened[-1]

    def put_chunk(self, job_id: str, chunk: Chunk, data: bytes | None) -> None:
        key = f"{self.prefix}:trace:job:{job_id}:result:{chunk.domain}:{chunk.number}"
        client = self.client()
        assert client.exists(key)
        if data is None:
            client.delete(key)
        else:
            client.set(key, data)

    def close(self) -> None:
        for each in self.opened:
            each.close()


@dataclass
class ObjectRig:
    storage: Any

    def open(self, **options: Any) -> Store:
        from mesbatch.store.object import ObjectStore

        return ObjectStore(self.storage, **options)

    def put_chunk(self, job_id: str, chunk: Chunk, data: bytes | None) -> None:
        import obstore

        path = f"{job_id}/chunks/{chunk.token:08d}/{chunk.position:08d}"
        if data is None:
            obstore.delete(self.storage, path)
        else:
            obstore.put(self.storage, path, data)

    def close(self) -> None:
        pass
