"""A stored result, or a page of it, as the one JSON object that clients know."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import msgspec

from mesbatch.sink.stream import ByteStream
from mesbatch.store.account import ResultManifest
from mesbatch.store.reader import Page, ResultReader
from mesbatch.trace.json import failure_members
from mesbatch.trace.words import TRACE_WORDS, Words


def result_json(
    reader: ResultReader, domains: Sequence[str] | None = None, *, offset: int = 0, limit: int = 0,
    words: Words = TRACE_WORDS,
) -> ByteStream:  # fmt: skip
    """Write ``{"stage":"events","results":{domain:{"data":[...],"count":...,"total":...}},"aggregation":...}``.

    *domains* None means all; *offset* and *limit* (0: no limit) hold for each of them. A partial result also has
    ``error``, ``code`` and ``failed_domains``. Holds one chunk. A chunk that is lost or damaged raises while the stream
    is read, and leaves the object open, so that no client can parse it.

    Raises:
        InvalidPage, JobNotFound, JobNotComplete, ResultExpired: as `ResultReader.page`, before the first byte.
        ChunkLost, CorruptChunk: the aggregation is not as it was published.
    """
    manifest, aggregation = reader.manifest, reader.aggregation()
    names = list(manifest.domains) if domains is None else domains
    pages = [reader.page(name, offset=offset, limit=limit) for name in names]
    return ByteStream(_body(pages, manifest, aggregation, words), None)


def _body(pages: list[Page], manifest: ResultManifest, aggregation: bytes | None, words: Words) -> Generator[bytes]:
    opening = words.opening
    for page in pages:
        with page.data:
            yield opening + msgspec.json.encode(page.domain) + b':{"data":'
            yield from page.data
            yield b',"count":%d,"total":%d}' % (page.count, page.total)
        opening = b","
    empty = opening if not pages else b""
    yield empty + b'},"aggregation":%b%b}' % (aggregation or b"null", failure_members(manifest.failed_domains, words))
