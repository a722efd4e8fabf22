"""A trace as the NDJSON stream of its clients, from ``meta`` to ``complete``."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, Protocol

from mesbatch.batch import Batch, Column
from mesbatch.codec.rows import DatetimeSeparator, Shape
from mesbatch.manifest import Manifest
from mesbatch.sink.stream import ByteStream
from mesbatch.trace import lines
from mesbatch.trace.domain import DomainRows, check_ended, failed_at_once
from mesbatch.trace.words import TRACE_WORDS, Words

BATCH_SIZE = 5_000  # rows in a line at most: the clients were written for this TRACE_STREAM_BATCH_SIZE

_logger = logging.getLogger(__name__)


class TraceRead(Protocol):
    """A trace that is being read, as far as `trace_lines` needs it.

    *descriptions* has a domain's columns from its first batch on, or from its end if it had no rows; its manifest stops
    saying ``reading`` when it has ended. *aggregation* is there after the last batch.
    """

    @property
    def domains(self) -> tuple[str, ...]: ...
    @property
    def key_count(self) -> int | None: ...
    @property
    def descriptions(self) -> Mapping[str, tuple[Column, ...]]: ...
    @property
    def manifests(self) -> Mapping[str, Manifest]: ...
    @property
    def aggregation(self) -> Mapping[str, Any] | None: ...

    def __iter__(self) -> Iterator[tuple[str, Batch]]: ...
    def close(self) -> None: ...


def trace_lines(
    trace_read: TraceRead,
    *,
    job_id: str | None = None,
    profile: str | None = None,
    shape: Shape = "objects",
    datetime_separator: DatetimeSeparator = "T",
    batch_size: int = BATCH_SIZE,
    words: Words = TRACE_WORDS,
    clock: Callable[[], float] = time.monotonic,
) -> ByteStream:
    """Write *trace_read* as a stream of lines, one a chunk: ``meta``, the domains, ``complete``.

    Each domain has a ``domain_start``, ``records`` lines of at most *batch_size* rows, and a ``domain_end``; lines of
    two domains read at once may alternate. A domain that failed before its first row has none of them and stands in the
    ``warning``. *words* name the members. Holds the batch that is being written, and one line. The manifests get their
    checksums.

    Raises nothing while it is read: a failure becomes the last line, ``error``, which never carries SQL, and is logged
    with its traceback. The stream closes *trace_read* when it ends or is closed.

    Args:
        trace_read: The read, such as `Trace.read` gives it; the stream closes it.
        job_id: The job of the ``meta`` line.
        profile: The profile of the ``meta`` line.
        shape: ``objects`` or ``arrays``, for the rows.
        datetime_separator: The character between date and time.
        batch_size: The most rows of a ``records`` line.
        words: The names of the members.
        clock: A function that gives seconds.

    >>> import json, sqlite3
    >>> from mesbatch import Query, Trace
    >>> con = sqlite3.connect(":memory:")
    >>> _ = con.executescript("create table holds (id text); insert into holds values ('a')")
    >>> trace = Trace({"holds": Query("select * from holds where id in (:keys)")})
    >>> [json.loads(line)["type"] for line in trace_lines(trace.read(con, ["a"]))]
    ['meta', 'domain_start', 'records', 'domain_end', 'complete']
    """
    domains = _DomainLines(trace_read, shape, datetime_separator, batch_size, words)
    return ByteStream(_lines(domains, job_id, profile, clock), trace_read)


def _lines(
    domains: _DomainLines, job_id: str | None, profile: str | None, clock: Callable[[], float]
) -> Generator[bytes]:
    started = clock()
    try:
        yield domains.meta(job_id, profile)
        yield from domains.records()
        yield from domains.aggregation()
        yield from domains.warning()
        yield domains.complete(clock() - started)
    except Exception as error:  # the status was sent long ago: only a line can tell the client
        _logger.exception("the stream ends with an error line")
        yield lines.error(error)


class _DomainLines:
    """The lines of a stream, from ``meta`` to ``complete``."""

    def __init__(
        self, trace_read: TraceRead, shape: Shape, datetime_separator: DatetimeSeparator, batch_size: int,
        words: Words,
    ) -> None:  # fmt: skip
        self._read, self._shape, self._batch_size, self._words = trace_read, shape, batch_size, words
        self._datetime_separator = datetime_separator
        self._started: dict[str, DomainRows] = {}
        self._lines_of: Counter[str] = Counter()  # by domain: its `records` lines
        self._ended: set[str] = set()

    def meta(self, job_id: str | None, profile: str | None) -> bytes:
        return lines.meta(job_id, profile, self._read.domains, self._read.key_count, self._shape, self._words)

    def records(self) -> Iterator[bytes]:
        for name, batch in self._read:
            yield from self._ends(at_the_end=False)
            if name not in self._started:
                yield self._start(name)
            for count, data in self._started[name].arrays(batch, self._batch_size):
                yield lines.records(name, self._lines_of[name], count, self._shape, data, self._words)
                self._lines_of[name] += 1
                del data
            del batch
        yield from self._ends(at_the_end=True)

    def aggregation(self) -> Iterator[bytes]:
        if self._read.aggregation is not None:
            yield lines.aggregation(self._read.aggregation)

    def warning(self) -> Iterator[bytes]:
        failed = {name: manifest for name, manifest in self._read.manifests.items() if not manifest.complete}
        if failed:
            ranges = [
                {"domain": name, "first": keys.first, "last": keys.last, "count": keys.count}
                for name, manifest in failed.items()
                for keys in manifest.failed
            ]
            yield lines.warning(list(failed), ranges, self._words)

    def complete(self, elapsed_seconds: float) -> bytes:
        sent = {name: (domain.rows, domain.checksum) for name, domain in self._started.items()}
        return lines.complete(sent, elapsed_seconds, self._words)

    def _start(self, name: str) -> bytes:
        columns = self._read.descriptions.get(name, ())  # without keys no statement is run
        domain = DomainRows(columns, shape=self._shape, datetime_separator=self._datetime_separator)
        self._started[name] = domain
        return lines.domain_start(name, None, domain.columns, self._words)

    def _ends(self, *, at_the_end: bool) -> Iterator[bytes]:
        """Write the last line of each domain that has ended since the last look, once all its rows were sent."""
        for name in self._read.domains:
            manifest = self._read.manifests.get(name)
            sent = self._started[name].rows if name in self._started else 0
            ended = manifest is not None and manifest.status != "reading" and sent >= manifest.rows
            if name not in self._ended and (ended or at_the_end):
                self._ended.add(name)
                yield from self._end(name, manifest)

    def _end(self, name: str, manifest: Manifest | None) -> Iterator[bytes]:
        manifest = check_ended(name, manifest)
        if name not in self._started:
            if failed_at_once(manifest):
                return  # it stands in the warning
            yield self._start(name)
        domain = self._started[name]
        manifest.checksum = domain.checksum
        yield lines.domain_end(name, domain.rows, manifest.status, domain.checksum, self._words)
