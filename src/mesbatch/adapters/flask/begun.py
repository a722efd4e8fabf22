"""A read that tells when it has begun, and whose rows hold a permit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Event
from typing import Any, Protocol

from mesbatch.admission import Admitted, Permit
from mesbatch.batch import Batch, Column
from mesbatch.manifest import Manifest
from mesbatch.read.reader import BatchReader
from mesbatch.trace.ndjson import TraceRead


class LiveRead(TraceRead, Protocol):
    """A trace that is read now: `mesbatch.trace.read.TraceReader`, or what looks like it."""

    max_bytes: int

    @property
    def movable(self) -> bool: ...
    def interrupt(self) -> None: ...


class OneDomain:
    """A `BatchReader` as a trace of one *domain*."""

    def __init__(self, reader: BatchReader, domain: str) -> None:
        self._reader = reader
        self.domains = (domain,)
        self.manifests: dict[str, Manifest] = {domain: reader.manifest}
        self.aggregation: Mapping[str, Any] | None = None
        self.movable, self.interrupt, self.close = reader.movable, reader.interrupt, reader.close

    @property
    def cid_count(self) -> int | None:
        return self._reader.manifest.keys or None

    @property
    def descriptions(self) -> Mapping[str, tuple[Column, ...]]:
        return {self.domains[0]: self._reader.description}

    @property
    def max_bytes(self) -> int:
        return self._reader.max_bytes

    @max_bytes.setter
    def max_bytes(self, value: int) -> None:
        self._reader.max_bytes = value

    def __iter__(self) -> Iterator[tuple[str, Batch]]:
        for batch in self._reader:
            yield self.domains[0], batch


class Begun:
    """*read*, with *permit* held until its rows end, fail or are closed.

    *began* is set with the first batch, or when there will be none; *failure* is what went wrong before.
    """

    def __init__(self, read: LiveRead, permit: Permit | Admitted | None) -> None:
        self._read = read
        self._items = _held(read, permit)
        self.began = Event()
        self.failure: Exception | None = None
        self.rows = 0

    @property
    def domains(self) -> tuple[str, ...]:
        return self._read.domains

    @property
    def cid_count(self) -> int | None:
        return self._read.cid_count

    @property
    def descriptions(self) -> Mapping[str, tuple[Column, ...]]:
        return self._read.descriptions

    @property
    def manifests(self) -> Mapping[str, Manifest]:
        return self._read.manifests

    @property
    def aggregation(self) -> Mapping[str, Any] | None:
        return self._read.aggregation

    @property
    def told(self) -> dict[str, int]:
        """How far it is, for a ``progress`` line."""
        done = sum(manifest.keys_read for manifest in self.manifests.values())
        count = self.cid_count
        return {"keys": done} | ({} if count is None else {"keys_total": count * len(self.domains)})

    def __iter__(self) -> Iterator[tuple[str, Batch]]:
        try:
            for domain, batch in self._items:
                self.rows += batch.num_rows
                self.began.set()
                yield domain, batch
                del batch
        except Exception as error:
            if not self.began.is_set():
                self.failure = error
            raise
        finally:
            self.began.set()

    def close(self) -> None:
        self._items.close()

    def interrupt(self) -> None:
        self._read.interrupt()


def _held(read: LiveRead, permit: Permit | Admitted | None) -> Any:
    match permit:
        case Admitted():
            return permit.holding(read, read)
        case Permit():
            return permit.holding(read)
        case None:
            return _Unheld(read)


class _Unheld:
    """A read without a permit, iterated and closed like one that has."""

    def __init__(self, read: LiveRead) -> None:
        self._read = read

    def __iter__(self) -> Iterator[tuple[str, Batch]]:
        return iter(self._read)

    def close(self) -> None:
        self._read.close()
