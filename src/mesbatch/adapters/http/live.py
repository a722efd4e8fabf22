"""Forms of answers that are written while their rows are read: NDJSON, the JSON object, CSV and Arrow."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator
from typing import Any, cast
from urllib.parse import quote

from mesbatch.adapters.http.answers import Answer
from mesbatch.adapters.http.body import Form, ReadBody, SameThreadBody, ThreadBody
from mesbatch.adapters.http.options import Dialect, Limits
from mesbatch.adapters.http.reads import ArrowDomain, HeldRead, LiveRead, OneDomain
from mesbatch.adapters.http.request import ARROW, CSV, JSON, NDJSON, HttpRequest
from mesbatch.adapters.http.streams import stream_headers
from mesbatch.admission import Admitted, Permit
from mesbatch.batch import Batch, Column
from mesbatch.codec.rows import Shape
from mesbatch.errors import InvalidRequest, ReadInterrupted
from mesbatch.manifest import Manifest
from mesbatch.read.reader import BatchReader
from mesbatch.sink.csv import csv_lines
from mesbatch.sink.stream import ByteStream
from mesbatch.trace import lines
from mesbatch.trace.domain import check_ended
from mesbatch.trace.json import trace_json
from mesbatch.trace.ndjson import trace_lines
from mesbatch.trace.read import TraceReader

FIRST_BATCH_SECONDS = 2.0  # for which an answer waits for its first batch, so that an early error is still a status
# The second write after a client left fails, so that its leaving is noticed within 5 s.
SILENCE_SECONDS = 2.0

Live = BatchReader | TraceReader | LiveRead

_logger = logging.getLogger(__name__)


def live_body(read: Live, permit: Permit | Admitted | None, domain: str, form: Form, limits: Limits) -> ReadBody:
    """Make the body of an answer, which takes over *read* and *permit* and has not begun."""
    if form.mimetype == ARROW and isinstance(read, BatchReader):
        live: LiveRead = ArrowDomain(read, domain)
    else:
        live = OneDomain(read, domain) if isinstance(read, BatchReader) else read
    held = HeldRead(live, permit)
    return ThreadBody(held, form, limits.timeout) if held.movable else SameThreadBody(held, form)


def live_answer(
    body: ReadBody, request: HttpRequest, permit: Permit | Admitted | None = None, *, name: str | None = None
) -> Answer:
    """Make the answer with *body*; a client saves it as *name*."""
    headers, encoding = stream_headers(request, body.form.mimetype)
    if name is not None:
        headers["Content-Disposition"] = attachment(name)
    if isinstance(permit, Admitted) and permit.answer.warning is not None:
        headers["X-Mesbatch-Warning"] = permit.answer.warning
    return Answer(200, headers, body, encoding, whole=body.form.whole)


def attachment(name: str) -> str:
    """Write a ``Content-Disposition`` for a file that is saved as *name* (RFC 6266).

    >>> print(attachment('lots "A".csv'))
    attachment; filename="lots _A_.csv"; filename*=UTF-8''lots%20%22A%22.csv
    """
    plain = "".join(sign if sign.isascii() and sign.isprintable() and sign not in '"\\%' else "_" for sign in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='', errors='replace')}"


def ndjson_form(profile: str | None, shape: Shape, dialect: Dialect, mimetype: str = NDJSON) -> Form:
    """Describe the stream of lines of `mesbatch.trace.ndjson`."""

    def write(held: HeldRead) -> ByteStream:
        return trace_lines(
            held, profile=profile, shape=shape, datetime_separator=dialect.datetime_separator,
            batch_size=dialect.batch_size, words=dialect.words,
        )  # fmt: skip

    return Form(mimetype, write, silence=_progress, failure=_error_line)


def json_form(dialect: Dialect) -> Form:
    """Describe the classic JSON object of `mesbatch.trace.json`."""

    def write(held: HeldRead) -> ByteStream:
        return trace_json(
            held, datetime_separator=dialect.datetime_separator, batch_size=dialect.batch_size, words=dialect.words
        )

    return Form(JSON, write, silence=lambda read, elapsed: b" ", first_silence=True)


def csv_form(dialect: Dialect) -> Form:
    """Describe CSV of the one domain of a read."""
    return Form(CSV, lambda held: csv_lines(Rows(held), style=dialect.csv), whole=True)


def arrow_form() -> Form:
    """Describe an Arrow IPC stream of the one domain of a read.

    Raises:
        ImportError: the extra ``arrow`` is not installed.
    """
    from mesbatch.arrow.reader import ArrowReader
    from mesbatch.sink.arrow_stream import arrow_stream

    def write(held: HeldRead) -> ByteStream:
        rows = Rows(held)
        return arrow_stream(cast("Any", rows if held.schema is not None else ArrowReader(cast("Any", rows))))

    return Form(ARROW, write, whole=True)


class Rows(Iterator[Batch]):
    """Batches of a *read* of one domain, whose rows must all come: the form has no place for a warning.

    Raises:
        InvalidRequest: *read* has several domains.
    """

    def __init__(self, read: HeldRead) -> None:
        if len(read.domains) != 1:
            raise InvalidRequest(f"{len(read.domains)} domains are no table: ask for one of {', '.join(read.domains)}")
        self._read, self._items = read, iter(read)
        self.arrow_schema = None  # the batches are tuples
        self._name = read.domains[0]

    @property
    def description(self) -> tuple[Column, ...]:
        """The columns, known with the first batch or at the end."""
        return tuple(self._read.descriptions.get(self._name, ()))

    @property
    def dialect(self) -> str:
        """The kind of the domain's database, known as its columns are."""
        return self._read.dialects.get(self._name, "")

    @property
    def manifest(self) -> Manifest:
        return self._read.manifests[self._name]

    @property
    def schema(self) -> Any:
        """The schema of record batches, at the end."""
        return None if self._read.schema is None else self._read.schema()

    def __next__(self) -> Batch:
        found = next(self._items, None)
        if found is not None:
            return found[1]
        manifest = check_ended(self._name, self._read.manifests.get(self._name))
        if not manifest.complete:
            raise ReadInterrupted(f"{self._name!r} is not whole, and a table has no place to say so")
        raise StopIteration

    def fail(self) -> None:
        self.close()

    def close(self) -> None:
        self._read.close()


