"""Function of a job, called within a request: the same rows by the same code, without a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mesbatch.adapters.http.reads import ReadsInTurn
from mesbatch.admission import LearnedBytes
from mesbatch.batch import Batch
from mesbatch.jobs import Aggregation, Work
from mesbatch.jobs.function import JobFunction
from mesbatch.keys.collect import Keys
from mesbatch.read.part import OnFailure
from mesbatch.trace.read import TraceReader


class FunctionRead(ReadsInTurn):
    """Rows of *domains* for *keys* that *function* reads, as one trace; *one_by_one* calls it for each domain.

    A domain that fails is named and the others go on, as the trace's contract wants, unless *on_failure* is ``raise``.
    An aggregation of the function counts here, with one object for all domains. Every domain that is complete at the
    end teaches *learned* its bytes per key. The *keys* are closed with it.

    Raises:
        Exception: whatever *function* raises; it reads nothing yet.
    """

    def __init__(
        self, function: JobFunction, arguments: Mapping[str, Any], keys: Keys, domains: Sequence[str], max_bytes: int,
        learned: LearnedBytes, *, one_by_one: bool, on_failure: OnFailure = "partial",
    ) -> None:  # fmt: skip
        readers: list[TraceReader] = []
        super().__init__(readers)
        self._keys, self._key_count, self._learned = keys, len(keys), learned
        self._counting: Aggregation | None = None
        self._counted: Mapping[str, Any] | None = None
        try:
            for some in [(domain,) for domain in domains] if one_by_one else [tuple(domains)]:
                work = Work(keys, some, max_bytes, on_failure, self._aggregate)
                readers.append(function(work, **arguments))
        except BaseException:
            self.close()
            raise

    @property
    def cid_count(self) -> int:
        return self._key_count

    @property
    def aggregation(self) -> Mapping[str, Any] | None:
        return self._counted

    def __iter__(self) -> Iterator[tuple[str, Batch]]:
        for domain, batch in super().__iter__():
            if self._counting is not None:
                self._counting.add(domain, batch)
            yield domain, batch
            del batch
        if self._counting is not None:
            self._counted = self._counting.result()
        self._learn()

    def close(self) -> None:
        super().close()
        self._keys.close()

    def _learn(self) -> None:
        for domain, manifest in self.manifests.items():
            if manifest.complete:
                self._learned.add(domain, keys=manifest.keys, nbytes=manifest.nbytes)

    def _aggregate(self, make: Callable[[], Aggregation]) -> None:
        self._counting = self._counting or make()
