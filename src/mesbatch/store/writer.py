"""The writing side of a result: chunks, the account of each domain, the manifest last."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from mesbatch.codec.checksum import Checksum
from mesbatch.codec.column_rules import write_decimal
from mesbatch.codec.rows import Shape
from mesbatch.errors import InvalidDomain, JobNotComplete
from mesbatch.keys.choose import Order
from mesbatch.keys.resume import encode_key
from mesbatch.store.account import Chunk, DomainAccount, Entry, KeyColumn, MissingKeys, ResultManifest, Resume
from mesbatch.store.protocol import Lease, Store

DOMAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")  # a domain is part of Redis keys and of a comma-separated fact
JOURNAL_PART = 256  # entries that are read at a time

_encoder = msgspec.json.Encoder(decimal_format=write_decimal)


class ResultWriter:
    """A writer of the result of one job. Holds about 150 bytes a chunk.

    Every method that publishes may raise `LeaseLost`, `ResultStoreFull` and `StoreUnavailable`; then nothing of that
    call can be read.

    Args:
        store: The store of the job.
        lease: The lease that this worker holds. Its ``domains`` are the account of the chunks that a worker before us
            left, each domain up to the end of a key.

    >>> from tempfile import TemporaryDirectory
    >>> from mesbatch.store import DirectoryStore, ResultReader, new_job_id
    >>> folder = TemporaryDirectory()
    >>> store, job_id = DirectoryStore(folder.name), new_job_id()
    >>> store.create(job_id, {"status": "started"})
    >>> writer = ResultWriter(store, store.acquire(job_id, "me"))
    >>> writer.start("holds", [{"name": "ID"}])
    >>> writer.publish("holds", b'[{"ID":1},{"ID":2}]', rows=2, last_key=2)
    >>> writer.end("holds")
    >>> writer.finish().total_records
    2
    >>> b"".join(ResultReader(store, job_id).page("holds", offset=1).data)
    b'[{"ID":2}]'
    >>> folder.cleanup()
    """

    def __init__(self, store: Store, lease: Lease) -> None:
        self._store, self._lease = store, lease
        self.domains: dict[str, DomainAccount] = dict(lease.domains)
        self._chunks = [entry.chunk for entry in read_journal(store, lease.job_id, lease.length)]
        self._checksums = {
            name: Checksum.after(domain.checksum, rows=domain.rows) for name, domain in self.domains.items()
        }
        self._aggregation: bytes | None = None

    def start(
        self,
        domain: str,
        columns: Sequence[Mapping[str, Any]],
        one_statement: str | None = None,
        *,
        key: KeyColumn | None = None,
        order: Order = "key",
        resume: Resume | None = None,
    ) -> None:
        """Begin *domain*, with the *columns* of its `RowEncoder`, unless a worker before us began it.

        *one_statement* is the reason why one statement reads all its keys; then no worker can go on between its chunks.
        *key* is the column by whose keys the rows come in order; *order* the one that was asked for; *resume* how a
        worker goes on without keys.

        Raises:
            InvalidDomain: a name with other characters than letters, digits, ``_.-``, or of more than 64.
        """
        if not DOMAIN.fullmatch(domain):
            raise InvalidDomain(f"{domain[:80]!r} cannot be stored: a domain is 1 to 64 letters, digits and _.-")
        if domain not in self.domains:
            self.domains[domain] = DomainAccount(
                [dict(column) for column in columns], one_statement=one_statement, key=key, order=order, resume=resume
            )
            self._checksums[domain] = Checksum()

    def publish(
        self,
        domain: str,
        data: bytes,
        rows: int,
        last_key: Any = None,
        *,
        ends_key: bool = True,
        point: Sequence[Any] | None = None,
    ) -> None:
        """Publish a chunk: *data*, a compact JSON array of *rows* rows of a *domain* that was started.

        *last_key* is the key of the last row, as it was asked for. *ends_key* says that all its rows are there after
        this chunk, so that a retry may begin with the next key. *point* has the values of a keyset in the last row.
        """
        checksum = self._checksums[domain]
        before, account = checksum.hexdigest(), self.domains[domain]
        checksum.update_list(data)
        after = msgspec.structs.replace(
            account, chunks=account.chunks + 1, rows=account.rows + rows, checksum=checksum.hexdigest(),
            last_key=None if last_key is None else encode_key(last_key), ends_key=ends_key,
            point=None if point is None else list(map(encode_key, point)),
        )  # fmt: skip
        chunk = Chunk(
            len(self._chunks), domain, account.chunks, rows, len(data), zlib.crc32(data), self._lease.token
        )  # fmt: skip
        try:
            chunk = self._store.append(self._lease, Entry(chunk, {**self.domains, domain: after}), data)
        except BaseException:
            self._checksums[domain] = Checksum.after(before, rows=account.rows)
            raise
        self.domains[domain] = after
        self._chunks.append(chunk)

    def adopt(self, source: str, chunks: Sequence[tuple[Chunk, DomainAccount]]) -> int:
        """Publish the first of *chunks* of the job *source*, as many as the store takes at once; return their number.

        Each account has the rows and the checksum of the chunk's domain after it.
        """
        entries, domains = list[Entry](), dict(self.domains)
        for position, (chunk, account) in enumerate(chunks, len(self._chunks)):
            number = domains[chunk.domain].chunks
            place = msgspec.structs.replace(
                chunk, position=position, number=number, token=self._lease.token, overflow=False
            )
            domains[chunk.domain] = msgspec.structs.replace(account, chunks=number + 1, ends_key=True, status="reading")
            entries.append(Entry(place, dict(domains)))
        stored = self._store.adopt(self._lease, entries, source, [chunk for chunk, _ in chunks])
        self._chunks += stored
        self.domains.update(entries[len(stored) - 1].domains)
        for name, domain in self.domains.items():
            self._checksums[name] = Checksum.after(domain.checksum, rows=domain.rows)
        return len(stored)

    def end(self, domain: str, status: Literal["complete", "partial", "truncated"] = "complete") -> None:
        """End *domain*: all its rows are published. Readers learn of it with the next chunk."""
        self.domains[domain] = msgspec.structs.replace(self.domains[domain], status=status)

    def aggregate(self, aggregation: Mapping[str, Any]) -> None:
        """Take the counts that were made on the way; `finish` publishes them."""
        self._aggregation = _encoder.encode(aggregation)

    def finish(
        self,
        *,
        failed_domains: Sequence[str] = (),
        missing_keys: Iterable[MissingKeys] = (),
        profile: str = "",
        shape: Shape = "objects",
        elapsed_seconds: float = 0.0,
    ) -> ResultManifest:
        """Publish the manifest: the result is whole then, but for *failed_domains* and *missing_keys*.

        Raises:
            JobNotComplete: a domain was started and did not end.
        """
        if open_domains := [name for name, domain in self.domains.items() if domain.status == "reading"]:
            raise JobNotComplete(f"the result cannot be finished: {', '.join(open_domains)} did not end")
        manifest = ResultManifest(
            self.domains, self._chunks, list(failed_domains), list(missing_keys), profile, shape,
            round(elapsed_seconds, 3), None if self._aggregation is None else zlib.crc32(self._aggregation),
        )  # fmt: skip
        self._store.finish(self._lease, manifest, self._aggregation)
        return manifest


def read_journal(store: Store, job_id: str, length: int) -> Iterable[Entry]:
    """Give out the first *length* entries, 256 held at a time."""
    for first in range(0, length, JOURNAL_PART):
        yield from store.journal(job_id, first, min(JOURNAL_PART, length - first))
