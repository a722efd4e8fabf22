"""A trace as the one JSON object that older clients know, written while it is read."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence

import msgspec

from mesbatch.batch import Batch, Column
from mesbatch.codec.checksum import Checksum
from mesbatch.codec.column_rules import write_decimal
from mesbatch.codec.rows import DatetimeSeparator
from mesbatch.errors import ReadInterrupted
from mesbatch.manifest import Manifest
from mesbatch.sink.stream import ByteStream
from mesbatch.trace.domain import DomainRows, check_ended, failed_at_once
from mesbatch.trace.ndjson import BATCH_SIZE, TraceRead
from mesbatch.trace.words import TRACE_WORDS, Words

_encoder = msgspec.json.Encoder(decimal_format=write_decimal)


def trace_json(
    trace_read: TraceRead, *, datetime_separator: DatetimeSeparator = "T", batch_size: int = BATCH_SIZE,
    words: Words = TRACE_WORDS,
) -> ByteStream:  # fmt: skip
    """Write ``{"stage":"events","results":{domain:{"data":[...],"count":...}},"aggregation":...}``, piece by piece.

    The domains of *trace_read* come one after the other. A domain that failed stands in ``failed_domains``, beside
    ``error`` and ``code``; one that failed before its first row has no result. A piece has at most *batch_size* rows,
    and white space may stand between any two. Holds the batch that is being written, and one piece. The manifests get
    their checksums. The stream closes *trace_read* when it ends, fails or is closed.

    A failure raises while this is read and leaves the object open, so that no client can parse it.
    """
    return ByteStream(_body(trace_read, datetime_separator, batch_size, words), trace_read)


def failure_members(failed_domains: Iterable[str], words: Words = TRACE_WORDS) -> bytes:
    """Write the members of a partial result beside its rows, with a comma before them; nothing for a whole one.

    >>> failure_members([]), failure_members(["holds"])[:28]
    (b'', b',"error":"one or more domain')
    """
    failed = list(failed_domains)
    members = {"error": f"one or more {words.many} failed", "code": words.partial, words.failed: failed}
    return b"," + _encoder.encode(members)[1:-1] if failed else b""


def _body(trace_read: TraceRead, separator: DatetimeSeparator, batch_size: int, words: Words) -> Generator[bytes]:
    yield words.opening
    yield from _results(trace_read, separator, batch_size)
    failed = [name for name, manifest in trace_read.manifests.items() if not manifest.complete]
    yield b'},"aggregation":%b%b}' % (_encoder.encode(trace_read.aggregation), failure_members(failed, words))


def _results(trace_read: TraceRead, separator: DatetimeSeparator, batch_size: int) -> Iterator[bytes]:
    waiting = list(trace_read.domains)
    open_domain: _OpenDomain | None = None
    comma = b""
    for name, batch in trace_read:
        if open_domain is None or open_domain.name != name:
            if open_domain is not None:
                yield open_domain.end(trace_read.manifests[open_domain.name])
            if name not in waiting:
                raise ReadInterrupted(f"the rows of {name!r} alternate with others: read with domains_at_once=1")
            while waiting[0] != name:  # ended without a row
                empty = _ended_empty(waiting.pop(0), trace_read, comma)
                comma = b"," if empty else comma
                yield empty
            open_domain = _OpenDomain(waiting.pop(0), trace_read.descriptions[name], separator)
            yield open_domain.start(comma)
            comma = b","
        yield from open_domain.pieces(batch, batch_size)
        del batch
    if open_domain is not None:
        yield open_domain.end(trace_read.manifests[open_domain.name])
    for name in waiting:
        empty = _ended_empty(name, trace_read, comma)
        comma = b"," if empty else comma
        yield empty


class _OpenDomain:
    """The domain whose rows are being written."""

    def __init__(self, name: str, columns: Sequence[Column], separator: DatetimeSeparator) -> None:
        self.name = name
        self._rows = DomainRows(columns, datetime_separator=separator)

    def start(self, comma: bytes) -> bytes:
        return comma + _encoder.encode(self.name) + b':{"data":['

    def pieces(self, batch: Batch, batch_size: int) -> Iterator[bytes]:
        comma = b"," if self._rows.rows else b""
        for _, data in self._rows.arrays(batch, batch_size):
            yield comma + data[1:-1]
            comma = b","

    def end(self, manifest: Manifest) -> bytes:
        check_ended(self.name, manifest).checksum = self._rows.checksum
        return b'],"count":%d}' % self._rows.rows


def _ended_empty(name: str, trace_read: TraceRead, comma: bytes) -> bytes:
    """Write a domain without rows; nothing if it failed before it could have any."""
    manifest = check_ended(name, trace_read.manifests[name])
    if failed_at_once(manifest):
        return b""
    manifest.checksum = Checksum().hexdigest()
    return comma + _encoder.encode(name) + b':{"data":[],"count":0}'
