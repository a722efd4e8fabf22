"""The body of a streamed response: its headers, and gzip where the client takes it."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable

from flask import Response, request

from mesbatch.sink.stream import ByteStream

NDJSON = "application/x-ndjson"
GZIP_LEVEL = 1  # a fifth of the bytes at 100 MB/s; level 6 takes four times as long for a tenth less
GZIP_FORMAT = 16 + zlib.MAX_WBITS  # zlib's word for a gzip header


def streamed(body: ByteStream, mimetype: str, *, finished: bool = False) -> Response:
    """*body* as a response that no proxy collects; *finished*: it is the same the next time, so it may be revalidated.

    It has no Content-Length: after the first byte only its end tells whether it is whole.
    """
    compress = request.accept_encodings.quality("gzip") > 0
    response = Response(gzipped(body) if compress else body, mimetype=mimetype, direct_passthrough=True)
    if compress:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept, Accept-Encoding"
    response.headers["Cache-Control"] = "private, no-cache" if finished else "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def gzipped(body: ByteStream) -> ByteStream:
    """*body*, compressed; each piece leaves at once.

    >>> def lines():
    ...     yield b"one"
    ...     yield b"two"
    >>> zlib.decompress(b"".join(gzipped(ByteStream(lines(), None))), GZIP_FORMAT)
    b'onetwo'
    """
    return ByteStream(_compressed(body), body)


def _compressed(body: Iterable[bytes]) -> Generator[bytes]:
    compressor = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_FORMAT)
    for piece in body:
        yield compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield compressor.flush()
