"""The writing side of a running job: chunks, and beside them its counts, its missing keys and its progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from mesbatch.batch import Batch
from mesbatch.codec.column_rules import write_decimal
from mesbatch.errors import InvalidJob, SchemaChanged
from mesbatch.jobs.finished import FinishedDomains
from mesbatch.jobs.function import Aggregation, Conclusion, Work
from mesbatch.jobs.patience import Patience
from mesbatch.jobs.progress import DomainProgress, Progress
from mesbatch.jobs.spec import JobSpec
from mesbatch.jobs.stop import Stop
from mesbatch.keys.collect import Keys
from mesbatch.keys.resume import EncodedKey, decode_key, encode_key
from mesbatch.manifest import FailedKeys
from mesbatch.store import DomainAccount, MissingKeys, ResultWriter
from mesbatch.store.account import KeyColumn, Resume
from mesbatch.store.inputs import StoredInputs, decode_handles
from mesbatch.store.protocol import Facts, Lease, Store

PROGRESS_SECONDS = 0.5  # between two reports
COUNTED = ("counted_0", "counted_1")  # facts that hold the counts before and with the newest chunk

_encoder = msgspec.json.Encoder(decimal_format=write_decimal)


class Publishing:
    """A writer of the chunks of one job under *lease*, which goes on where the worker before this one stopped.

    Everything that belongs to a chunk is written down before it. The counts of the job's function are kept twice: as
    they were after the chunk before, and as they will be after this one. A retry goes on counting from those whose
    chunks it finds. *keys* are those of the job, None for one without.
    """

    def __init__(
        self,
        store: Store,
        lease: Lease,
        facts: Facts,
        spec: JobSpec,
        keys: Keys | None,
        patiently: Patience,
        stop: Stop,
    ) -> None:
        self._store, self._lease, self._facts, self._spec, self._keys = store, lease, facts, spec, keys
        self._patiently = patiently
        self._writer = ResultWriter(store, lease)
        self._length = lease.length  # chunks that are published
        self._failed_domains: list[str] = []
        self._finished = FinishedDomains(
            store, lease.job_id, spec.shape, self.domains, lambda: self._length, patiently, stop.check,
            self._failed_domains,
        )  # fmt: skip
        self._conclusion: Conclusion | None = None
        self._progress = Progress(
            0 if keys is None else len(keys), {domain: DomainProgress() for domain in spec.domains}
        )
        for domain, account in self._writer.domains.items():
            self._progress.domains[domain].rows = account.rows
            self._progress.domains[domain].resume = account.resume
        self._missing = _still_missing(facts, self._writer.domains)
        self._aggregation: Aggregation | None = None
        self._slot = 0
        self._notes: Facts = {}
        self._reported = float("-inf")

    @property
    def domains(self) -> dict[str, DomainAccount]:
        """The account of each domain that has begun."""
        return self._writer.domains

    def aggregate(self, make: Callable[[], Aggregation]) -> None:
        """Count with the object that *make* makes, from where the worker before stopped; a second call does nothing.

        Raises:
            InvalidJob: that worker did not count.
        """
        if self._aggregation is not None:
            return
        aggregation = make()
        if self._length:
            for slot, name in enumerate(COUNTED):
                counted = msgspec.json.decode(self._facts.get(name) or "[-1, null]")
                if counted[0] == self._length:
                    aggregation.restore(counted[1])
                    self._slot = 1 - slot
                    break
            else:
                raise InvalidJob(f"nothing was counted of the {self._length:,} chunks that are there already")
        self._aggregation = aggregation

    def work(
        self, keys: Keys | list[Any] | None, domains: tuple[str, ...], max_bytes: int,
        after: tuple[Any, ...] | None = None,
    ) -> Work:  # fmt: skip
        """Return the task to read *domains* for *keys*, or without keys *after* a place.

        The inputs of a shard are those of its whole job.
        """
        inputs = StoredInputs(self._store, decode_handles(self._facts.get("inputs", "")), self._patiently)
        return Work(
            keys, domains, max_bytes, self._spec.on_failure, self.aggregate, inputs, self._finished.rows,
            self._conclude, after,
        )  # fmt: skip

    @property
    def is_shard(self) -> bool:
        """True if other jobs read the other keys of one job."""
        return bool(self._facts.get("parent"))

    def begin(
        self, domain: str, columns: list[dict[str, str]], one_statement: str | None, key: KeyColumn | None,
        resume: Resume | None,
    ) -> None:  # fmt: skip
        """Begin *domain*, or go on with it if its columns are still the same.

        Raises:
            SchemaChanged: these are not the columns of the chunks that are there already.
        """
        known = self.domains.get(domain)
        if known is not None and known.columns != columns:
            raise SchemaChanged(f"the columns of {domain!r} were {known.columns} and are now {columns}")
        self._writer.start(domain, columns, one_statement, key=key, order=self._spec.order, resume=resume)
        self._progress.domains[domain].resume = resume

    def publish(
        self, domain: str, batch: Batch, data: bytes, last_key: Any, keys_done: int, *, ends_key: bool,
        point: tuple[Any, ...] | None = None,
    ) -> None:  # fmt: skip
        """Publish *data*, the JSON of *batch*, whose last key is *last_key*; *keys_done* keys are done then.

        *point* is the place in a keyset after the last row.
        """
        if self._aggregation is not None:
            self._aggregation.add(domain, batch)
            if ends_key:
                state = _encoder.encode([self._length + 1, self._aggregation.state()])
                self._notes[COUNTED[self._slot]] = state.decode()
                self._slot = 1 - self._slot
        if self._notes:
            self._write_down()
        self._patiently(
            lambda: self._writer.publish(domain, data, batch.num_rows, last_key, ends_key=ends_key, point=point)
        )
        self._length += 1
        progress = self._progress.domains[domain]
        progress.rows += batch.num_rows
        progress.nbytes += len(data)
        progress.keys = max(progress.keys, keys_done)
        self._report()

    def miss(self, domain: str, failed: list[FailedKeys]) -> None:
        """Remember, before the next chunk, the keys of *domain* that were given up."""
        others = [missing for missing in self._missing if missing.domain != domain]
        self._missing = others + [
            MissingKeys(domain, _encoded(one.first), _encoded(one.last), one.count) for one in failed
        ]
        self._notes["missing"] = _encoder.encode(self._missing).decode()

    def missing(self, domain: str) -> list[FailedKeys]:
        """Return the keys of *domain* that the worker before this one gave up."""
        return [
            FailedKeys(_decoded(one.first), _decoded(one.last), one.count, "")
            for one in self._missing
            if one.domain == domain
        ]

    def end(self, domain: str, *, complete: bool) -> None:
        """End *domain*: all its rows that can be had are published. A domain that never began has failed."""
        if domain in self.domains:
            self._writer.end(domain, "complete" if complete else "partial")
        if not complete:
            self._failed_domains.append(domain)
        progress = self._progress.domains[domain]
        progress.keys, progress.done = self._progress.keys, True
        self._report()

    def finish(self, elapsed_seconds: Callable[[], float], max_bytes: int) -> None:
        """Conclude, and publish the manifest; nothing comes after it but the status."""
        self._report(at_once=True)
        counted = {} if self._aggregation is None else self._aggregation.result()
        if self._conclusion is not None and not self.is_shard:  # shards are concluded when they are joined
            counted = {**counted, **self._conclusion(self.work(self._keys, self._spec.domains, max_bytes))}
        if self._aggregation is not None or self._conclusion is not None:
            self._writer.aggregate(counted)
        self._patiently(
            lambda: self._writer.finish(
                failed_domains=self._failed_domains, missing_keys=self._missing, profile=self._spec.profile or "",
                shape=self._spec.shape, elapsed_seconds=elapsed_seconds(),
            )
        )  # fmt: skip

    def _conclude(self, conclusion: Conclusion) -> None:
        self._conclusion = conclusion

    def _report(self, *, at_once: bool = False) -> None:
        if at_once or time.monotonic() - self._reported > PROGRESS_SECONDS:
            self._reported = time.monotonic()
            self._notes["progress"] = _encoder.encode(self._progress.as_json()).decode()
            self._write_down()

    def _write_down(self) -> None:
        notes, self._notes = self._notes, {}
        self._patiently(lambda: self._store.change(self._lease.job_id, notes, token=self._lease.token))


def _still_missing(facts: Facts, domains: dict[str, DomainAccount]) -> list[MissingKeys]:
    """Return the keys that were given up, without those above the last chunk, which will be read again."""
    missing = msgspec.json.decode(facts.get("missing") or "[]", type=list[MissingKeys])
    return [one for one in missing if (account := domains.get(one.domain)) and _is_before(one, account)]


def _is_before(missing: MissingKeys, account: DomainAccount) -> bool:
    if account.status != "reading":
        return True
    last, published = _decoded(missing.last), _decoded(account.last_key)
    return last is not None and published is not None and bool(last < published)


def _encoded(key: Any) -> EncodedKey | None:
    return None if key is None else encode_key(key)


def _decoded(key: EncodedKey | None) -> Any:
    return None if key is None else decode_key(key)
