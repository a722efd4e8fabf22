"""A stored result as the NDJSON stream that clients know, also while the job still writes it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from mesbatch.codec.checksum import Checksum
from mesbatch.codec.not_json import NOT_JSON
from mesbatch.codec.rows import Shape
from mesbatch.errors import ChunkLost, CorruptChunk, InvalidPage, JobFailed, JobNotFound, ResultChanged, ResultExpired
from mesbatch.sink.stream import ByteStream
from mesbatch.store.account import Chunk, DomainAccount, Entry, ResultManifest
from mesbatch.store.protocol import ENDED, Facts, Store
from mesbatch.store.reader import ResultReader
from mesbatch.trace import lines
from mesbatch.trace.words import TRACE_WORDS, Words

POLL_SECONDS = 0.2  # a chunk is seen so late, and the store is asked so often
PROGRESS_SECONDS = 5.0  # the contract's longest silence
ENTRIES = 32  # of the journal, read at a time

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChunkLine:
    """A ``records`` line whose *chunk* was checked, and is read again when it is sent: *head*, the chunk, *tail*."""

    reader: ResultReader
    chunk: Chunk
    head: bytes
    tail: bytes

    @property
    def place(self) -> tuple[object, ...]:
        """The names of the chunk in its store, which never has other bytes there."""
        return self.reader.job_id, self.chunk

    def read(self) -> bytes:
        """Read the chunk again, and check it.

        Raises:
            ChunkLost, CorruptChunk: as `ResultReader.read`.
        """
        return self.reader.read(self.chunk)


Steps = Generator[bytes | ChunkLine]


def stored_lines(
    store: Store,
    job_id: str,
    *,
    from_: int = 0,
    poll: float = POLL_SECONDS,
    progress: float = PROGRESS_SECONDS,
    words: Words = TRACE_WORDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> ByteStream:
    """Write the result of the job one line a chunk, from its *from_*-th ``records`` line on, and follow it to its end.

    While the job runs, the store is asked for more every *poll* seconds, and a ``progress`` line is sent when there
    was no line for *progress* seconds. Stored bytes become part of their line without being parsed. Holds one chunk,
    32 entries of the journal and, at the end, the manifest. With *from_* = n the stream begins with ``meta``, and does
    not repeat the lines before the n-th ``records`` line.

    Once the stream has begun, nothing is raised: a chunk that is lost or damaged, a job that ends without a result, or
    a retry that gave other rows than were sent, end it with an ``error`` line.

    Raises:
        InvalidPage: *from_* is negative, or beyond the end of a finished result.
        JobNotFound: there is no such job.
        ResultExpired: it had a result.
    """
    pace = _Pace(poll, progress, clock, sleep)
    return ByteStream(cast("Generator[bytes]", _steps(store, job_id, from_, pace, words, lean=False)), None)


def stored_steps(
    store: Store, job_id: str, *, from_: int = 0, progress: float = PROGRESS_SECONDS, words: Words = TRACE_WORDS
) -> Generator[bytes | ChunkLine]:
    """Write what `stored_lines` writes in steps that hold no chunk and never sleep, for an event loop.

    A ``records`` line comes as a `ChunkLine`. Where there is nothing to send yet, a step is empty, and the next one
    should wait for `POLL_SECONDS`.

    Raises:
        InvalidPage, JobNotFound, ResultExpired: as `stored_lines`.
    """
    return _steps(store, job_id, from_, _Pace(0, progress, time.monotonic, _no_sleep), words, lean=True)


def _steps(
    store: Store, job_id: str, from_: int, pace: _Pace, words: Words, *, lean: bool
) -> Generator[bytes | ChunkLine]:
    whole = store.whole_result(job_id)
    if whole is not None:
        return _one(lines.full_result(whole))
    facts, manifest = _look(store, job_id)
    if manifest is None and facts.get("status") == "finished":
        raise ResultExpired(f"the result of job {job_id} has expired")
    if from_ < 0 or (manifest is not None and from_ > len(manifest.chunks)):
        end = "" if manifest is None else f", which has {len(manifest.chunks):,} chunks"
        raise InvalidPage(f"from={from_:,}: it must not be negative, nor beyond the end of the result{end}")
    return _StoredStream(store, job_id, facts, manifest, from_, pace, words, lean=lean).lines()


class _Pace:
    """The pace of a stream: the wait between two questions, and the silence after which it says that it waits."""

    def __init__(
        self, poll: float, progress: float, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._poll, self._progress, self._clock, self._sleep = poll, progress, clock, sleep
        self._began = clock()
        self._said: float | None = None

    @property
    def elapsed_seconds(self) -> float:
        return round(self._clock() - self._began, 3)

    def said(self) -> None:
        self._said = self._clock()

    def silent_too_long(self) -> bool:
        return self._said is None or self._clock() - self._said >= self._progress

    def wait(self) -> None:
        self._sleep(self._poll)


class _StoredStream:
    """The lines of one job, and the account of those that this stream has sent."""

    def __init__(
        self, store: Store, job_id: str, facts: Facts, manifest: ResultManifest | None, first: int, pace: _Pace,
        words: Words, *, lean: bool,
    ) -> None:  # fmt: skip
        self._store, self._job_id = store, job_id
        self._whole = None if manifest is None else _Whole.of(manifest)
        self._meta_line = _meta(job_id, facts, manifest, words)
        self._shape: Shape = manifest.shape if manifest is not None else _shape(facts)
        self._lean, self._words = lean, words
        self._reader, self._position, self._pace = ResultReader(store, job_id), first, pace
        self._rows = 0
        self._sent: dict[str, Checksum] = {}
        self._ended: set[str] = set()

    def lines(self) -> Generator[bytes | ChunkLine]:
        try:
            yield self._meta_line
            with self._reader.held() as hold:
                yield from self._skipped()
                while (entries := self._journal()) or not self._is_whole():
                    hold.renew()
                    yield from self._entries(entries) if entries else self._silence()
                yield from self._end()
        except Exception as error:  # the status went out long ago: only a line can tell the client
            _logger.exception("the stream of job %s ends with an error line", self._job_id)
            yield lines.error(error)

    def _skipped(self) -> Iterator[bytes]:
        """Wait for the chunks that the client has already, and take over their account."""
        while self._position and not (last := self._before()):
            if self._is_whole() and not self._before():  # asked again: it may have come just before the manifest
                raise ChunkLost(f"entry {self._position - 1} of the journal of job {self._job_id} is gone")
            yield from self._silence()
        for name, account in last[0].domains.items() if self._position else ():
            ended = account.status != "reading"
            if account.chunks or ended:
                self._sent[name] = Checksum.after(account.checksum, rows=account.rows)
            if ended:
                self._ended.add(name)

    def _before(self) -> list[Entry]:
        return list(self._store.journal(self._job_id, self._position - 1, 1))

    def _journal(self) -> list[Entry]:
        return list(self._store.journal(self._job_id, self._position, 1 if self._lean else ENTRIES))

    def _is_whole(self) -> bool:
        """Return whether nothing more will come; raise when a chunk is missing that never will."""
        if self._whole is None and (manifest := self._store.manifest(self._job_id)) is not None:
            self._whole = _Whole.of(manifest)
        if self._whole is None:
            return False
        length = self._whole.chunks
        if self._position < length and not self._journal():
            raise ChunkLost(f"{length - self._position:,} of {length:,} chunks of job {self._job_id} are not listed")
        if self._position > length:
            raise ResultChanged(f"{self._position:,} chunks of job {self._job_id} were sent, and {length:,} are there")
        return self._position == length

    def _silence(self) -> Iterator[bytes]:
        """Look whether the job still lives, say so now and then, and wait."""
        facts = self._store.facts(self._job_id)
        if facts.get("status") in ENDED and self._store.manifest(self._job_id) is None:
            raise JobFailed(f"the job ended as {facts['status']}, without a result{_because(facts)}")
        if self._pace.silent_too_long():
            yield self._said(lines.progress(self._pace.elapsed_seconds, self._rows, _progress(facts), self._words))
        if self._lean:
            yield b""
        self._pace.wait()

    def _entries(self, entries: list[Entry]) -> Iterator[bytes | ChunkLine]:
        for entry in entries:
            try:
                data: bytes | None = self._reader.read(entry.chunk)
            except (ChunkLost, CorruptChunk):
                if self._store.journal(self._job_id, self._position, 1) == [entry]:
                    raise
                return  # a retry took it back: look again
            yield from self._ends(entry.domains)
            if entry.chunk.domain not in self._sent:
                yield self._start(entry.chunk.domain, entry.domains[entry.chunk.domain])
            line = self._records(entry, data or b"")
            data = None
            yield line

    def _records(self, entry: Entry, data: bytes) -> bytes | ChunkLine:
        """Write the line of *data*, which is held no longer than the caller does."""
        chunk = entry.chunk
        self._sent[chunk.domain].update_list(data)
        self._vouch(chunk.domain, entry.domains[chunk.domain])
        self._position += 1
        self._rows += chunk.rows
        self._pace.said()
        head, tail = lines.around_records(chunk.domain, chunk.number, chunk.rows, self._shape, self._words)
        return ChunkLine(self._reader, chunk, head, tail) if self._lean else b"%b%b%b" % (head, data, tail)

    def _start(self, name: str, account: DomainAccount) -> bytes:
        self._sent[name] = Checksum()
        total = None if self._whole is None else self._whole.rows[name]
        return lines.domain_start(name, total, account.columns, self._words)

    def _ends(self, domains: dict[str, DomainAccount]) -> Iterator[bytes]:
        for name, account in domains.items():
            if account.status != "reading" and name not in self._ended:
                self._ended.add(name)
                if name not in self._sent:
                    yield self._start(name, account)
                self._vouch(name, account)
                yield lines.domain_end(name, account.rows, account.status, account.checksum, self._words)

    def _vouch(self, name: str, account: DomainAccount) -> None:
        if self._sent[name].hexdigest() != account.checksum:
            raise ResultChanged(
                f"a retry of job {self._job_id} gave other rows of {name!r} than were sent: read it from the start"
            )

    def _end(self) -> Iterator[bytes]:
        manifest = self._reader.manifest
        yield from self._ends(manifest.domains)
        for name, account in manifest.domains.items():
            self._vouch(name, account)
        aggregation = self._reader.aggregation()
        if aggregation is not None:
            yield lines.aggregation(msgspec.Raw(aggregation))
        if manifest.failed_domains:
            yield lines.warning(manifest.failed_domains, manifest.missing_keys, self._words)
        accounts = {name: (account.rows, account.checksum) for name, account in manifest.domains.items()}
        yield lines.complete(accounts, manifest.elapsed_seconds, self._words)

    def _said(self, line: bytes) -> bytes:
        self._pace.said()
        return line


def _one(line: bytes) -> Generator[bytes | ChunkLine]:
    yield line


@dataclass(frozen=True, slots=True)
class _Whole:
    """Facts of a whole result that a stream needs: its number of chunks, and the rows of each domain."""

    chunks: int
    rows: dict[str, int]

    @classmethod
    def of(cls, manifest: ResultManifest) -> _Whole:
        return cls(len(manifest.chunks), {name: account.rows for name, account in manifest.domains.items()})


def _no_sleep(seconds: float) -> None:
    """Leave the wait to the caller of the next step."""


def _meta(job_id: str, facts: Facts, manifest: ResultManifest | None, words: Words) -> bytes:
    domains = [name for name in facts.get("domains", "").split(",") if name]
    key_count = facts.get("cid_count", "")
    return lines.meta(
        job_id,
        facts.get("profile") or (manifest.profile if manifest is not None else None),
        domains or list(manifest.domains if manifest is not None else ()),
        int(key_count) if key_count.isdigit() else None,
        manifest.shape if manifest is not None else _shape(facts),
        words,
    )


def _look(store: Store, job_id: str) -> tuple[Facts, ResultManifest | None]:
    """Return the facts and the manifest, asked for in this order: a job is finished after its manifest is there."""
    try:
        facts, missing = store.facts(job_id), None
    except JobNotFound as error:
        facts, missing = {}, error
    manifest = store.manifest(job_id)
    if manifest is None and missing is not None:
        raise missing
    return facts, manifest


def _shape(facts: Facts) -> Shape:
    return "arrays" if facts.get("shape") == "arrays" else "objects"


def _progress(facts: Facts) -> dict[str, Any]:
    """Return the progress that the worker wrote; the first implementation wrote a text, which is passed over."""
    try:
        told = msgspec.json.decode(facts.get("progress", ""))
    except NOT_JSON:
        return {}
    return told if isinstance(told, dict) else {}


def _because(facts: Facts) -> str:
    return f": {facts['error']}" if facts.get("error") else ""
