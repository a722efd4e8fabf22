"""Bodies that go to disk first, for clients that cannot tell a cut body from a whole one."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from tempfile import TemporaryFile
from typing import BinaryIO

from mesbatch.errors import AnswerTooLarge
from mesbatch.sink.stream import ByteStream
from mesbatch.units import GiB

SPOOL_BYTES = GiB  # of one answer on disk: 5 million rows as CSV
PIECE_BYTES = 64 * 1024


def spooled(body: ByteStream) -> tuple[int, ByteStream]:
    """Write all of *body* to a file without a name, and give its length and the file's content.

    Raises:
        AnswerTooLarge: it has more than `SPOOL_BYTES`.
        Exception: the failure of *body*, which is closed in any case.
    """
    file = TemporaryFile()  # noqa: SIM115  # the stream closes it
    try:
        with body:
            length = write_spool(file, body)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return length, ByteStream(_content(file), file)


def write_spool(file: BinaryIO, body: Iterable[bytes]) -> int:
    """Write *body* to *file*, and count its bytes."""
    length = 0
    for piece in body:
        length += len(piece)
        check_spool(length)
        file.write(piece)
    return length


def check_spool(length: int) -> None:
    """Raise `AnswerTooLarge` for an answer of more than `SPOOL_BYTES`."""
    if length > SPOOL_BYTES:
        raise AnswerTooLarge(
            f"the answer has more than the {SPOOL_BYTES:,} bytes that go to disk for a client of HTTP/1.0: "
            "ask over HTTP/1.1 (nginx: proxy_http_version 1.1), where it is a stream of any length"
        )


def _content(file: BinaryIO) -> Generator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece
