"""Members of one large JSON object or array, decoded some at a time while its bytes come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from mesbatch.codec.not_json import NOT_JSON

SLICE_BYTES = 256 * 1024  # of members that are decoded together: about 2 MiB as Python objects

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
# Whole arrays without others in them, and whole strings, which need no look inside; the quote of a string whose end has
# not come; and what opens, parts and closes.
_TOKEN = re.compile(rb'\[[^\[\]{}"]*+(?:%b[^\[\]{}"]*+)*+\]|%b|["\[\]{},]' % (_STRING, _STRING), re.DOTALL)
_OPENING, _CLOSING = (b"[", b"{"), (b"]", b"}")
_BLANK = b" \t\n\r"


def json_members(pieces: Iterable[bytes]) -> Iterator[tuple[str, Any]]:
    """Decode the JSON object that *pieces* are, as pairs of name and value. Holds a slice, a piece and one member.

    Raises:
        ValueError: these are not the bytes of one JSON object.

    >>> list(json_members([b'{"a": [1, 2], "', b'b": {"c": null}}']))
    [('a', [1, 2]), ('b', {'c': None})]
    """
    decoder = msgspec.json.Decoder(dict[str, Any])
    for members in _slices(pieces, b"{", b"}"):
        yield from _decoded(decoder, b"{%b}" % members).items()


def json_elements(pieces: Iterable[bytes]) -> Iterator[Any]:
    """Decode the elements of the JSON array that *pieces* are. Holds a slice, a piece and one element.

    Raises:
        ValueError: these are not the bytes of one JSON array.

    >>> list(json_elements([b'["a,", ', b'{"b": [2]}]']))
    ['a,', {'b': [2]}]
    """
    decoder = msgspec.json.Decoder(list[Any])
    for elements in _slices(pieces, b"[", b"]"):
        yield from _decoded(decoder, b"[%b]" % elements)


def _decoded(decoder: msgspec.json.Decoder[Any], data: bytes) -> Any:
    try:
        found = decoder.decode(data)
    except NOT_JSON as error:
        raise ValueError(str(error)) from error
    if not found:
        raise ValueError("a member is missing between two commas, or before the end")
    return found


def _slices(pieces: Iterable[bytes], opening: bytes, closing: bytes) -> Iterator[bytes]:
    """Cut what stands between *opening* and *closing* at commas of that level; an empty one gives nothing."""
    remaining = iter(pieces)
    scan = _Scan(bytearray(_begin(remaining, opening)))
    cut = False
    while not (closed := scan.advance()):
        if scan.comma >= SLICE_BYTES:
            yield scan.take()
            cut = True
            continue
        piece = next(remaining, None)
        if piece is None:
            raise ValueError(f"the bytes end before {closing.decode()}")
        scan.held += piece
    if closed != closing:
        raise ValueError(f"wanted {closing.decode()} at the end, got {closed.decode()}")
    if scan.held[scan.at :].strip(_BLANK) or any(piece.strip(_BLANK) for piece in remaining):
        raise ValueError(f"something follows the last {closing.decode()}")
    last = bytes(scan.held[: scan.at - 1])
    if cut or last.strip(_BLANK):
        yield last


def _begin(pieces: Iterator[bytes], opening: bytes) -> bytes:
    """Return what follows *opening* in the first piece that is not blank."""
    first = next(filter(None, (piece.lstrip(_BLANK) for piece in pieces)), b"")
    if not first.startswith(opening):
        raise ValueError(f"wanted {opening.decode()} at the beginning, got {first[:20]!r}")
    return first[1:]


class _Scan:
    """The place up to which the bytes *held* were looked through, its depth, and the last comma of the first level."""

    def __init__(self, held: bytearray) -> None:
        self.held = held
        self.at = self._depth = 0
        self.comma = -1

    def advance(self) -> bytes:
        """Look through all that is held, or to the bracket that closes the first level, which is returned."""
        for token in _TOKEN.finditer(self.held, self.at):
            if token.end() - token.start() > 1:
                self.at = token.end()
                continue
            mark = bytes(token[0])
            if mark == b'"':  # its end comes with a later piece
                self.at = token.start()
                return b""
            self.at = token.end()
            if mark in _OPENING:
                self._depth += 1
            elif mark in _CLOSING:
                self._depth -= 1
                if self._depth < 0:
                    return mark
            elif mark == b"," and not self._depth:
                self.comma = token.start()
        return b""

    def take(self) -> bytes:
        """Take what stands before the last comma out of what is held."""
        taken = bytes(self.held[: self.comma])
        del self.held[: self.comma + 1]
        self.at, self.comma = self.at - self.comma - 1, -1
        return taken
