"""The list of keys of a job: stored once, read back part by part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from mesbatch.errors import ChunkLost, InvalidKey
from mesbatch.store.protocol import Store
from mesbatch.store.sealed import seal, unseal

KEYS_PER_PART = 10_000  # about 200 KB of lot ids


class KeyList(msgspec.Struct, frozen=True):
    """Where a job's keys are: *count* of them in *parts* parts. Small enough for a queue."""

    job_id: str
    count: int
    parts: int


def store_keys(store: Store, job_id: str, keys: Iterable[str | int]) -> KeyList:
    """Store *keys* with the job, in their order, and return the handle for `read_keys`. Holds 10,000 of them.

    Raises:
        InvalidKey: a key is neither text nor an integer, or holds a lone surrogate.
        ResultStoreFull, StoreUnavailable: as the store.

    >>> from tempfile import TemporaryDirectory
    >>> from mesbatch.store import DirectoryStore, new_job_id
    >>> with TemporaryDirectory() as folder:
    ...     store, job_id = DirectoryStore(folder), new_job_id()
    ...     store.create(job_id, {"status": "queued"})
    ...     handle = store_keys(store, job_id, ["a", "b"])
    ...     handle.count, list(read_keys(store, handle))
    (2, ['a', 'b'])
    """
    remaining, count, parts = iter(keys), 0, 0
    while part := list(islice(remaining, KEYS_PER_PART)):
        if unfit := {type(key).__name__ for key in part if type(key) not in (str, int)}:
            raise InvalidKey(f"a job's keys are text or integers, got {', '.join(sorted(unfit))}")
        try:
            store.put_keys(job_id, parts, seal(part))
        except UnicodeEncodeError as error:
            raise InvalidKey(f"a key holds {error.object[error.start : error.end]!r}, which is no character") from error
        count += len(part)
        parts += 1
    return KeyList(job_id, count, parts)


def read_keys(store: Store, keys: KeyList) -> Iterator[str | int]:
    """The keys in the order in which they were stored. Holds 10,000 of them.

    Raises:
        ChunkLost: a part is gone.
        CorruptChunk: a part is not what was stored.
    """
    count = 0
    for number in range(keys.parts):
        name = f"part {number} of the keys of job {keys.job_id}"
        sealed = store.keys(keys.job_id, number)
        if sealed is None:
            raise ChunkLost(f"{name} is gone")
        part = unseal(sealed, list[str | int], name)
        count += len(part)
        yield from part
    if count != keys.count:
        raise ChunkLost(f"{count:,} of {keys.count:,} keys of job {keys.job_id} are there")
