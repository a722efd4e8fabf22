"""Parts of a request, checked before anything is touched."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Sequence
from typing import Any, cast

import msgspec
from flask import Response, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import RequestEntityTooLarge

from mesbatch.adapters.flask.answers import JSON
from mesbatch.adapters.flask.response import NDJSON
from mesbatch.codec.rows import Shape
from mesbatch.errors import (
    BodyTooLarge,
    InvalidJob,
    InvalidPage,
    InvalidRequest,
    NoPrincipal,
    NotAcceptable,
    UnsupportedMediaType,
)
from mesbatch.jobs.owner import owner_text
from mesbatch.store.inputs import check_inputs

LINES = (NDJSON, "application/jsonl", "application/ndjson")  # names of one format, none of them registered

READ_BYTES = 64 * 1024
GZIP = zlib.MAX_WBITS | 16  # zlib's word for a stream with the header of gzip

Principal = Callable[[], str]


class EventsRequest(msgspec.Struct):
    """Body of ``POST /events``, with its ids as they stand in it; unknown members are ignored, as older servers did."""

    profile: str
    container_ids: msgspec.Raw
    domains: list[str]
    params: dict[str, Any] = {}  # msgspec copies it

    def inputs(self) -> dict[str, msgspec.Raw]:
        """The members that go to the function as large inputs, as they stand in the body; none but in `with_inputs`."""
        names = self.__struct_fields__[len(EventsRequest.__struct_fields__) :]
        encoded = self.__struct_encode_fields__[len(EventsRequest.__struct_fields__) :]
        found = ((name, getattr(self, field)) for field, name in zip(names, encoded))
        return {name: raw for name, raw in found if len(memoryview(raw))}


def with_inputs(names: Sequence[str]) -> type[EventsRequest]:
    """Make the body of a route that takes the members *names*, where a client sends them, as large inputs.

    Raises:
        InvalidJob: a name that no input can have, or that another member has.
    """
    check_inputs(dict.fromkeys(names))
    if taken := [name for name in names if name in EventsRequest.__struct_fields__]:
        raise InvalidJob(f"{taken[0]!r} is a member of its own, and no input")
    fields = {f"input_{position}": name for position, name in enumerate(names)}
    members = [(field, msgspec.Raw, msgspec.Raw(b"")) for field in fields]
    made = msgspec.defstruct("EventsRequestWithInputs", members, bases=(EventsRequest,), rename=fields)
    return cast("type[EventsRequest]", made)


def negotiate(*offered: str) -> str:
    """Choose the media type of *offered* that the client prefers, or the first if it has no preference.

    NDJSON has three names, and the client's own is chosen. Parameters of a type, such as a charset, change nothing.

    Raises:
        NotAcceptable: the client accepts none of them.
    """
    if not request.accept_mimetypes:
        return offered[0]
    names = [name for one in offered for name in (one, *(LINES[1:] if one == LINES[0] else ()))]
    plain = MIMEAccept([(name.partition(";")[0].strip(), quality) for name, quality in request.accept_mimetypes])
    best = plain.best_match(names)
    if best is None:
        raise NotAcceptable(f"this is served as {' or '.join(offered)}, not as {str(request.accept_mimetypes)[:80]}")
    return best


def name_lines(response: Response, mimetype: str) -> Response:
    """Give a stream of lines the name that the client has for them."""
    if response.mimetype in LINES:
        response.mimetype = mimetype
    return response


def name_principal(principal: Principal) -> str:
    """Ask the application for the user on whose behalf the request is made; an integer or UUID becomes text.

    Raises:
        NoPrincipal: the application names nobody, or something that is no name, such as bytes.
    """
    found: Any = principal()
    if found is None or found == "":
        raise NoPrincipal("this route is for a user that the application knows, and it named none")
    try:
        return owner_text(found)
    except InvalidJob as error:
        raise NoPrincipal(f"this route is for a user that the application knows: {error}") from error


def read_events(max_body: int, known: Collection[str], kind: type[EventsRequest] = EventsRequest) -> EventsRequest:
    """Read the body of the request, of some *kind*; *known* are the domains that it may name.

    A body may be compressed by gzip; *max_body* counts its bytes as they come and as they are decompressed.

    Raises:
        UnsupportedMediaType: it is not said to be JSON: a page of another site can send any other type unasked; or it
            is compressed in another way.
        BodyTooLarge: it has more than *max_body* bytes; it was not read, or not to its end.
        InvalidRequest: it is no JSON object of this kind, or names a domain that is not known.
    """
    if request.mimetype != JSON:
        raise UnsupportedMediaType(f"the body must have Content-Type: {JSON}, got {request.mimetype[:80] or 'none'}")
    try:
        events = msgspec.json.decode(_read_body(max_body), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # a validation error is a decode error
        raise InvalidRequest(f"the body is not what this route takes: {error}") from error
    if not events.domains:
        raise InvalidRequest(f"domains is empty; known are {', '.join(known)}")
    if unknown := [domain for domain in events.domains if domain not in known]:
        raise InvalidRequest(f"unknown domain {unknown[0]!r:.80}; known are {', '.join(known)}")
    events.domains = list(dict.fromkeys(events.domains))
    return events


def read_count(parameter: str) -> int:
    """Read the number in the query's *parameter*; 0 if it is absent.

    Raises:
        InvalidPage: it is no number, or negative.
    """
    text = request.args.get(parameter, "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidPage(f"{parameter}={text[:40]!r}: it must be a number, and not negative")
    return int(text)


def read_shape() -> Shape:
    """Read the shape of rows that the query asks for: ``?shape=arrays`` is the compact one.

    Raises:
        InvalidRequest: there is no such shape.
    """
    shape = request.args.get("shape", "objects")
    if shape not in ("objects", "arrays"):
        raise InvalidRequest(f"shape={shape[:40]!r}: it is objects or arrays")
    return cast("Shape", shape)


def _read_body(max_body: int) -> bytes | bytearray:
    length = request.content_length
    if (length or 0) > max_body:
        raise BodyTooLarge(f"the body has {length:,} bytes, the limit is {max_body:,}")
    request.max_content_length = max_body  # a body without a length is counted as it comes
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    try:
        if encoding == "gzip":
            return _decompress(max_body)
        if encoding != "identity":
            raise UnsupportedMediaType(f"the body may have Content-Encoding: gzip, or none; got {encoding[:80]}")
        return request.get_data(cache=False) if length is None else _read_in_place(length)
    except RequestEntityTooLarge as error:
        raise BodyTooLarge(f"the body has more bytes than the limit of {max_body:,}") from error


def _decompress(max_body: int) -> bytearray:
    """Read a body of gzip; it is in memory once, and no more of it than may be."""
    body, unzip = bytearray(), zlib.decompressobj(GZIP)
    try:
        while piece := request.stream.read(READ_BYTES):
            while piece:
                body += unzip.decompress(piece, READ_BYTES)
                if len(body) > max_body:
                    raise BodyTooLarge(f"the body has more than {max_body:,} bytes once it is decompressed")
                piece = unzip.unconsumed_tail
                if unzip.eof and (piece := unzip.unused_data):  # gzip files may follow one another
                    unzip = zlib.decompressobj(GZIP)
        while some := unzip.decompress(unzip.unconsumed_tail, READ_BYTES):  # what zlib still holds
            body += some
            if len(body) > max_body:
                raise BodyTooLarge(f"the body has more than {max_body:,} bytes once it is decompressed")
    except zlib.error as error:
        raise InvalidRequest(f"the body is no gzip: {error}") from error
    if not unzip.eof:
        raise InvalidRequest("the body is no gzip: it ends too early")
    return body


def _read_in_place(length: int) -> bytearray:
    """Read the body into memory once: werkzeug holds it twice for a moment."""
    body, at = bytearray(length), 0
    with memoryview(body) as view:
        while at < length and (count := request.stream.readinto(view[at : at + READ_BYTES])):  # type: ignore[attr-defined]
            at += count
    return body[:at] if at < length else body
