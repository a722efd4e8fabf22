"""Answers that are written while the rows are read."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator

from flask import Response

from mesbatch.adapters.flask.answers import JSON, problem
from mesbatch.adapters.flask.body import ReadBody, SameThreadBody, ThreadBody, Write
from mesbatch.adapters.flask.options import Dialect, Limits
from mesbatch.adapters.flask.reads import HeldRead, LiveRead, OneDomain
from mesbatch.adapters.flask.response import NDJSON, stream_response
from mesbatch.adapters.flask.untaken import TakenBody
from mesbatch.admission import Admitted, Permit
from mesbatch.codec.rows import Shape
from mesbatch.read.reader import BatchReader
from mesbatch.sink.stream import ByteStream
from mesbatch.trace import lines
from mesbatch.trace.json import trace_json
from mesbatch.trace.ndjson import trace_lines
from mesbatch.trace.read import TraceReader

FIRST_BATCH_SECONDS = 2.0  # for which an answer waits for its first batch, so that an early error is still a status
# The second write after a client left fails, so that its leaving is noticed within 5 s.
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
    """Send *read* as the NDJSON stream of `mesbatch.trace.ndjson`, while it is read.

    A `BatchReader` becomes a trace of the one domain *domain*. The response takes over *read* and *permit*: it closes
    the one and gives back the other when it ends, fails, or loses its client, also if nothing of it was sent. A failure
    within the first 2 s, before the first batch, is answered with a `problem`; a later one is the last line, ``error``.
    While the database is silent, a ``progress`` line is sent every 2 s. Holds two lines, besides the memory of *read*.

    A read on a connection that the caller opened stays in this thread, and sends no ``progress``.

    Args:
        read: A `BatchReader` or a `TraceReader`; the response closes it.
        permit: The permit that the response gives back at its end.
        profile: The profile in the ``meta`` line.
        shape: ``objects`` or ``arrays``, for the rows.
        domain: The name of the domain of a `BatchReader`.
        dialect: The style of the answer.
        limits: The limits of the request.
    """

    def write(held: HeldRead) -> ByteStream:
        return trace_lines(
            held, profile=profile, shape=shape, datetime_separator=dialect.datetime_separator,
            batch_size=dialect.batch_size,
        )  # fmt: skip

    return _answer(read, permit, domain, write, _ndjson_pieces, NDJSON, dialect, limits)


def stream_json(
    read: Live,
    *,
    permit: Permit | Admitted | None = None,
    domain: str = "rows",
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> Response:
    """Send *read* as the classic JSON object of `mesbatch.trace.json`, while it is read.

    Works like `stream_ndjson`, with two differences: a failure after the first batch leaves the object open, so that no
    client can parse it, and a blank is sent instead of ``progress``. Domains must not alternate: ``domains_at_once=1``.

    Args:
        read: A `BatchReader` or a `TraceReader`; the response closes it.
        permit: The permit that the response gives back at its end.
        domain: The name of the domain of a `BatchReader`.
        dialect: The style of the answer.
        limits: The limits of the request.
    """

    def write(held: HeldRead) -> ByteStream:
        return trace_json(held, datetime_separator=dialect.datetime_separator, batch_size=dialect.batch_size)

    return _answer(read, permit, domain, write, _json_pieces, JSON, dialect, limits)


def _answer(
    read: Live, permit: Permit | Admitted | None, domain: str, write: Write,
    pieces: Callable[[ReadBody], Generator[bytes]], mimetype: str, dialect: Dialect, limits: Limits,
) -> Response:  # fmt: skip
    live: LiveRead = OneDomain(read, domain) if isinstance(read, BatchReader) else read
    held = HeldRead(live, permit)
    body = ThreadBody(held, write, limits.timeout) if held.movable else SameThreadBody(held, write)
    try:
        body.begin(FIRST_BATCH_SECONDS)
    except Exception as error:  # noqa: BLE001  # an early failure is still a status
        return problem(error, dialect=dialect)
    response = stream_response(TakenBody(pieces(body), body), mimetype)
    if isinstance(permit, Admitted) and permit.answer.warning is not None:
        response.headers["X-Mesbatch-Warning"] = permit.answer.warning
    return response


def _ndjson_pieces(body: ReadBody) -> Generator[bytes]:
    """Give the pieces of *body*, with a ``progress`` line in each silence."""
    started = time.monotonic()
    patience: float | None = None  # nothing may come before the first line
    try:
        while True:
            line = body.take(patience)
            yield _progress(body.read, time.monotonic() - started) if line is None else line
            patience = SILENCE_SECONDS
    except StopIteration:
        return
    except Exception as error:
        _logger.exception("the stream ends with an error line")
        yield lines.error(error)


def _progress(read: HeldRead, elapsed_seconds: float) -> bytes:
    return lines.progress(round(elapsed_seconds, 3), read.rows, read.progress)


def _json_pieces(body: ReadBody) -> Generator[bytes]:
    """Give the pieces of *body*, with a blank in each silence."""
    while True:
        try:
            piece = body.take(SILENCE_SECONDS)
        except StopIteration:
            return
        if piece != b"":
            yield b" " if piece is None else piece
