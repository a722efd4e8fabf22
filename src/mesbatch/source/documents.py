"""JSON documents as Python values that lose nothing: numbers keep their digits, objects all their members."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec

_decoder = msgspec.json.Decoder(float_hook=Decimal)


def read_document(data: bytes | str) -> Any:
    """Read a document in which no object names a member twice, as PostgreSQL's jsonb promises.

    A number is an int, or a Decimal where it has a fraction or an exponent.

    Raises:
        ValueError: a number has more digits than Python makes an int of, or a text holds half a surrogate pair.

    >>> read_document('{"a": [1.50, 1e400, 5]}')
    {'a': [Decimal('1.50'), Decimal('1E+400'), 5]}
    """
    return _decoder.decode(data)


def read_any_document(data: bytes | str) -> Any:
    """Read any document.

    Raises:
        ValueError: as `read_document`, or an object names a member twice, of which Python would keep the last.

    >>> read_any_document('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: the member 'a' stands twice in an object
    """
    document = json.loads(data, parse_float=Decimal, object_pairs_hook=_members)
    msgspec.json.encode(document)  # raises for half a surrogate pair
    return document


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {repeated!r} stands twice in an object")
    return members
