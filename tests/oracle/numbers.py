"""Oracle's NUMBER and BINARY_DOUBLE as bytes that sort as the numbers do."""

from __future__ import annotations

import struct
from decimal import Decimal, InvalidOperation

from tests.oracle.failures import OraError

ZERO = b"\x80"
PAIRS = 20  # base-100 digits: 38 to 40 decimal ones


def encode_number(value: object) -> bytes:
    """An exponent byte and base-100 digits; complemented where the number is negative.

    >>> encode_number(1).hex(), encode_number(-1).hex(), encode_number("1379.417").hex()
    ('c102', '3e6466', 'c20e502a47')
    """
    sign, digits, exponent = _parts(value)
    stripped = digits.rstrip("0")
    exponent += len(digits) - len(stripped)
    stripped = stripped.lstrip("0")
    if not stripped:
        return ZERO
    if exponent & 1:  # the decimal point stands between two pairs
        stripped, exponent = stripped + "0", exponent - 1
    if len(stripped) & 1:
        stripped = "0" + stripped
    pairs = [int(stripped[i : i + 2]) for i in range(0, len(stripped), 2)][:PAIRS]
    power = exponent // 2 + len(stripped) // 2 - 1
    if not -65 <= power <= 62:
        raise OraError(1426, "numeric overflow")
    if not sign:
        return bytes((power + 193, *(pair + 1 for pair in pairs)))
    tail = (102,) if len(pairs) < PAIRS else ()
    return bytes(((power + 193) ^ 0xFF, *(101 - pair for pair in pairs), *tail))


def decode_number(data: bytes) -> int | Decimal:
    if data == ZERO:
        return 0
    if data[0] & 0x80:
        power, pairs, sign = data[0] - 193, [byte - 1 for byte in data[1:]], 1
    else:
        body = data[1:-1] if data[-1] == 102 else data[1:]
        power, pairs, sign = (data[0] ^ 0xFF) - 193, [101 - byte for byte in body], -1
    whole = 0
    for pair in pairs:
        whole = whole * 100 + pair
    scale = power - (len(pairs) - 1)
    if scale >= 0:
        return int(sign * whole * 100**scale)
    digits = str(whole).rstrip("0")
    exponent = 2 * scale + len(str(whole)) - len(digits)
    if exponent >= 0:
        return int(sign * int(digits) * 10**exponent)
    return Decimal((int(sign < 0), tuple(map(int, digits)), exponent))  # a context would round it


def encode_double(value: float) -> bytes:
    raw = struct.pack(">d", value)
    return bytes(byte ^ 0xFF for byte in raw) if raw[0] & 0x80 else bytes((raw[0] | 0x80,)) + raw[1:]


def decode_double(data: bytes) -> float:
    """A BINARY_DOUBLE, or a BINARY_FLOAT where there are four bytes."""
    raw = bytes((data[0] & 0x7F,)) + data[1:] if data[0] & 0x80 else bytes(byte ^ 0xFF for byte in data)
    return float(struct.unpack(">d" if len(data) == 8 else ">f", raw)[0])


def _parts(value: object) -> tuple[int, str, int]:
    """Sign, decimal digits and exponent."""
    if isinstance(value, int):
        return int(value < 0), str(abs(value)), 0
    try:
        text = value.decode() if isinstance(value, bytes) else str(value).strip()
        number = Decimal(repr(value) if isinstance(value, float) else text)
    except InvalidOperation:
        raise OraError(1722, "invalid number") from None
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise OraError(1426, "numeric overflow")
    return sign, "".join(map(str, digits)), exponent
