"""Finished domains of a job, for its function: rows by key, and what is counted of them at the end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mesbatch.codec.rows import Shape
from mesbatch.jobs.patience import Patience
from mesbatch.keys.collect import Keys
from mesbatch.store.account import Chunk, DomainAccount
from mesbatch.store.keyed_rows import KeyedRows, KeyIndex, keyed_rows
from mesbatch.store.protocol import Store
from mesbatch.store.reader import ResultReader
from mesbatch.store.writer import read_journal


@dataclass
class FinishedDomains:
    """The rows of the domains of the running job *job_id* that have ended.

    *domains* is the account of all domains, which grows, and *length* tells how many chunks are published by now.
    *check* raises when the job is to stop; it is called before each chunk. *failed* are domains of which nothing could
    be read.
    """

    store: Store
    job_id: str
    shape: Shape
    domains: Mapping[str, DomainAccount]
    length: Callable[[], int]
    patiently: Patience
    check: Callable[[], None]
    failed: Collection[str]
    _indexes: dict[str, KeyIndex] = field(default_factory=dict)

    def rows(self, domain: str, keys: Iterable[Any] | Keys) -> KeyedRows:
        """Return the rows of a *domain* that has ended, as `ResultReader.rows` does."""
        account = self.domains.get(domain)
        index = KeyIndex()
        if account is not None and account.status != "reading":
            index = self._indexes[domain] = self._indexes.get(domain) or self._make_index(domain)
        return keyed_rows(domain, account, self.shape, index, keys, self._read, failed=self.failed)

    def _make_index(self, domain: str) -> KeyIndex:
        return self.patiently(lambda: KeyIndex.of(domain, read_journal(self.store, self.job_id, self.length())))

    def _read(self, chunk: Chunk) -> bytes:
        self.check()
        return self.patiently(partial(ResultReader(self.store, self.job_id).read, chunk))
