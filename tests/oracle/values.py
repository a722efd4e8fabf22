"""Values on the wire: from SQLite's to a column's bytes, and from a bind's bytes to SQLite's."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.oracle.dates import decode_date, encode_date, encode_timestamp, encode_timestamp_tz
from tests.oracle.numbers import decode_double, decode_number, encode_double, encode_number
from tests.oracle.primitives import blob
from tests.oracle.protocol import Type

Encoder = Callable[[Any], bytes]
NULL = b"\0"
LONG_TAIL = b"\0\0"  # indicator and return code, which follow a LONG
REMEMBERED = 20_000  # values of one type; made-up data repeats itself


class Encoded(dict[Any, bytes]):
    """A memory of encoded values; it begins with NULL, and with the empty text, which is NULL for Oracle."""

    def __init__(self, encode: Encoder, null: bytes = NULL) -> None:
        super().__init__({None: null, "": null})
        self._encode, self._null = encode, null

    def __missing__(self, value: Any) -> bytes:
        if len(self) > REMEMBERED:
            self.clear()
            self.update({None: self._null, "": self._null})
        encoded = self[value] = self._encode(value)
        return encoded


def encode_text(value: Any) -> bytes:
    if isinstance(value, bytes):
        return blob(value)
    return blob(value.encode() if isinstance(value, str) else str(value).encode())


def make_encoder(kind: Type, padded_to: int = 0) -> Encoder:
    """Make the encoder for values of *kind*, NULL among them; text of a CHAR is padded to *padded_to* characters."""
    match kind:
        case Type.VARCHAR | Type.RAW | Type.ANYDATA:
            return Encoded(encode_text).__getitem__
        case Type.CHAR:
            return Encoded(lambda value: encode_text(str(value).ljust(padded_to))).__getitem__
        case Type.NUMBER:
            return Encoded(lambda value: blob(encode_number(value))).__getitem__
        case Type.DATE:
            return Encoded(lambda value: blob(encode_date(value))).__getitem__
        case Type.TIMESTAMP:
            return Encoded(lambda value: blob(encode_timestamp(value))).__getitem__
        case Type.TIMESTAMP_TZ:
            return Encoded(lambda value: blob(encode_timestamp_tz(value))).__getitem__
        case Type.BINARY_DOUBLE:
            return Encoded(lambda value: blob(encode_double(value))).__getitem__
        case Type.LONG | Type.LONG_RAW:
            return lambda value: (NULL if value in (None, "", b"") else encode_text(value)) + LONG_TAIL
    raise ValueError(f"no values of type {kind!r} are written")


def decode_bind(kind: int, national: bool, data: bytes | None) -> Any:
    """The value of a bind as SQLite takes it."""
    if data is None:
        return None
    match kind:
        case Type.VARCHAR | Type.CHAR | Type.LONG:
            return data.decode("utf-16-be" if national else "utf-8")
        case Type.NUMBER | Type.BINARY_INTEGER:
            return _stored(decode_number(data))
        case Type.DATE | Type.TIMESTAMP | Type.TIMESTAMP_TZ | Type.TIMESTAMP_LTZ:
            return decode_date(data)
        case Type.BINARY_DOUBLE | Type.BINARY_FLOAT:
            return decode_double(data)
        case Type.BOOLEAN:
            return int(data[0] == 1)
    return data


def _stored(number: int | Decimal) -> int | float | bytes:
    """A number as SQLite keeps it; one that SQLite would round is kept as bytes."""
    if isinstance(number, int) and abs(number) < 2**63:
        return number
    return float(number) if Decimal(repr(float(number))) == number else str(number).encode()
