"""The keys of a job: stored once, and read back part by part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec

from mesbatch.errors import ChunkLost, CorruptChunk, InvalidKey
from mesbatch.keys.resume import EncodedKey, decode_key, encode_key
from mesbatch.store.protocol import Store
from mesbatch.store.sealed import seal, unseal

KEYS_PER_PART = 10_000  # about 200 KB of lot ids


class KeyList(msgspec.Struct, frozen=True):
    """A handle for the stored keys of a job, small enough for a queue; made by `store_keys`.

    Attributes:
        job_id: The job.
        count: The number of keys.
        parts: The number of stored parts.

    >>> KeyList(job_id="0" * 32, count=114_000, parts=12).count
    114000
    """

    job_id: str
    count: int
    parts: int


def store_keys(store: Store, job_id: str, keys: Iterable[Any]) -> KeyList:
    """Store *keys* with the job, in their order, and return the handle for `read_keys`. Holds 10,000 of them.

    Args:
        store: The store of the job.
        job_id: The job, which must be there.
        keys: The keys, of the types that keys have; an iterator is never all in memory.

    Raises:
        InvalidKey: a key has none of the types that keys have, equals nothing (NaN), or holds a lone surrogate.
        ResultStoreFull, StoreUnavailable: as the store.

    >>> from datetime import date
    >>> from tempfile import TemporaryDirectory
    >>> from mesbatch.store import DirectoryStore, new_job_id
    >>> with TemporaryDirectory() as folder:
    ...     store, job_id = DirectoryStore(folder), new_job_id()
    ...     store.create(job_id, {"status": "queued"})
    ...     handle = store_keys(store, job_id, [date(2026, 2, 25), date(2026, 2, 26)])
    ...     handle.count, list(read_keys(store, handle))
    (2, [datetime.date(2026, 2, 25), datetime.date(2026, 2, 26)])
    """
    remaining, count, parts = iter(keys), 0, 0
    while part := list(islice(remaining, KEYS_PER_PART)):
        try:
            store.put_keys(job_id, parts, seal(_encoded(part)))
        except UnicodeEncodeError as error:
            raise InvalidKey(f"a key holds {error.object[error.start : error.end]!r}, which is no character") from error
        count += len(part)
        parts += 1
    return KeyList(job_id, count, parts)


def read_keys(store: Store, keys: KeyList) -> Iterator[Any]:
    """Read the keys, equal and of the same types, in the order in which they were stored. Holds 10,000 of them.

    Args:
        store: The store of the job.
        keys: The handle that `store_keys` gave.

    Raises:
        ChunkLost: a part is gone.
        CorruptChunk: a part is not as it was stored.

    >>> from tempfile import TemporaryDirectory
    >>> from mesbatch.store import DirectoryStore, new_job_id
    >>> with TemporaryDirectory() as folder:
    ...     store, job_id = DirectoryStore(folder), new_job_id()
    ...     store.create(job_id, {"status": "queued"})
    ...     list(read_keys(store, store_keys(store, job_id, ["a1", "b2"])))
    ['a1', 'b2']
    """
    count = 0
    for number in range(keys.parts):
        name = f"part {number} of the keys of job {keys.job_id}"
        sealed = store.keys(keys.job_id, number)
        if sealed is None:
            raise ChunkLost(f"{name} is gone")
        part = unseal(sealed, list[EncodedKey], name)
        count += len(part)
        try:
            yield from map(decode_key, part)
        except ValueError as error:
            raise CorruptChunk(f"{name} is whole, but not all of it are keys: {error}") from error
    if count != keys.count:
        raise ChunkLost(f"{count:,} of {keys.count:,} keys of job {keys.job_id} are there")


def _encoded(keys: list[Any]) -> list[EncodedKey]:
    types = set(map(type, keys))
    if types == {str}:
        return keys
    if bool in types:
        raise InvalidKey("a bool is no key")
    if any(key.is_nan() if isinstance(key, Decimal) else key != key for key in keys):
        raise InvalidKey("a key is not a number (NaN): no row can have it")
    try:
        return [encode_key(key) for key in keys]
    except TypeError as error:
        raise InvalidKey(str(error)) from error
