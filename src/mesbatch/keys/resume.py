"""The place where a read goes on: after a key as it was asked for, with its type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Self
from uuid import UUID

import msgspec

from mesbatch.keys.moments import at_fixed_offset

SMALLEST_INT, LARGEST_INT = -(2**63), 2**64 - 1  # what every reader of JSON numbers here keeps exactly


class TypedKey(msgspec.Struct, frozen=True):
    """A key that JSON has no value for: the name of its type, and its text."""

    type: str
    value: str


EncodedKey = str | int | float | TypedKey


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Everything up to *key*, that key included, was read and given out.

    *key* is the key as it was asked for, never as the database spelled it: a column may pad it with blanks, or give a
    Decimal for an int. Retries within a read, chunks of a job, its shards and the journals of exports keep their place
    with this type; `encoded` is its form in files.

    >>> ResumePoint(date(2026, 2, 25)).encoded
    TypedKey(type='date', value='2026-02-25')
    >>> ResumePoint.decode(ResumePoint(date(2026, 2, 25)).encoded)
    ResumePoint(key=datetime.date(2026, 2, 25))
    >>> ResumePoint("GA23100020-A00-011").encoded
    'GA23100020-A00-011'
    """

    key: Any

    @property
    def encoded(self) -> EncodedKey:
        """The key for a JSON document: text, and numbers that are exact in JSON, as they are."""
        return encode_key(self.key)

    @classmethod
    def decode(cls, encoded: EncodedKey) -> Self:
        """The point that *encoded* stands for."""
        return cls(decode_key(encoded))


def as_asked(value: Any, key_type: type | None, *, padded: bool) -> Any:
    """The key that *value*, which a database gave for it, was asked for as: without the blanks that pad a column,
    a number of the type of the keys, and a moment with its offset from UTC alone.

    >>> as_asked("a1   ", str, padded=True), as_asked(Decimal("7"), int, padded=False)
    ('a1', 7)
    """
    if padded and isinstance(value, str):
        return value.rstrip(" ")
    if isinstance(value, datetime):
        return at_fixed_offset(value)
    if key_type is None or isinstance(value, key_type) or not isinstance(value, int | float | Decimal):
        return value
    if issubclass(key_type, int):
        return int(value) if value == value // 1 else value
    return key_type(value) if issubclass(key_type, float | Decimal) else value


def encode_key(key: Any) -> EncodedKey:
    """*key* for a JSON document, so that `decode_key` gives an equal key of the same type.

    Raises:
        TypeError: a key is none of the types that keys have.
    """
    if isinstance(key, str):
        return str(key)
    if isinstance(key, int) and SMALLEST_INT <= key <= LARGEST_INT:
        return int(key)
    if isinstance(key, float) and isfinite(key):
        return float(key)
    for name, (kind, write, _) in _TYPES.items():
        if isinstance(key, kind):
            return TypedKey(name, write(key))
    raise TypeError(f"a key of type {type(key).__name__} has no encoded form")


def decode_key(encoded: EncodedKey) -> Any:
    """The key that `encode_key` encoded.

    Raises:
        ValueError: there is no such type, or the text is none of its values.
    """
    if not isinstance(encoded, TypedKey):
        return encoded
    if encoded.type not in _TYPES:
        raise ValueError(f"unknown type of an encoded key: {encoded.type!r}")
    return _TYPES[encoded.type][2](encoded.value)


# In this order: a datetime is a date, too.
_TYPES: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "int": (int, str, int),
    "float": (float, float.hex, float.fromhex),
    "decimal": (Decimal, str, Decimal),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "uuid": (UUID, str, UUID),
    "bytes": (bytes, bytes.hex, bytes.fromhex),
}
