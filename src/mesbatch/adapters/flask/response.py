"""Streamed responses: their headers, and gzip for clients that accept it."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, NoReturn

from flask import Response, request
from werkzeug.wsgi import ClosingIterator

from mesbatch.errors import ResponseIsStreamed
from mesbatch.sink.stream import ByteStream

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

NDJSON = "application/x-ndjson"
GZIP_LEVEL = 1  # a fifth of the bytes at 100 MB/s; level 6 takes four times as long for a tenth less
GZIP_FORMAT = 16 + zlib.MAX_WBITS  # zlib's word for a gzip header


class StreamedResponse(Response):
    """Response whose *body* is made while it is sent, so that hooks cannot have its bytes.

    ``add_etag`` and ``freeze`` change nothing, ``get_data`` raises `ResponseIsStreamed`. Closing it closes *body*, also
    after a hook has put another iterable in its place, and calls the functions of ``call_on_close``.
    """

    def __init__(self, body: ByteStream, mimetype: str) -> None:
        super().__init__(body, mimetype=mimetype, direct_passthrough=True)
        self._body = body

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        found = super().get_app_iter(environ)
        return (
            ClosingIterator(found, self.close) if found is self.response else found
        )  # a passed body closes only itself

    def close(self) -> None:
        try:
            self._body.close()
        finally:
            super().close()

    def add_etag(self, overwrite: bool = False, weak: bool = False) -> None:
        """Leave the stream alone: an ETag needs all of its bytes."""

    def freeze(self) -> None:
        """Leave the stream alone."""

    def make_sequence(self) -> NoReturn:
        raise ResponseIsStreamed("the body is made while it is sent; a hook cannot collect it")

    def get_data(self, as_text: bool = False) -> NoReturn:
        self.make_sequence()

    data = property(get_data, Response.set_data)  # werkzeug's reads without our get_data


def stream_response(body: ByteStream, mimetype: str, *, finished: bool = False) -> Response:
    """Make a response of *body* that no proxy collects.

    *finished* says that the body will be the same the next time, so that it may be revalidated. There is no
    Content-Length: after the first byte only the end of the body tells whether it is whole.
    """
    accepted = request.accept_encodings.quality("gzip") > 0
    response = StreamedResponse(compress(body) if accepted else body, mimetype)
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
