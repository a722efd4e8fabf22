"""The bytes of an input in pieces: bytes as they are, files as they are read, and values as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from math import isfinite
from types import NoneType
from typing import Any

import msgspec

from mesbatch.errors import InvalidJob

PIECE_BYTES = 1024 * 1024
AT_ONCE = 10_000  # elements of a flat list that are encoded together: 0.2 MB of lot ids
_SCALARS = frozenset({str, int, bool, float, NoneType})

_encode = msgspec.json.Encoder().encode


def pieces_of(name: str, value: Any) -> Iterator[bytes | memoryview]:
    """Give out the bytes of the input *name*, at most 1 MiB at a time, but for a single text that is longer.

    Raises:
        InvalidJob: *value* is neither bytes nor a binary file nor JSON.

    >>> b"".join(pieces_of("seeds", {"a": ["b", 1]}))
    b'{"a":["b",1]}'
    """
    if isinstance(value, bytes | bytearray | memoryview | msgspec.Raw):
        view = memoryview(value).cast("B")
        return (view[at : at + PIECE_BYTES] for at in range(0, view.nbytes, PIECE_BYTES))
    if hasattr(value, "read"):
        return _read(name, value)
    return _written(value, f"the input {name!r}")


def _read(name: str, file: Any) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        if not isinstance(piece, bytes | bytearray):
            raise InvalidJob(f"the input {name!r} is a file of {type(piece).__name__}: open it as a binary one")
        for at in range(0, len(piece), PIECE_BYTES):  # a file may give more than it was asked for
            yield bytes(piece[at : at + PIECE_BYTES])


def _written(value: Any, place: str) -> Iterator[bytes]:
    """Write *value* as JSON, container by container; what would not come back as it is, is refused."""
    if isinstance(value, Mapping):
        opening = b"{"
        for member, item in value.items():
            if not isinstance(member, str):
                raise InvalidJob(f"{place} has the name {member!r:.80}; names are text")
            yield b"%b%b:" % (opening, _scalar(member, place))
            yield from _written(item, place)
            opening = b","
        yield b"}" if opening == b"," else b"{}"
    elif isinstance(value, list | tuple):
        if set(map(type, value)) <= _SCALARS:
            yield from _flat(value, place)
            return
        opening = b"["
        for item in value:
            yield opening
            yield from _written(item, place)
            opening = b","
        yield b"]"
    else:
        yield _scalar(value, place)


def _flat(values: list[Any] | tuple[Any, ...], place: str) -> Iterator[bytes]:
    opening, remaining = b"[", iter(values)
    while some := list(islice(remaining, AT_ONCE)):
        yield opening + _scalars(some, place)[1:-1]
        opening = b","
    yield b"]" if opening == b"," else b"[]"


def _scalar(value: Any, place: str) -> bytes:
    if type(value) not in _SCALARS:
        raise InvalidJob(f"{place} holds a {type(value).__name__}, which is no JSON")
    return _scalars([value], place)[1:-1]


def _scalars(values: list[Any], place: str) -> bytes:
    for value in values:
        if type(value) is float and not isfinite(value):
            raise InvalidJob(f"{place} holds {value}, which JSON cannot say")
    try:
        return _encode(values)
    except (UnicodeEncodeError, OverflowError) as error:
        raise InvalidJob(f"{place} holds what JSON cannot say: {error}") from error