def live_pieces(body: ReadBody) -> Generator[bytes]:
    """Give the pieces of *body*, with a sign of life in each silence, in the thread that takes them."""
    signs = Signs(body)
    try:
        while True:
            piece = body.take(signs.patience)
            if found := signs.of_silence() if piece is None else signs.of_piece(piece):
                yield found
    except StopIteration:
        return
    except Exception as error:
        if (last := signs.of_failure(error)) is None:
            raise
        yield last


class Signs:
    """The bytes sent for each look at *body*: its pieces, signs of life between them, and a last word of a failure."""

    def __init__(self, body: ReadBody) -> None:
        self._body, self._form, self._started = body, body.form, time.monotonic()
        self._begun = self._form.first_silence

    @property
    def patience(self) -> float | None:
        """Seconds to wait for the next piece; None means until it comes."""
        return SILENCE_SECONDS if self._begun and self._form.silence is not None else None

    def of_piece(self, piece: bytes) -> bytes:
        self._begun = True
        return piece

    def of_silence(self) -> bytes:
        silence = self._form.silence
        return b"" if silence is None else silence(self._body.read, time.monotonic() - self._started)

    def of_failure(self, error: Exception) -> bytes | None:
        """Give the last piece; None where the body must be broken off."""
        if self._form.failure is None:
            return None
        _logger.error("the stream ends with an error line", exc_info=error)
        return self._form.failure(error)


def _progress(read: HeldRead, elapsed_seconds: float) -> bytes:
    return lines.progress(round(elapsed_seconds, 3), read.rows, read.progress)


def _error_line(error: Exception) -> bytes:
    return lines.error(error)
