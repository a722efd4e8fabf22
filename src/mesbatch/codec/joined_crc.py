"""The CRC-32 of two texts one after the other, from the CRC-32 of each: nothing is read again."""

from __future__ import annotations

from functools import cache

POLYNOMIAL = 0xEDB88320  # of CRC-32, reflected, as in zlib
ONE = 1 << 31  # the polynomial 1, reflected


def joined_crc(first: int, second: int, length: int) -> int:
    """The CRC-32 of A + B, where *first* is that of A, and *second* that of B, which has *length* bytes.

    Multiplies the first by x^(8 length), as zlib's ``crc32_combine`` does, which Python does not show.

    >>> import zlib
    >>> joined_crc(zlib.crc32(b"ab"), zlib.crc32(b"cde"), 3) == zlib.crc32(b"abcde")
    True
    """
    crc = first
    for bit in range(length.bit_length()):
        if length >> bit & 1:
            crc = _times(_shift(bit), crc)
    return crc ^ second


@cache
def _shift(bit: int) -> int:
    """What a text of 2^*bit* bytes multiplies the CRC-32 of the text before it with."""
    return _times(_shift(bit - 1), _shift(bit - 1)) if bit else ONE >> 8


def _times(a: int, b: int) -> int:
    """The product of two polynomials modulo that of CRC-32."""
    product = 0
    while a:
        if a & ONE:
            product ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = (b >> 1) ^ POLYNOMIAL if b & 1 else b >> 1
    return product
