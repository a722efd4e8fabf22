"""Function of a job, called within a request: the same rows by the same code, without a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mesbatch.adapters.http.reads import ReadsInTurn
from mesbatch.admission import LearnedBytes
from mesbatch.batch import Batch
from mesbatch.jobs import Aggregation, Work
from mesbatch.jobs.function import Conclusion, JobFunction
from mesbatch.jobs.kept_rows import KeptRows
from mesbatch.keys.collect import Keys
from mesbatch.read.part import OnFailure
from mesbatch.store.inputs import InputReader
from mesbatch.trace.read import TraceReader


class FunctionRead(ReadsInTurn):
    """Rows of *domains* for *keys* that *function* reads, as one trace; *one_by_one* calls it for each domain.

    A domain that fails is named and the others go on, as the trace's contract wants, unless *on_failure* is ``raise``.
    An aggregation of the function counts here, with one object for all domains. Where the function concludes, the rows
    are kept on disk as they pass. Every domain that is complete at the end teaches *learned* its bytes per key. The
    *keys* are closed with it, and None reads without any; *inputs* are those that *function* opens.

    Raises:
        Exception: whatever *function* raises; it reads nothing yet.
    """

    def __init__(
        self, function: JobFunction, arguments: Mapping[str, Any], keys: Keys | None, domains: Sequence[str],
        max_bytes: int, learned: LearnedBytes, *, one_by_one: bool, on_failure: OnFailure = "partial",
        inputs: Mapping[str, InputReader] | None = None,
    ) -> None:  # fmt: skip
        self._readers = readers = list[TraceReader]()
        super().__init__(readers)
        self._keys, self._key_count, self._learned = keys, None if keys is None else len(keys), learned
        self._counting: Aggregation | None = None
        self._counted: Mapping[str, Any] | None = None
        self._conclusions: list[Conclusion] = []
        self._kept: KeptRows | None = None
        self._work = Work(
            keys,
            tuple(domains),
            max_bytes,
            on_failure,
            self._aggregate,
            inputs or {},
            conclude=self._conclusions.append,
        )
        try:
            parts = [(domain,) for domain in domains] if one_by_one else [tuple(domains)]
            readers.extend(function(replace(self._work, domains=some), **arguments) for some in parts)
            if self._conclusions and keys is not None:
                self._kept = KeptRows(keys)
        except BaseException:
            self.close()
            raise

    @property
    def key_count(self) -> int | None:
        return self._key_count

    @property
    def aggregation(self) -> Mapping[str, Any] | None:
        return self._counted

    def __iter__(self) -> Iterator[tuple[str, Batch]]:
        for reader in self._readers:
            for domain, batch in reader:
                if self._counting is not None:
                    self._counting.add(domain, batch)
                if self._kept is not None:
                    self._kept.add(reader, domain, batch)
                yield domain, batch
                del batch
            if self._kept is not None:
                self._kept.end(reader)
        if self._counting is not None:
            self._counted = self._counting.result()
        if self._conclusions:
            conclude = self._conclusions[-1]  # each call of the function names it
            work = self._work if self._kept is None else replace(self._work, rows=self._kept.rows)
            self._counted = {**(self._counted or {}), **conclude(work)}
        self._learn()

    def close(self) -> None:
        super().close()
        if self._kept is not None:
            self._kept.close()
        if self._keys is not None:
            self._keys.close()

    def _learn(self) -> None:
        for domain, manifest in self.manifests.items():
            if manifest.complete:
                self._learned.add(domain, keys=manifest.keys, nbytes=manifest.nbytes)

    def _aggregate(self, make: Callable[[], Aggregation]) -> None:
        self._counting = self._counting or make()
