"""The interface of every store of jobs: everything of a job that outlives a process."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mesbatch.store.account import Chunk, DomainAccount, Entry, ResultManifest

LEASE_SECONDS = 15.0  # three heartbeats of 5 s: a dead worker is found within 20 s
TTL_SECONDS = 3_600.0  # TRACE_JOB_TTL_SECONDS
ENDED = frozenset({"finished", "failed", "cancelled", "lost"})  # statuses that nothing follows

# A stream reads profile, cid_count, domains (joined by commas), status, progress (a JSON object), error and shape. The
# names of the contract are these but the last, and created_at and completed_at; any other is ours.
Facts = dict[str, str]
CONTRACT_FACTS = frozenset(
    {"profile", "cid_count", "domains", "status", "progress", "created_at", "completed_at", "error"}
)
# Ours, and kept beside those of the contract: they tell whether the other facts of a job are still there.
MARK, OWNER_DIGEST = "mesbatch", "owner_digest"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to publish for a job, until another worker acquires it.

    Attributes:
        job_id: The job.
        owner: The name of the worker.
        token: A number that grows with each worker of the job; only the highest one publishes.
        length: Chunks of the journal that are kept; the last of them ends a key in every domain.
        domains: The account after these chunks, from which a new try goes on.

    >>> from tempfile import TemporaryDirectory
    >>> from mesbatch.store import DirectoryStore, new_job_id
    >>> with TemporaryDirectory() as folder:
    ...     store, job_id = DirectoryStore(folder), new_job_id()
    ...     store.create(job_id, {"status": "queued"})
    ...     store.acquire(job_id, "me").length
    0
    """

    job_id: str
    owner: str
    token: int
    length: int = 0
    domains: Mapping[str, DomainAccount] = field(default_factory=dict)


class Store(Protocol):
    """Jobs by id: small facts, a lease, the list of keys, and the result.

    Every method first checks the id (`InvalidJobId`). A method with a `Lease` or a token checks it in the same step as
    it writes: once another worker has acquired the job, it raises `LeaseLost` and nothing is written. Any method may
    raise `StoreUnavailable`, and one that writes `ResultStoreFull`. May be used from several threads.

    >>> from tempfile import TemporaryDirectory
    >>> from mesbatch.store import DirectoryStore, new_job_id
    >>> def start(store: Store) -> str:
    ...     job_id = new_job_id()
    ...     store.create(job_id, {"status": "queued"})
    ...     return store.facts(job_id)["status"]
    >>> with TemporaryDirectory() as folder:
    ...     start(DirectoryStore(folder))
    'queued'
    """

    @property
    def ttl(self) -> float:
        """Seconds for which a job is kept after its last sign of life."""

    @property
    def lease_seconds(self) -> float:
        """Seconds after which a lease that was not renewed may be taken over."""

    # -- the job

    def create(self, job_id: str, facts: Mapping[str, str]) -> None:
        """Create a job with its first *facts*, ``status`` among them.

        Raises:
            StatusConflict: there is a job of this id.
        """

    def facts(self, job_id: str) -> Facts:
        """Return all facts.

        Raises:
            JobNotFound: there is no such job, or it has expired.
        """

    def change(
        self,
        job_id: str,
        changes: Mapping[str, str],
        *,
        only_if: Collection[str] | None = None,
        token: int | None = None,
    ) -> Facts:
        """Set the facts in *changes* at once and return all; with *token* only for the holder of that lease.

        Raises:
            StatusConflict: the status is none of *only_if*, or *changes* has a ``status`` and the job has ended.
            JobNotFound: there is no such job.
        """

    def claim(self, name: str, job_id: str, instead_of: str | None) -> str:
        """Give *name*, a SHA-256 in hexadecimal digits, to *job_id* if it belongs to *instead_of*, or to nobody.

        Returns the job that it belongs to afterwards. Of several that ask at once for the same, one gets it. A name is
        forgotten some time after its job would have expired.
        """

    def job_ids(self) -> Iterator[str]:
        """Give out the ids of the jobs that are there, in no order."""

    def open_jobs(self, *, unlisted: bool = False) -> Iterator[str]:
        """Give out the ids of the jobs that may not have ended; the cost does not grow with those that have.

        With *unlisted* all jobs are gone through, for those that an older version stored without listing them.
        """

    def unlist(self, job_id: str) -> None:
        """Note that `open_jobs` need not name the job any more."""

    def delete(self, job_id: str) -> None:
        """Remove a job with everything of it, if it is there."""

    def sweep(self) -> int:
        """Remove expired jobs and leftovers of dead writers, nothing that is being read; return the number of jobs."""

    # -- its lease

    def acquire(self, job_id: str, owner: str) -> Lease:
        """Become the one worker of the job, and drop the chunks that were published after the last end of a key.

        Raises:
            LeaseHeld: the lease of another worker has not run out.
            StatusConflict: the result is finished.
            JobNotFound: there is no such job.
        """

    def renew(self, lease: Lease) -> None:
        """Hold *lease* for another `lease_seconds`, and the job for another `ttl`."""

    def release(self, lease: Lease) -> None:
        """Let the next worker in at once; nothing happens when the lease is already lost."""

    def holder(self, job_id: str) -> str | None:
        """Return the owner of the lease; None when nobody has it or it ran out."""

    # -- its keys

    def put_keys(self, job_id: str, number: int, data: bytes) -> None:
        """Store a part of the list of keys."""

    def keys(self, job_id: str, number: int) -> bytes | None:
        """Return a part of the list of keys, as it was stored; None when it is gone."""

    # -- its inputs

    def put_input(self, job_id: str, number: int, data: bytes) -> None:
        """Store a part of the inputs; *number* counts the parts of all of them from 0, without gaps."""

    def input(self, job_id: str, number: int) -> bytes | None:
        """Return a part of the inputs, as it was stored; None when it is gone."""

    # -- its result

    def append(self, lease: Lease, entry: Entry, data: bytes) -> Chunk:
        """Publish a chunk: *data*, and then *entry* at the end of the journal; return the chunk as it was stored."""

    def adopt(self, lease: Lease, entries: Sequence[Entry], source: str, chunks: Sequence[Chunk]) -> list[Chunk]:
        """Publish *chunks* of the job *source* as those of *entries*: the first, and those that go in one step with it.

        Returns these, as they are stored now. Their bytes stay in the store, and may leave *source*. The same call,
        made again after one that failed, publishes nothing twice.

        Raises:
            ChunkLost: one is gone.
        """

    def finish(self, lease: Lease, manifest: ResultManifest, aggregation: bytes | None) -> None:
        """Publish *aggregation* and then *manifest*; the result is kept for another `ttl`."""

    def journal(self, job_id: str, first: int, count: int) -> Sequence[Entry]:
        """Return at most *count* entries from position *first* on, as far as there are any."""

    def chunk(self, job_id: str, chunk: Chunk) -> bytes | None:
        """Return the bytes of a chunk, unchecked; None when they are gone."""

    def manifest(self, job_id: str) -> ResultManifest | None:
        """Return the manifest, once the result is finished."""

    def aggregation(self, job_id: str) -> bytes | None:
        """Return the aggregation of a finished result, a JSON object."""

    def whole_result(self, job_id: str) -> bytes | None:
        """Return a result that the first implementation left in one piece, where this store can have any."""

    def hold(self, job_id: str, reader: str) -> None:
        """Keep the job's result for ten minutes, also past its time, for *reader*, an id like a job's."""

    def let_go(self, job_id: str, reader: str) -> None:
        """Keep the result for *reader* no longer."""
