"""Answers that are written while the rows are read."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from itertools import chain
from typing import Any, cast

from flask import Response

from mesbatch.adapters.flask.answers import JSON, problem
from mesbatch.adapters.flask.begun import Begun, LiveRead, OneDomain
from mesbatch.adapters.flask.dialect import Dialect, Limits
from mesbatch.adapters.flask.pump import Pump
from mesbatch.adapters.flask.wire import NDJSON, streamed
from mesbatch.admission import Admitted, Permit
from mesbatch.codec.rows import Shape
from mesbatch.read.reader import BatchReader
from mesbatch.sink.stream import ByteStream
from mesbatch.trace import lines
from mesbatch.trace.json import trace_json
from mesbatch.trace.ndjson import trace_lines
from mesbatch.trace.read import TraceReader

FIRST_BATCH_SECONDS = 2.0  # that an answer waits for its first batch, so that an early error is still a status
# A gone client is noticed with the second write after it left, so within 5 s.
SILENCE_SECONDS = 2.0

Live = BatchReader | TraceReader | LiveRead

_logger = logging.getLogger(__name__)


def stream_ndjson(
    read: Live,
    *,
    permit: Permit | Admitted | None = None,
    profile: str | None = None,
    shape: Shape = "objects",
    domain: str = "rows",
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> Response:
    """*read* as the NDJSON stream of `mesbatch.trace.ndjson`, written as it is read.

    A `BatchReader` becomes a trace of the one domain *domain*. *read* and *permit* are given over: they are closed and
    given back when the answer ends, fails, or loses its client, also if nothing of it was sent. What fails within the
    first 2 s, before the first batch, is answered with a `problem`; later it is the last line, ``error``. While the
    database is silent, a ``progress`` line is sent every 2 s. Holds two lines and what *read* holds.

    A read on a connection that the caller opened stays in this thread: it sends no ``progress``.
    """

    def write(begun: Begun) -> ByteStream:
        return trace_lines(
            begun, profile=profile, shape=shape, datetime_separator=dialect.datetime_separator,
            batch_size=dialect.batch_size,
        )  # fmt: skip

    return _answer(read, permit, domain, write, _ndjson, NDJSON, dialect, limits)


def stream_json(
    read: Live,
    *,
    permit: Permit | Admitted | None = None,
    domain: str = "rows",
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> Response:
    """*read* as the classic JSON object of `mesbatch.trace.json`, written as it is read.

    Like `stream_ndjson`, except that a failure after the first batch leaves the object open, so that no client can
    parse it, and that a blank stands for ``progress``. The domains must not alternate: ``domains_at_once=1``.
    """

    def write(begun: Begun) -> ByteStream:
        return trace_json(begun, datetime_separator=dialect.datetime_separator, batch_size=dialect.batch_size)

    return _answer(read, permit, domain, write, _json, JSON, dialect, limits)


Pieces = Callable[[Callable[[float | None], bytes | None], Begun], Generator[bytes]]


def _answer(
    read: Live, permit: Permit | Admitted | None, domain: str, write: Callable[[Begun], ByteStream], pieces: Pieces,
    mimetype: str, dialect: Dialect, limits: Limits,
) -> Response:  # fmt: skip
    live: LiveRead = OneDomain(read, domain) if isinstance(read, BatchReader) else read
    movable = live.movable
    begun = Begun(live, permit)
    body = write(begun)
    try:
        taken = _begin_apart(body, begun, limits) if movable else _begin_here(body, begun)
    except Exception as error:  # noqa: BLE001  # an early failure is still a status
        body.close()
        return problem(error, dialect=dialect)
    response = streamed(ByteStream(pieces(taken.take, begun), taken), mimetype)
    if isinstance(permit, Admitted) and permit.answer.warning is not None:
        response.headers["X-Mesbatch-Warning"] = permit.answer.warning
    return response


def _begin_apart(body: ByteStream, begun: Begun, limits: Limits) -> Pump:
    """Read in another thread, and wait for the first batch."""
    pump = Pump(body, begun.interrupt, limits.timeout)
    pump.start()
    begun.began.wait(FIRST_BATCH_SECONDS)
    if begun.failure is not None:
        pump.close()
        raise begun.failure
    return pump


class _Here:
    """The pieces of *body*, of which *first* were taken already, in the thread that takes them."""

    def __init__(self, first: list[bytes], body: ByteStream) -> None:
        self._pieces, self.close = chain(first, body), body.close

    def take(self, timeout: float | None) -> bytes | None:
        return next(self._pieces)


def _begin_here(body: ByteStream, begun: Begun) -> _Here:
    first: list[bytes] = []
    while not begun.began.is_set() and (piece := next(body, None)) is not None:
        first.append(piece)
    if begun.failure is not None:
        raise begun.failure
    return _Here(first, body)


def _ndjson(take: Callable[[float | None], bytes | None], begun: Begun) -> Generator[bytes]:
    started, patience = time.monotonic(), None  # nothing may come before the first line
    try:
        while True:
            line = take(patience)
            yield lines.progress(round(time.monotonic() - started, 3), begun.rows, begun.told) if line is None else line
            patience = cast("Any", SILENCE_SECONDS)
    except StopIteration:
        return
    except Exception as error:
        _logger.exception("the stream ends with an error line")
        yield lines.error(error)


def _json(take: Callable[[float | None], bytes | None], begun: Begun) -> Generator[bytes]:
    while True:
        try:
            piece = take(SILENCE_SECONDS)
        except StopIteration:
            return
        if piece != b"":
            yield b" " if piece is None else piece
