"""A job's function called within a request: the same rows by the same code, now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mesbatch.batch import Batch, Column
from mesbatch.jobs import Aggregation, Work
from mesbatch.jobs.function import JobFunction
from mesbatch.keys.collect import Keys
from mesbatch.manifest import Manifest
from mesbatch.trace.read import TraceReader


class Together:
    """What *function* reads of *domains* for *keys*, as one trace; *one_by_one* calls it for each domain.

    A domain that fails is named and the others go on, as the trace's contract wants. What the function counts is
    counted here, with one object for all domains.

    Raises:
        Whatever *function* raises; it reads nothing yet.
    """

    def __init__(
        self, function: JobFunction, arguments: Mapping[str, Any], keys: Keys, domains: Sequence[str], max_bytes: int,
        *, one_by_one: bool,
    ) -> None:  # fmt: skip
        self.domains = tuple(domains)
        self.cid_count: int = len(keys)
        self.aggregation: Mapping[str, Any] | None = None
        self._keys, self._max_bytes = keys, max_bytes
        self._counting: Aggregation | None = None
        self._readers: list[TraceReader] = []
        try:
            for some in [(domain,) for domain in domains] if one_by_one else [self.domains]:
                work = Work(keys, some, max_bytes, "partial", self._aggregate)
                self._readers.append(function(work, **arguments))
        except BaseException:
            self.close()
            raise

    @property
    def descriptions(self) -> Mapping[str, tuple[Column, ...]]:
        return {name: columns for reader in self._readers for name, columns in reader.descriptions.items()}

    @property
    def manifests(self) -> Mapping[str, Manifest]:
        return {name: manifest for reader in self._readers for name, manifest in reader.manifests.items()}

    @property
    def movable(self) -> bool:
        return all(reader.movable for reader in self._readers)

    @property
    def max_bytes(self) -> int:
        return self._max_bytes

    @max_bytes.setter
    def max_bytes(self, value: int) -> None:
        self._max_bytes = value
        for reader in self._readers:
            reader.max_bytes = value

    def __iter__(self) -> Iterator[tuple[str, Batch]]:
        for reader in self._readers:
            for domain, batch in reader:
                if self._counting is not None:
                    self._counting.add(domain, batch)
                yield domain, batch
                del batch
        if self._counting is not None:
            self.aggregation = self._counting.result()

    def interrupt(self) -> None:
        for reader in self._readers:
            reader.interrupt()

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
        self._keys.close()

    def _aggregate(self, make: Callable[[], Aggregation]) -> None:
        self._counting = self._counting or make()
