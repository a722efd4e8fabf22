"""Sending of an answer: its start, its body in slices, its compression, and the watch for a client that leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import cast

from mesbatch.adapters.asgi.sources import SLICE_BYTES, LiveSource, Source, StoredSource
from mesbatch.adapters.asgi.spool import Both, FileSource, spooled
from mesbatch.adapters.asgi.threads import CALLS, shielded
from mesbatch.adapters.asgi.types import Receive, Scope, Send
from mesbatch.adapters.http.answers import Answer, answer_error
from mesbatch.adapters.http.body import ThreadBody
from mesbatch.adapters.http.encoding import Encoding, make_compressor
from mesbatch.adapters.http.options import Dialect, Limits
from mesbatch.errors import ClientTooSlow
from mesbatch.store.stored_lines import ChunkLine

STALLED_SECONDS = 300.0  # in which a client makes room for a piece, or is dead: at 1 kB/s it takes 64 KiB in 64
# Of a piece that is read now. Each send gives Python's lock away, which beside reads comes back 5 ms later.
SEND_BYTES = 1024 * 1024


class ClientLeft(Exception):
    """The client left, as a failed send tells."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Answer that has begun: its start, and its *body* as pieces; closing the body gives everything back."""

    status: int
    headers: dict[str, str]
    body: AsyncGenerator[bytes]


@asynccontextmanager
async def opened(answer: Answer, dialect: Dialect, limits: Limits, *, spool: bool = False) -> AsyncIterator[Opened]:
    """Begin with *answer*, and give everything back at the end; an early failure is a problem.

    With *spool* a body whose cut nobody would see goes to disk first, and has a length.
    """
    source = _source(answer, limits)
    try:
        if isinstance(source, LiveSource):
            await source.begin()
        if source is not None and spool and answer.whole:
            length, file = await spooled(_encoded(source.pieces(), answer.encoding))
            source = Both(source, FileSource(file))
            answer = replace(answer, headers=answer.headers | {"Content-Length": str(length)}, encoding=None)
    except Exception as error:  # noqa: BLE001  # nothing was sent: a failure is still a status
        if source is not None:
            await shielded(source.close())
        answer, source = answer_error(error, dialect), None
    except BaseException:
        if source is not None:
            await shielded(source.close())
        raise
    pieces = _bytes(answer.body) if source is None else source.pieces()
    try:
        async with aclosing(_encoded(pieces, answer.encoding if source is not None else None)) as body:
            yield Opened(answer.status, _headers(answer), body)
    finally:
        if source is not None:
            await shielded(source.close())


async def send_answer(
    answer: Answer, scope: Scope, receive: Receive, send: Send, dialect: Dialect, limits: Limits
) -> None:
    """Send *answer*, unless the client leaves: then everything is given back at once, in the threads that hold it.

    Raises:
        Exception: the failure of a body that has begun, so that the server breaks it off.
    """
    spool = scope.get("http_version") in {"1.0", "0.9"}
    if scope["method"] == "HEAD":
        answer.close()
        answer = replace(answer, headers=_headers(answer), body=None)

    async def sending() -> None:
        async with opened(answer, dialect, limits, spool=spool) as begun:
            await _send(send, begun, min(limits.timeout, STALLED_SECONDS))

    sender, watcher = asyncio.ensure_future(sending()), asyncio.ensure_future(_until_disconnect(receive))
    try:
        await asyncio.wait({sender, watcher}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watcher.cancel()
        if not sender.done():
            sender.cancel()
        await shielded(_ended(sender, watcher))
    if not sender.cancelled() and not isinstance(error := sender.exception(), ClientLeft | None):
        raise error


async def _ended(*tasks: asyncio.Future[None]) -> None:
    await asyncio.wait(tasks)


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _headers(answer: Answer) -> dict[str, str]:
    """Give the headers of *answer*, with the length of a body that is there already."""
    if isinstance(answer.body, bytes) and answer.status != HTTPStatus.NOT_MODIFIED:
        return answer.headers | {"Content-Length": str(len(answer.body))}
    return answer.headers


async def _send(send: Send, begun: Opened, patience: float) -> None:
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in begun.headers.items()]
    await _in_time(send({"type": "http.response.start", "status": begun.status, "headers": pairs}), patience)
    async for piece in begun.body:
        for first in range(0, len(piece), SEND_BYTES):
            some = piece if len(piece) <= SEND_BYTES else piece[first : first + SEND_BYTES]
            await _in_time(send({"type": "http.response.body", "body": some, "more_body": True}), patience)
            del some
        del piece
    await _in_time(send({"type": "http.response.body", "body": b"", "more_body": False}), patience)


async def _in_time(sent: Awaitable[None], patience: float) -> None:
    """Wait until the server has taken a message.

    Raises:
        ClientTooSlow: the client took nothing for *patience* seconds.
        ClientLeft: it is gone.
    """
    try:
        async with asyncio.timeout(patience):
            await sent
    except TimeoutError as error:
        raise ClientTooSlow(f"the client took nothing for {patience:g} s") from error
    except OSError as error:
        raise ClientLeft from error


def _source(answer: Answer, limits: Limits) -> Source | None:
    if answer.body is None or isinstance(answer.body, bytes):
        return None
    if isinstance(answer.body, ThreadBody):
        return LiveSource(answer.body, limits.wait)
    return StoredSource(cast("Iterator[bytes | ChunkLine]", answer.body))


async def _encoded(pieces: AsyncGenerator[bytes], encoding: Encoding | None) -> AsyncGenerator[bytes]:
    """Compress *pieces*, large ones in a thread."""
    compressor = None if encoding is None else make_compressor(encoding)
    async with aclosing(pieces):
        async for piece in pieces:
            if compressor is None:
                yield piece
            elif len(piece) <= SLICE_BYTES:
                yield compressor.piece(piece)
            else:
                yield await CALLS.call(compressor.piece, piece)
            del piece
    if compressor is not None:
        yield compressor.end()


async def _bytes(data: object) -> AsyncGenerator[bytes]:
    if isinstance(data, bytes) and data:
        yield data
