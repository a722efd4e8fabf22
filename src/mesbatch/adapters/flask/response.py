"""Streamed responses: their headers, and gzip for clients that accept it."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable

from flask import Response, request

from mesbatch.sink.stream import ByteStream

NDJSON = "application/x-ndjson"
GZIP_LEVEL = 1  # a fifth of the bytes at 100 MB/s; level 6 takes four times as long for a tenth less
GZIP_FORMAT = 16 + zlib.MAX_WBITS  # zlib's word for a gzip header


def stream_response(body: ByteStream, mimetype: str, *, finished: bool = False) -> Response:
    """Make a response of *body* that no proxy collects.

    *finished* says that the body will be the same the next time, so that it may be revalidated. There is no
    Content-Length: after the first byte only the end of the body tells whether it is whole.
    """
    accepted = request.accept_encodings.quality("gzip") > 0
    response = Response(compress(body) if accepted else body, mimetype=mimetype, direct_passthrough=True)
    if accepted:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept, Accept-Encoding"
    response.headers["Cache-Control"] = "private, no-cache" if finished else "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def compress(body: ByteStream) -> ByteStream:
    """Compress *body* so that each piece leaves at once.

    >>> def lines():
    ...     yield b"one"
    ...     yield b"two"
    >>> zlib.decompress(b"".join(compress(ByteStream(lines(), None))), GZIP_FORMAT)
    b'onetwo'
    """
    return ByteStream(_compressed(body), body)


def _compressed(body: Iterable[bytes]) -> Generator[bytes]:
    compressor = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_FORMAT)
    for piece in body:
        yield compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield compressor.flush()
