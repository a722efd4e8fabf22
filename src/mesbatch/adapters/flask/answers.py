"""Answers of the adapter as Flask responses, and requests of Flask as the adapter reads them."""

from __future__ import annotations

from typing import cast

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from mesbatch.adapters.flask.streamed import StreamedResponse
from mesbatch.adapters.flask.untaken import TakenBody
from mesbatch.adapters.http import live
from mesbatch.adapters.http.answers import Answer, answer_error, answer_refusal
from mesbatch.adapters.http.body import ReadBody
from mesbatch.adapters.http.encoding import compress
from mesbatch.adapters.http.growing_body import READ_BYTES, GrowingBody
from mesbatch.adapters.http.options import Dialect
from mesbatch.adapters.http.request import HttpRequest, Principal
from mesbatch.adapters.http.spool import spooled
from mesbatch.admission.answer import Reject
from mesbatch.errors import BodyTooLarge
from mesbatch.sink.stream import ByteStream


def problem(error: Exception, *, dialect: Dialect = Dialect()) -> Response:  # noqa: B008  # frozen
    """Answer a request that failed with *error*: a problem with a stable ``type``, without any SQL or traceback.

    An error with status 500 is logged with its traceback.

    Args:
        error: The exception.
        dialect: The style of the answer.
    """
    return respond(answer_error(error, dialect), dialect)


def rejected(decision: Reject, *, dialect: Dialect = Dialect()) -> Response:  # noqa: B008
    """Answer a request that admission refused: 413, or 503 with a ``Retry-After`` that differs between clients.

    Args:
        decision: The refusal.
        dialect: The style of the answer.
    """
    return respond(answer_refusal(decision, dialect), dialect)


def respond(answer: Answer, dialect: Dialect) -> Response:
    """Make Flask's response of *answer*; a read begins, and a failure before its first batch is a problem."""
    body = answer.body
    if isinstance(body, bytes):
        return Response(body, answer.status, answer.headers)
    if isinstance(body, ReadBody):
        try:
            body.begin(live.FIRST_BATCH_SECONDS)
        except Exception as error:  # noqa: BLE001  # an early failure is still a status
            return problem(error, dialect=dialect)
        stream: ByteStream = TakenBody(live.live_pieces(body), body)
    else:
        stream = cast("ByteStream", body)  # whose steps are for event loops
    if answer.encoding is not None:
        stream = compress(stream, answer.encoding)
    if not (answer.whole and read_request().ends_with_connection):
        return StreamedResponse(stream, answer.status, answer.headers)
    try:
        length, stream = spooled(stream)
    except Exception as error:  # noqa: BLE001  # nothing was sent yet
        return problem(error, dialect=dialect)
    return StreamedResponse(stream, answer.status, answer.headers | {"Content-Length": str(length)})


def read_request(principal: Principal | None = None) -> HttpRequest:
    """Read Flask's present request, as `mesbatch.adapters.http` takes it."""
    return HttpRequest(
        query=request.args,
        headers={name.lower(): value for name, value in request.headers.items()},
        read_body=_read_body,
        principal=principal or (lambda: ""),
        http_version=request.environ.get("SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2],
    )


def _read_body(max_body: int) -> bytes | bytearray:
    length = request.content_length
    if (length or 0) > max_body:
        raise BodyTooLarge(f"the body has {length:,} bytes, the limit is {max_body:,}")
    request.max_content_length = max_body  # a body without a length is counted as it comes
    encoding = request.headers.get("Content-Encoding", "")
    try:
        if length is not None and encoding.strip().lower() in {"", "identity"}:
            return _read_in_place(length)
        body = GrowingBody(encoding, max_body)
        while piece := request.stream.read(READ_BYTES):
            body.add(piece)
    except RequestEntityTooLarge as error:
        raise BodyTooLarge(f"the body has more bytes than the limit of {max_body:,}") from error
    return body.end()


def _read_in_place(length: int) -> bytearray:
    """Read the body into memory once: werkzeug holds it twice for a moment."""
    body, at = bytearray(length), 0
    with memoryview(body) as view:
        while at < length and (count := request.stream.readinto(view[at : at + READ_BYTES])):  # type: ignore[attr-defined]
            at += count
    return body[:at] if at < length else body
