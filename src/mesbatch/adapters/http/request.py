"""Parts of a request, checked before anything is touched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import msgspec

from mesbatch.adapters.http.accept import best_of
from mesbatch.codec.not_json import NOT_JSON
from mesbatch.codec.rows import Shape
from mesbatch.errors import InvalidJob, InvalidPage, InvalidRequest, NoPrincipal, NotAcceptable, UnsupportedMediaType
from mesbatch.jobs.owner import owner_text
from mesbatch.store.inputs import check_inputs
from mesbatch.trace.words import Words

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
LINES = (NDJSON, "application/jsonl", "application/ndjson")  # names of one format, none of them registered
FORMATS = {"json": JSON, "ndjson": NDJSON, "csv": CSV, "arrow": ARROW}  # names in the query, for links in a page

Principal = Callable[[], str]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """Request as an adapter gives it.

    *query* has the first value of each parameter; *headers* have names in lower case. *read_body* gives the body, or
    raises `BodyTooLarge` if it has more bytes than its argument. *principal* names the user, or raises what the
    application raises. *root* is the path of the application, before its own routes.
    """

    query: Mapping[str, str]
    headers: Mapping[str, str]
    read_body: Callable[[int], bytes | bytearray]
    principal: Principal
    http_version: str = "1.1"
    root: str = ""

    @property
    def ends_with_connection(self) -> bool:
        """True for a client of HTTP/1.0, which takes the end of the connection for the end of the body."""
        return self.http_version in {"1.0", "0.9"}


class Body(msgspec.Struct):
    """Members of a request's body; those of `with_inputs` go to the function as they stand in it."""

    @classmethod
    def own(cls) -> tuple[str, ...]:
        """The members that are no inputs."""
        return cls.__struct_fields__

    def inputs(self) -> dict[str, msgspec.Raw]:
        """The members that go to the function as large inputs; none but in `with_inputs`."""
        own = len(self.own())
        names = zip(self.__struct_fields__[own:], self.__struct_encode_fields__[own:])
        found = ((name, getattr(self, field)) for field, name in names)
        return {name: raw for name, raw in found if len(memoryview(raw))}


Kind = TypeVar("Kind", bound=Body)


def with_inputs(kind: type[Kind], names: Sequence[str]) -> type[Kind]:
    """Make the *kind* of body that takes the members *names*, too, where a client sends them, as large inputs.

    Raises:
        InvalidJob: a name that no input can have, or that another member has.
    """
    check_inputs(dict.fromkeys(names))
    own = kind.__struct_fields__
    if taken := [name for name in names if name in own]:
        raise InvalidJob(f"{taken[0]!r} is a member of its own, and no input")
    fields = {f"input_{position}": name for position, name in enumerate(names)}
    members = [(field, msgspec.Raw, msgspec.Raw(b"")) for field in fields]
    made = msgspec.defstruct(
        f"{kind.__name__}WithInputs",
        members,
        bases=(kind,),
        rename=fields,
        namespace={"own": classmethod(lambda _: own)},
    )
    return cast("type[Kind]", made)


def negotiate(request: HttpRequest, *offered: str) -> str:
    """Choose the media type of *offered* that the client prefers, or the first if it has no preference.

    The query's ``format`` comes before the header: a link in a page has no headers. NDJSON has three names, and the
    client's own is chosen. Parameters of a type, such as a charset, change nothing.

    Raises:
        NotAcceptable: the client accepts none of them.
        InvalidRequest: there is no such format here.
    """
    if (named := request.query.get("format")) is not None:
        if (found := FORMATS.get(named)) is None or found not in offered:
            known = [name for name, mimetype in FORMATS.items() if mimetype in offered]
            raise InvalidRequest(f"format={named[:40]!r}: it is {' or '.join(known)}")
        return found
    accepted = request.headers.get("accept", "").strip()
    if not accepted:
        return offered[0]
    names = [name for one in offered for name in (one, *(LINES[1:] if one == LINES[0] else ()))]
    best = best_of(accepted, names)
    if best is None:
        raise NotAcceptable(f"this is served as {' or '.join(offered)}, not as {accepted[:80]}")
    return best


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


def read_body(request: HttpRequest, max_body: int, kind: type[Kind]) -> Kind:
    """Read the body of the request, of some *kind*.

    A body may be compressed by gzip; *max_body* counts its bytes as they come and as they are decompressed.

    Raises:
        UnsupportedMediaType: it is not said to be JSON: a page of another site can send any other type unasked; or it
            is compressed in another way.
        BodyTooLarge: it has more than *max_body* bytes; it was not read, or not to its end.
        InvalidRequest: it is no JSON object of this kind.
    """
    mimetype = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if mimetype != JSON:
        raise UnsupportedMediaType(f"the body must have Content-Type: {JSON}, got {mimetype[:80] or 'none'}")
    try:
        return msgspec.json.decode(request.read_body(max_body), type=kind)
    except NOT_JSON as error:
        raise InvalidRequest(f"the body is not what this route takes: {error}") from error


def check_names(names: Sequence[str], known: Collection[str], words: Words) -> tuple[str, ...]:
    """Give *names*, each once, if all of them are *known*; else raise InvalidRequest."""
    if not names:
        raise InvalidRequest(f"{words.many} is empty; known are {', '.join(known)}")
    if unknown := [name for name in names if name not in known]:
        raise InvalidRequest(f"unknown {words.one} {unknown[0]!r:.80}; known are {', '.join(known)}")
    return tuple(dict.fromkeys(names))


def read_count(request: HttpRequest, parameter: str) -> int:
    """Read the number in the query's *parameter*; 0 if it is absent.

    Raises:
        InvalidPage: it is no number, or negative.
    """
    text = request.query.get(parameter, "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidPage(f"{parameter}={text[:40]!r}: it must be a number, and not negative")
    return int(text)


def read_shape(request: HttpRequest) -> Shape:
    """Read the shape of rows that the query asks for: ``?shape=arrays`` is the compact one.

    Raises:
        InvalidRequest: there is no such shape.
    """
    shape = request.query.get("shape", "objects")
    if shape not in ("objects", "arrays"):
        raise InvalidRequest(f"shape={shape[:40]!r}: it is objects or arrays")
    return cast("Shape", shape)
