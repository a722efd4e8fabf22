"""The reading side of a result: pages that read only their chunks, and every chunk checked."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import msgspec

from mesbatch.errors import ChunkLost, CorruptChunk, InvalidPage, JobNotComplete, ResultExpired, StoreError
from mesbatch.keys.collect import Keys
from mesbatch.sink.stream import ByteStream
from mesbatch.store.account import Chunk, ResultManifest
from mesbatch.store.job_id import check_job_id, new_job_id
from mesbatch.store.keyed_rows import KeyedRows, KeyIndex, keyed_rows
from mesbatch.store.protocol import Store
from mesbatch.store.stored_rows import Values
from mesbatch.store.writer import read_journal

HOLD_EVERY = 15.0  # seconds; a store forgets a reader after 600

_rows = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True)
class Page:
    """One page of the rows of a domain.

    Attributes:
        domain: The name of the domain.
        count: The number of rows of the page.
        total: The number of rows of the domain.
        data: The bytes of one JSON array, a chunk of them at a time. It raises `ChunkLost` or `CorruptChunk` where a
            chunk is not as it was published: then the array stays open.

    >>> from tempfile import TemporaryDirectory
    >>> from mesbatch.store import DirectoryStore, ResultWriter, new_job_id
    >>> with TemporaryDirectory() as folder:
    ...     store, job_id = DirectoryStore(folder), new_job_id()
    ...     store.create(job_id, {"status": "started"})
    ...     writer = ResultWriter(store, store.acquire(job_id, "me"))
    ...     writer.start("holds", [{"name": "ID"}])
    ...     writer.publish("holds", b'[{"ID":1},{"ID":2}]', rows=2, last_key=2)
    ...     writer.end("holds")
    ...     _ = writer.finish()
    ...     page = ResultReader(store, job_id).page("holds", offset=1)
    ...     page.count, page.total, b"".join(page.data)
    (1, 2, b'[{"ID":2}]')
    """

    domain: str
    count: int
    total: int
    data: ByteStream


class ResultReader:
    """A reader of the result of a job. Holds the manifest, about 100 bytes a chunk, and one chunk.

    Args:
        store: The store of the job.
        job_id: The job.

    Raises:
        InvalidJobId: *job_id* cannot be one; nothing was asked.
    """

    def __init__(self, store: Store, job_id: str) -> None:
        self._store, self._job_id = store, check_job_id(job_id)
        self._manifest: ResultManifest | None = None
        self._indexes: dict[str, KeyIndex] = {}

    @property
    def job_id(self) -> str:
        """The id of the job."""
        return self._job_id

    @property
    def manifest(self) -> ResultManifest:
        """The account of the whole result.

        Raises:
            JobNotFound: there is no such job.
            JobNotComplete: it has no result yet, or ended without one.
            ResultExpired: it had one.
        """
        if self._manifest is None:
            self._manifest = self._store.manifest(self._job_id) or self._explain()
        return self._manifest

    def page(self, domain: str, *, offset: int = 0, limit: int = 0) -> Page:
        """Return rows *offset* to *offset* + *limit* of *domain* in their published order; 0 means all that follow.

        The chunks that hold these rows are read one after the other, as *data* is read.

        Raises:
            InvalidPage: a negative number, an *offset* beyond the end, or no such domain.
            JobNotFound, JobNotComplete, ResultExpired: as `manifest`.
        """
        manifest = self.manifest
        account = manifest.domains.get(domain)
        if account is None:
            raise InvalidPage(f"there is no {domain!r} in this result, only {', '.join(manifest.domains)}")
        if offset < 0 or limit < 0 or offset > account.rows:
            raise InvalidPage(
                f"offset={offset:,} and limit={limit:,} of {account.rows:,} rows: neither may be negative, "
                "and the offset not beyond the end"
            )
        end = min(offset + limit, account.rows) if limit else account.rows
        chunks = [chunk for chunk in manifest.chunks if chunk.domain == domain]
        return Page(domain, end - offset, account.rows, ByteStream(self._array(chunks, offset, end), None))

    def rows(self, domain: str, keys: Iterable[Any] | Keys) -> KeyedRows:
        """Return the rows of *domain* that have any of *keys*, as pairs of key and row, in one pass over its chunks.

        Keys are given as the job was asked for them, in any order, and are sorted as the chunks are; only chunks that
        can hold one are read. A row is a tuple of the stored values: dates and UUIDs are text, bytes are base64. A key
        of a CHAR column is given out without trailing blanks. Holds one chunk and the keys, and 250 bytes a chunk.

        Raises:
            NotIndexed: the domain is partial, or was read by one statement, or with ``order="any"``, or without keys.
            InvalidPage: there is no such domain.
            InvalidKey: a key that no row can have, or of another type than the job's.
            JobNotFound, JobNotComplete, ResultExpired: as `manifest`.
            ChunkLost, CorruptChunk: while reading; a chunk is not as it was published.
        """
        manifest = self.manifest
        hold = _Hold(self._store, self._job_id)

        def read(chunk: Chunk) -> bytes:
            hold.renew()
            return self.read(chunk)

        account = manifest.domains.get(domain)
        found = keyed_rows(
            domain, account, manifest.shape, self._index(domain), keys, read, failed=manifest.failed_domains
        )
        return KeyedRows(found.columns, self._let_go_after(found, hold))

    def aggregation(self) -> bytes | None:
        """Return the aggregation as JSON, if there is one.

        Raises:
            ChunkLost, CorruptChunk: it is not as it was published.
        """
        expected = self.manifest.aggregation
        if expected is None:
            return None
        data = self._store.aggregation(self._job_id)
        if data is None:
            raise ChunkLost(f"the aggregation of job {self._job_id} is gone")
        if zlib.crc32(data) != expected:
            raise CorruptChunk(f"the aggregation of job {self._job_id} is not as it was published")
        return data

    def read(self, chunk: Chunk) -> bytes:
        """Return the bytes of *chunk*, as they were published.

        Raises:
            ChunkLost: it is gone.
            CorruptChunk: these are other bytes.
        """
        name = f"chunk {chunk.number} of {chunk.domain!r} of job {self._job_id}"
        data = self._store.chunk(self._job_id, chunk)
        if data is None:
            raise ChunkLost(f"{name} is gone: {chunk.rows:,} rows are missing")
        if len(data) != chunk.size or zlib.crc32(data) != chunk.crc:
            raise CorruptChunk(
                f"{name} is damaged: {len(data):,} of {chunk.size:,} bytes, with the checksum "
                f"{zlib.crc32(data):08x} for {chunk.crc:08x}"
            )
        return data

    @contextmanager
    def held(self) -> Iterator[_Hold]:
        """Keep the result from being swept; call *renew* of the yielded hold at least once a minute."""
        hold = _Hold(self._store, self._job_id)
        try:
            hold.renew()
            yield hold
        finally:
            with suppress(StoreError):  # the rows are out; the hold runs out by itself
                self._store.let_go(self._job_id, hold.reader)

    def _array(self, chunks: list[Chunk], offset: int, end: int) -> Generator[bytes]:
        ends = list(accumulate(chunk.rows for chunk in chunks))
        opening = b"["
        with self.held() as hold:
            for chunk, chunk_end in zip(chunks, ends):
                first = chunk_end - chunk.rows
                if chunk.rows and first < end and chunk_end > offset:
                    hold.renew()
                    rows = _cut(self.read(chunk), max(0, offset - first), min(end - first, chunk.rows), chunk.rows)
                    yield opening + rows
                    opening = b","
        yield b"]" if opening == b"," else b"[]"

    def _index(self, domain: str) -> KeyIndex:
        if domain not in self._indexes:
            journal = read_journal(self._store, self._job_id, len(self.manifest.chunks))
            self._indexes[domain] = KeyIndex.of(domain, journal)
        return self._indexes[domain]

    def _let_go_after(self, rows: KeyedRows, hold: _Hold) -> Generator[tuple[Any, Values]]:
        try:
            yield from rows
        finally:
            rows.close()
            self._store.let_go(self._job_id, hold.reader)

    def _explain(self) -> ResultManifest:
        status = self._store.facts(self._job_id).get("status", "")
        if status == "finished":
            if manifest := self._store.manifest(self._job_id):  # it came since we looked
                return manifest
            raise ResultExpired(f"the result of job {self._job_id} has expired")
        raise JobNotComplete(f"job {self._job_id} is {status}: it has no whole result")


class _Hold:
    """A reader's hold on a result, renewed as long as it reads."""

    def __init__(self, store: Store, job_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.reader = new_job_id()
        self._store, self._job_id, self._clock = store, job_id, clock
        self._until = float("-inf")

    def renew(self) -> None:
        if self._clock() >= self._until:
            self._until = self._clock() + HOLD_EVERY
            self._store.hold(self._job_id, self.reader)


def _cut(data: bytes, first: int, end: int, rows: int) -> bytes:
    """Return the rows from *first* to *end* of the JSON array *data*, without the brackets."""
    if first == 0 and end == rows:
        return data[1:-1]
    return b",".join(_rows.decode(data)[first:end])
