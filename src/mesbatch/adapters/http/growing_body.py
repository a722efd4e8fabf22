"""Bodies of requests as they come, decompressed and counted on the way."""

from __future__ import annotations

import zlib

from mesbatch.errors import BodyTooLarge, InvalidRequest, UnsupportedMediaType

READ_BYTES = 64 * 1024
GZIP = zlib.MAX_WBITS | 16  # zlib's word for a stream with the header of gzip


class GrowingBody:
    """A body that comes piece by piece with *encoding*, its ``Content-Encoding``; it is in memory once.

    No more than *max_body* bytes of it are taken, as they come and as they are decompressed.

    Raises:
        UnsupportedMediaType: the encoding is another than gzip or none.

    >>> body = GrowingBody("", max_body=10)
    >>> body.add(b"{}")
    >>> bytes(body.end())
    b'{}'
    """

    def __init__(self, encoding: str, max_body: int) -> None:
        encoding = encoding.strip().lower() or "identity"
        if encoding not in {"identity", "gzip"}:
            raise UnsupportedMediaType(f"the body may have Content-Encoding: gzip, or none; got {encoding[:80]}")
        self._unzip = zlib.decompressobj(GZIP) if encoding == "gzip" else None
        self._body, self._max_body = bytearray(), max_body

    def add(self, piece: bytes) -> None:
        """Take *piece* in.

        Raises:
            BodyTooLarge: the body has more bytes than it may.
            InvalidRequest: it is no gzip.
        """
        if self._unzip is None:
            self._take(piece)
            return
        try:
            while piece:
                self._take(self._unzip.decompress(piece, READ_BYTES))
                piece = self._unzip.unconsumed_tail
                if self._unzip.eof and (piece := self._unzip.unused_data):  # gzip files may follow one another
                    self._unzip = zlib.decompressobj(GZIP)
        except zlib.error as error:
            raise InvalidRequest(f"the body is no gzip: {error}") from error

    def end(self) -> bytearray:
        """Give the whole body; raises as `add` does."""
        if self._unzip is not None:
            try:
                while some := self._unzip.decompress(self._unzip.unconsumed_tail, READ_BYTES):  # what zlib still holds
                    self._take(some)
            except zlib.error as error:
                raise InvalidRequest(f"the body is no gzip: {error}") from error
            if not self._unzip.eof:
                raise InvalidRequest("the body is no gzip: it ends too early")
        return self._body

    def _take(self, some: bytes) -> None:
        self._body += some
        if len(self._body) > self._max_body:
            told = "" if self._unzip is None else " once it is decompressed"
            raise BodyTooLarge(f"the body has more than {self._max_body:,} bytes{told}")
