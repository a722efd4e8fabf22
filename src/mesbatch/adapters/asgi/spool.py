"""Bodies that go to disk before they are sent, without a thread that waits."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from tempfile import TemporaryFile
from typing import BinaryIO

from mesbatch.adapters.asgi.sources import SLICE_BYTES, Source
from mesbatch.adapters.asgi.threads import CALLS
from mesbatch.adapters.http.spool import check_spool


async def spooled(pieces: AsyncGenerator[bytes]) -> tuple[int, BinaryIO]:
    """Write all *pieces* to a file without a name."""
    file, length = TemporaryFile(), 0  # noqa: SIM115  # its source closes it
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                length += len(piece)
                check_spool(length)
                await CALLS.call(file.write, piece)
        await CALLS.call(file.seek, 0)
    except BaseException:
        file.close()
        raise
    return length, file


class FileSource:
    """Pieces of a *file*, which is closed at the end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    async def pieces(self) -> AsyncGenerator[bytes]:
        while piece := await CALLS.call(self._file.read, SLICE_BYTES):
            yield piece

    async def close(self) -> None:
        self._file.close()


class Both:
    """Pieces of *then*, after those of *first* were taken."""

    def __init__(self, first: Source, then: Source) -> None:
        self._first, self._then = first, then

    def pieces(self) -> AsyncGenerator[bytes]:
        return self._then.pieces()

    async def close(self) -> None:
        try:
            await self._then.close()
        finally:
            await self._first.close()
