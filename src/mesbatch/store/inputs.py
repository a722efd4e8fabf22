"""Large inputs of a job: stored once beside its keys, in parts with a checksum each, and read back as streams."""

from __future__ import annotations

import hashlib
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from mesbatch.codec.json_members import json_elements, json_members
from mesbatch.errors import ChunkLost, CorruptChunk, InvalidJob
from mesbatch.store.input_json import pieces_of
from mesbatch.store.protocol import Store
from mesbatch.units import MiB

MOST_BYTES = 256 * MiB  # of all inputs of one job
PART_BYTES = 1 * MiB  # what a writer and a reader hold, and one value of Redis
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_CRC_BYTES = 4

Patiently = Callable[[Callable[[], bytes | None]], bytes | None]


class InputHandle(msgspec.Struct, frozen=True):
    """A handle for one stored input of *size* bytes: *parts* parts of the job's inputs, from number *first* on.

    *digest* is its SHA-256; empty where an older version stored it.
    """

    job_id: str
    first: int
    parts: int
    size: int
    digest: str = ""


def check_inputs(inputs: Mapping[str, Any]) -> None:
    """Raise InvalidJob for a name that no input can have, or for bytes that are too many, before anything is stored."""
    size = 0
    for name, value in inputs.items():
        if not NAME.fullmatch(str(name)):
            raise InvalidJob(f"the input {name!r:.80} needs another name: 1 to 64 letters, digits, _ and -")
        if isinstance(value, bytes | bytearray | memoryview | msgspec.Raw):
            size += memoryview(value).nbytes
            _check_size(name, memoryview(value).nbytes, size)


def store_inputs(store: Store, job_id: str, inputs: Mapping[str, Any]) -> dict[str, InputHandle]:
    """Store the *inputs* of a job by name, and return the handles for `StoredInputs`. Holds a part of 1 MiB.

    An input is bytes, a binary file that is read to its end, or a value that becomes JSON, which is written member by
    member.

    Raises:
        InvalidJob: a name that no input can have, something that is no JSON, or more than `MOST_BYTES` in all.
        ResultStoreFull, StoreUnavailable: as the store.
    """
    check_inputs(inputs)
    handles: dict[str, InputHandle] = {}
    number = total = 0
    for name, value in inputs.items():
        first, size, digest = number, 0, hashlib.sha256()
        for part in _in_parts(pieces_of(name, value)):
            size += len(part)
            total += len(part)
            digest.update(part)
            _check_size(name, size, total)
            crc = zlib.crc32(part, number - first)  # a part in another's place is damage, too
            store.put_input(job_id, number, b"".join((crc.to_bytes(_CRC_BYTES), part)))
            number += 1
        handles[name] = InputHandle(job_id, first, number - first, size, digest.hexdigest())
    return handles


class InputReader(io.RawIOBase):
    """A binary file of one input of a job, to be read once; `members` and `elements` decode it as JSON.

    Holds a part of 1 MiB, however large the input is; but ``read()`` without a size returns all of it. Reading
    raises `ChunkLost` where a part is gone, and `CorruptChunk` where it is not as it was stored.

    Attributes:
        name: The name of the input.
        size: Bytes.

    >>> lineage = InputReader("lineage", 24, [b'{"a1":["b2"],', b'"c3":[]}'])
    >>> list(lineage.members())
    [('a1', ['b2']), ('c3', [])]
    """

    def __init__(self, name: str, size: int, parts: Iterable[bytes | memoryview]) -> None:
        self.name, self.size = name, size
        self._parts = iter(parts)
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        while not self._held and (part := next(self._parts, None)) is not None:
            self._held = memoryview(part)
        count = min(len(target), len(self._held))
        target[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def members(self) -> Iterator[tuple[str, Any]]:
        """Decode the input, a JSON object, as pairs of name and value. Holds some 3 MiB and the largest value.

        Raises:
            InvalidJob: it is no JSON object.
        """
        return self._decoded(json_members)

    def elements(self) -> Iterator[Any]:
        """Decode the elements of the input, a JSON array. Holds some 3 MiB and the largest element.

        Raises:
            InvalidJob: it is no JSON array.
        """
        return self._decoded(json_elements)

    def _decoded(self, decode: Callable[[Iterator[bytes]], Iterator[Any]]) -> Iterator[Any]:
        try:
            yield from decode(iter(lambda: self.read(PART_BYTES) or b"", b""))
        except ValueError as error:
            raise InvalidJob(f"the input {self.name!r} is not the JSON that was asked for: {error}") from error


class StoredInputs(Mapping[str, InputReader]):
    """The inputs of a job by name; each look-up opens one anew, from its beginning.

    *patiently* calls the function that asks the *store* for a part, and may call it again.
    """

    def __init__(self, store: Store, handles: Mapping[str, InputHandle], patiently: Patiently | None = None) -> None:
        self._store, self._handles = store, handles
        self._patiently = patiently or _at_once

    def __getitem__(self, name: str) -> InputReader:
        handle = self._handles[name]
        return InputReader(name, handle.size, _read_parts(self._store, name, handle, self._patiently))

    def __iter__(self) -> Iterator[str]:
        return iter(self._handles)

    def __len__(self) -> int:
        return len(self._handles)


class GivenInputs(Mapping[str, InputReader]):
    """Inputs that are in memory, as those of a request that is answered without a job; nothing is copied."""

    def __init__(self, inputs: Mapping[str, Any]) -> None:
        self._inputs = inputs

    def __getitem__(self, name: str) -> InputReader:
        view = memoryview(self._inputs[name]).cast("B")
        return InputReader(name, view.nbytes, [view])

    def __iter__(self) -> Iterator[str]:
        return iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)


def decode_handles(fact: str) -> dict[str, InputHandle]:
    """Return the handles that stand in the job's fact ``inputs``; none for a job without inputs."""
    return msgspec.json.decode(fact or "{}", type=dict[str, InputHandle])


def _at_once(ask: Callable[[], bytes | None]) -> bytes | None:
    return ask()


def _read_parts(store: Store, name: str, handle: InputHandle, patiently: Patiently) -> Iterator[memoryview]:
    size = 0
    for position in range(handle.parts):
        place = f"part {position} of the input {name!r} of job {handle.job_id}"
        stored = patiently(partial(store.input, handle.job_id, handle.first + position))
        if stored is None:
            raise ChunkLost(f"{place} is gone")
        part = memoryview(stored)[_CRC_BYTES:]
        if zlib.crc32(part, position) != int.from_bytes(stored[:_CRC_BYTES]):
            raise CorruptChunk(f"{place} is damaged: its {len(part):,} bytes are not those that were stored")
        size += len(part)
        yield part
    if size != handle.size:
        raise ChunkLost(f"{size:,} of {handle.size:,} bytes of the input {name!r} of job {handle.job_id} are there")


def _in_parts(pieces: Iterable[bytes | memoryview]) -> Iterator[bytes | bytearray | memoryview]:
    """Collect *pieces*, each of at most `PART_BYTES`, into parts of that size; the last may be shorter."""
    held = bytearray()
    for piece in pieces:
        if len(piece) == PART_BYTES and not held:
            yield piece
            continue
        held += piece
        while len(held) >= PART_BYTES:
            yield bytes(held[:PART_BYTES])
            del held[:PART_BYTES]
    if held:
        yield held


def _check_size(name: str, size: int, total: int) -> None:
    if total > MOST_BYTES:
        others = f", after {total - size:,} of others" if total > size else ""
        raise InvalidJob(
            f"the input {name!r} has {size:,} bytes or more{others}: the inputs of a job may have {MOST_BYTES:,} in all"
        )
