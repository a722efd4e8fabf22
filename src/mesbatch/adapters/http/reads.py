"""Reads behind an answer: one reader, or several in turn, with the members of a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from threading import Event
from typing import Any, Protocol

from mesbatch.admission import Admitted, HeldBody, Permit
from mesbatch.batch import Batch, Column
from mesbatch.errors import PermitReleased
from mesbatch.manifest import Manifest
from mesbatch.read.reader import BatchReader
from mesbatch.trace.ndjson import TraceRead


class LiveRead(TraceRead, Protocol):
    """Trace that is read now: `mesbatch.trace.read.TraceReader`, or a class with the same members."""

    max_bytes: int

    @property
    def movable(self) -> bool: ...
    def interrupt(self) -> None: ...


class OneDomain:
    """Trace of one *domain*, which a `BatchReader` reads."""

    def __init__(self, reader: BatchReader, domain: str) -> None:
        self._reader = reader
        self._batches: Any = reader  # or its rows in another form
        self.domains = (domain,)
        self.manifests: dict[str, Manifest] = {domain: reader.manifest}
        self.aggregation: Mapping[str, Any] | None = None
        self.movable, self.interrupt, self.close = reader.movable, reader.interrupt, reader.close

    @property
    def key_count(self) -> int | None:
        return self._reader.manifest.keys or None

    @property
    def descriptions(self) -> Mapping[str, tuple[Column, ...]]:
        return {self.domains[0]: self._reader.description}

    @property
    def dialects(self) -> Mapping[str, str]:
        return {self.domains[0]: self._reader.dialect}

    @property
    def max_bytes(self) -> int:
        return self._reader.max_bytes

    @max_bytes.setter
    def max_bytes(self, value: int) -> None:
        self._reader.max_bytes = value

    def __iter__(self) -> Iterator[tuple[str, Batch]]:
        for batch in self._batches:
            yield self.domains[0], batch
            del batch


class ArrowDomain(OneDomain):
    """Trace of one *domain*, which a `BatchReader` reads as record batches."""

    def __init__(self, reader: BatchReader, domain: str) -> None:
        super().__init__(reader, domain)
        self._batches = reader.arrow()

    def schema(self) -> Any:
        return self._batches.schema


class ReadsInTurn:
    """Trace of several *reads*, one after the other; base of every class that wraps reads."""

    def __init__(self, reads: Sequence[LiveRead]) -> None:
        self._reads = reads

    @property
    def domains(self) -> tuple[str, ...]:
        return tuple(domain for read in self._reads for domain in read.domains)

    @property
    def key_count(self) -> int | None:
        return self._reads[0].key_count

    @property
    def descriptions(self) -> Mapping[str, tuple[Column, ...]]:
        return {name: columns for read in self._reads for name, columns in read.descriptions.items()}

    @property
    def dialects(self) -> Mapping[str, str]:
        """The kinds of the domains' databases, where a read tells them."""
        return {name: kind for read in self._reads for name, kind in getattr(read, "dialects", {}).items()}

    @property
    def manifests(self) -> Mapping[str, Manifest]:
        return {name: manifest for read in self._reads for name, manifest in read.manifests.items()}

    @property
    def aggregation(self) -> Mapping[str, Any] | None:
        return next((read.aggregation for read in self._reads if read.aggregation is not None), None)

    @property
    def movable(self) -> bool:
        return all(read.movable for read in self._reads)

    @property
    def max_bytes(self) -> int:
        return min(read.max_bytes for read in self._reads)

    @max_bytes.setter
    def max_bytes(self, value: int) -> None:
        for read in self._reads:
            read.max_bytes = value

    def __iter__(self) -> Iterator[tuple[str, Batch]]:
        for read in self._reads:
            yield from read

    def interrupt(self) -> None:
        for read in self._reads:
            read.interrupt()

    def close(self) -> None:
        for read in self._reads:
            read.close()


class HeldRead(ReadsInTurn):
    """Read that holds a *permit*, and gives it back when its rows end, fail or are closed.

    *began* is set with the first batch, or when there will be none; *failure* is an error that came before it.
    *tell* is called then. *give_permit_back* may be called in any thread, and refers to the permit alone; the next row
    then raises.
    """

    def __init__(self, read: LiveRead, permit: Permit | Admitted | None) -> None:
        super().__init__((read,))
        self.schema: Callable[[], Any] | None = getattr(read, "schema", None)  # of record batches
        self._items = _held(read, permit)
        self.give_permit_back = _giving_back(permit.permit if isinstance(permit, Admitted) else permit)
        self.began = Event()
        self.failure: Exception | None = None
        self.tell: Callable[[], None] = tell_nobody
        self.rows = 0

    @property
    def progress(self) -> dict[str, int]:
        """Keys done and asked for, as members of a ``progress`` line."""
        done = sum(manifest.keys_read for manifest in self.manifests.values())
        count = self.key_count
        return {"keys": done} | ({} if count is None else {"keys_total": count * len(self.domains)})

    def __iter__(self) -> Iterator[tuple[str, Batch]]:
        try:
            for domain, batch in self._items:
                self.rows += batch.num_rows
                if not self.began.is_set():
                    self.began.set()
                    self.tell()
                yield domain, batch
                del batch
        except Exception as error:
            if not self.began.is_set():
                self.failure = error
            raise
        finally:
            self.began.set()
            self.tell()

    def close(self) -> None:
        self._items.close()


def tell_nobody() -> None:
    """Tell nobody: the taker of the pieces waits for them."""


def _giving_back(permit: Permit | None) -> Callable[[], bool]:
    def give_back() -> bool:
        if permit is not None:
            with suppress(PermitReleased):  # the read ended at this very moment
                permit.release()
        return True

    return give_back


def _held(read: LiveRead, permit: Permit | Admitted | None) -> LiveRead | HeldBody[tuple[str, Batch]]:
    match permit:
        case Admitted():
            return permit.holding(read, read)
        case Permit():
            return permit.holding(read)
        case None:
            return read
