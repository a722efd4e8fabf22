"""Shards of a job: jobs for ranges of its keys, and one manifest that joins their results in key order."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

import msgspec

from mesbatch.codec.checksum import joined_crc
from mesbatch.errors import ChunkLost, InvalidJob, JobNotFound, SchemaChanged, StoreError
from mesbatch.jobs.finished import FinishedDomains
from mesbatch.jobs.function import Aggregation, Conclusion, JobFunction, Work
from mesbatch.jobs.job import ending
from mesbatch.jobs.patience import Patience
from mesbatch.jobs.progress import DomainProgress, Progress
from mesbatch.jobs.publishing import COUNTED
from mesbatch.jobs.spec import JobSpec
from mesbatch.keys.collect import collect_keys
from mesbatch.store import Chunk, DomainAccount, KeyList, MissingKeys, ResultManifest, ResultWriter, read_keys
from mesbatch.store.inputs import StoredInputs, decode_handles
from mesbatch.store.protocol import ENDED, Facts, Lease, Store
from mesbatch.store.writer import read_journal

ADOPTED_AT_ONCE = 64  # chunks, as many as a directory takes in one step: their entries, of some 2 KB each, are held


def shards_of(facts: Facts) -> list[str]:
    """Return the ids of the shards of this job, in the order of their keys; none for a job that is not split."""
    return list(filter(None, facts.get("children", "").split(",")))


def all_ended(store: Store, shards: Iterable[str]) -> bool:
    """Return whether all shards have ended, or are gone: then their results are joined, or their job fails."""
    return all(one is None or one["status"] in ENDED for one in _facts_of(store, shards))


def progress_of(store: Store, facts: Facts) -> tuple[bool, dict[str, Any]]:
    """Return whether a shard has begun, and the progress of all of them."""
    keys = int(facts["cid_count"])
    total = Progress(keys, {domain: DomainProgress() for domain in facts["domains"].split(",")})
    shards = [one for one in _facts_of(store, shards_of(facts)) if one is not None]
    told = [msgspec.json.decode(one["progress"]) for one in shards if one["progress"]]
    for name, domain in total.domains.items():
        shown = [one["domains"][name] for one in told]
        domain.keys, domain.rows = sum(one["keys"] for one in shown), sum(one["rows"] for one in shown)
        domain.nbytes = sum(one["bytes"] for one in shown)
        domain.done = len(shown) == len(shards) and all(one["done"] for one in shown)
    return any(one["status"] != "queued" for one in shards), total.as_json()


def failure_of(store: Store, facts: Facts) -> Facts | None:
    """Return the facts that end a job because one of its shards did not finish; None when all did."""
    for shard, one in zip(shards_of(facts), _facts_of(store, shards_of(facts))):
        if one is None:
            return ending("lost", "lost", f"job {shard}, a shard of this one, is gone")
        match one["status"]:
            case "finished":
                continue
            case "cancelled" | "lost" | "failed" as status:
                return ending(status, one.get("code", ""), one.get("error", ""))
            case status:
                return ending("failed", "job-failed", f"job {shard}, a shard of this one, is {status}")
    return None


def remove_shards(store: Store, facts: Facts) -> None:
    """Remove what a join has left of the shards of a job; what cannot be removed now expires."""
    for shard in shards_of(facts):
        with suppress(StoreError):
            store.delete(shard)


@dataclass
class _Joined:
    """The rows of a domain in the shards before this one."""

    rows: int = 0
    checksum: str = "00000000"


@dataclass
class Joining:
    """A join of the results of shards: their chunks become those of the whole job, without being read.

    The death of a worker meanwhile is no loss: the next one goes on with the chunk that follows.
    """

    store: Store
    lease: Lease
    facts: Facts
    spec: JobSpec
    patiently: Patience
    _domains: dict[str, _Joined] = field(default_factory=dict)
    _missing: list[MissingKeys] = field(default_factory=list)
    _failed: dict[str, None] = field(default_factory=dict)

    def join(self, function: JobFunction, elapsed_seconds: Callable[[], float], check: Callable[[], None]) -> None:
        """Publish the whole result; *check* raises when the job is to stop."""
        writer, position = ResultWriter(self.store, self.lease), 0
        for shard in shards_of(self.facts):
            manifest = self.store.manifest(shard)
            if manifest is None:
                raise ChunkLost(f"the result of job {shard}, a shard of this one, is gone")
            for domain, account in manifest.domains.items():
                writer.start(domain, account.columns)
                _check_columns(domain, writer.domains[domain].columns, account.columns)
            chunks = self._chunks(shard, manifest)
            while some := list(islice(chunks, ADOPTED_AT_ONCE)):
                kept = some[max(0, self.lease.length - position) :]  # without those of a worker before us
                position += len(some)
                while kept:
                    check()
                    kept = kept[self.patiently(partial(writer.adopt, shard, kept)) :]
            self._failed |= dict.fromkeys(manifest.failed_domains)
            self._missing += manifest.missing_keys
        for domain in writer.domains:
            writer.end(domain, "partial" if domain in self._failed else "complete")
        finished = FinishedDomains(
            self.store, self.lease.job_id, self.spec.shape, writer.domains, lambda: position, self.patiently, check,
            self._failed,
        )  # fmt: skip
        if (counted := self._counted(function, finished)) is not None:
            writer.aggregate(counted)
        self.patiently(
            lambda: writer.finish(
                failed_domains=list(self._failed), missing_keys=self._missing, profile=self.spec.profile or "",
                shape=self.spec.shape, elapsed_seconds=elapsed_seconds(),
            )
        )  # fmt: skip

    def _chunks(self, shard: str, manifest: ResultManifest) -> Iterator[tuple[Chunk, DomainAccount]]:
        """Give out the chunks of a shard, each with the account of its domain in the whole job after it."""
        lengths: dict[str, int] = {}
        before = {name: self._domains.setdefault(name, _Joined()) for name in manifest.domains}
        found = 0
        for entry in read_journal(self.store, shard, len(manifest.chunks)):
            found, chunk = found + 1, entry.chunk
            account = entry.domains[chunk.domain]
            lengths[chunk.domain] = lengths.get(chunk.domain, -1) + chunk.size - 1  # a comma for two brackets
            joined = _after(before[chunk.domain], account, lengths[chunk.domain])
            self._domains[chunk.domain] = _Joined(joined.rows, joined.checksum)
            yield chunk, joined
        if found != len(manifest.chunks):
            of_all = f"{len(manifest.chunks) - found:,} of {len(manifest.chunks):,} entries of the journal"
            raise ChunkLost(f"{of_all} of job {shard}, a shard of this one, are gone")

    def _counted(self, function: JobFunction, finished: FinishedDomains) -> Mapping[str, Any] | None:
        """Merge the counts of all shards, and conclude."""
        made: list[Aggregation] = []
        conclusions: list[Conclusion] = []

        def note(make: Callable[[], Aggregation]) -> None:
            made.append(make())

        inputs = StoredInputs(self.store, decode_handles(self.facts.get("inputs", "")), self.patiently)
        max_bytes = int(self.facts.get("max_bytes") or self.spec.max_bytes)
        work = Work(
            [], self.spec.domains[:1], max_bytes, self.spec.on_failure, note, inputs, finished.rows, conclusions.append
        )
        function(work, **self.spec.arguments).close()
        if not made and not conclusions:
            return None
        counted = self._merged(made[0]).result() if made else {}
        if conclusions:
            with closing(collect_keys(self._keys())) as keys:
                counted = {**counted, **conclusions[-1](replace(work, keys=keys, domains=self.spec.domains))}
        return counted

    def _keys(self) -> Iterator[Any]:
        for shard in shards_of(self.facts):
            yield from read_keys(self.store, msgspec.json.decode(self.store.facts(shard)["keys"], type=KeyList))

    def _merged(self, aggregation: Aggregation) -> Aggregation:
        for shard in shards_of(self.facts):
            facts = self.store.facts(shard)
            counted = [msgspec.json.decode(facts[name]) for name in COUNTED if facts.get(name)]
            if counted:
                _merge(aggregation, max(counted, key=lambda one: one[0])[1])
        return aggregation


def _after(before: _Joined, account: DomainAccount, length: int) -> DomainAccount:
    """Return the account of the whole after a shard whose rows, *length* bytes of them, have this *account*."""
    checksum = account.checksum
    if before.rows:
        crc = joined_crc(zlib.crc32(b",", int(before.checksum, 16)), int(checksum, 16), length)
        checksum = f"{crc:08x}"
    return msgspec.structs.replace(account, rows=before.rows + account.rows, checksum=checksum)


def _check_columns(domain: str, known: list[dict[str, Any]], columns: list[dict[str, Any]]) -> None:
    if known != columns:
        raise SchemaChanged(f"the columns of {domain!r} are {known} in one shard of the job and {columns} in another")


def _merge(aggregation: Aggregation, state: Any) -> None:
    if not hasattr(aggregation, "merge"):
        raise InvalidJob(f"a job with shards needs {type(aggregation).__name__}.merge(state)")
    aggregation.merge(state)


def _facts_of(store: Store, job_ids: Iterable[str]) -> Iterator[Facts | None]:
    for job_id in job_ids:
        found = None
        with suppress(JobNotFound):
            found = store.facts(job_id)
        yield found
