"""Checksums of rows as they are sent, the same however the rows were cut into chunks."""

from __future__ import annotations

import zlib
from functools import cache
from typing import Self

POLYNOMIAL = 0xEDB88320  # of CRC-32, reflected, as in zlib
ONE = 1 << 31  # the polynomial 1, reflected


class Checksum:
    """A CRC-32 over the JSON of all rows joined by commas: over ``{"ID":1},{"ID":2}``.

    >>> whole, parts = Checksum(), Checksum()
    >>> whole.update_list(b'[{"ID":1},{"ID":2}]')
    >>> parts.update_lines(b'{"ID":1}\\n')
    >>> parts.update_lines(b'{"ID":2}\\n')
    >>> whole.hexdigest() == parts.hexdigest()
    True
    """

    def __init__(self) -> None:
        self._crc = 0
        self._empty = True

    @classmethod
    def after(cls, hexdigest: str, *, rows: int) -> Self:
        """Go on after *rows* rows with this *hexdigest*, for a result that is resumed.

        >>> whole, resumed = Checksum(), Checksum.after("8230d2f7", rows=1)
        >>> whole.update_list(b'[{"ID":1},{"ID":2}]')
        >>> resumed.update_list(b'[{"ID":2}]')
        >>> whole.hexdigest() == resumed.hexdigest()
        True
        """
        checksum = cls()
        checksum._crc, checksum._empty = int(hexdigest, 16), rows == 0
        return checksum

    def update_list(self, rows: bytes) -> None:
        """Add *rows*, a compact JSON array."""
        self._update(memoryview(rows)[1:-1])

    def update_lines(self, rows: bytes) -> None:
        """Add *rows*, one a line; JSON itself has no line breaks."""
        self._update(memoryview(rows.replace(b"\n", b","))[:-1])

    def hexdigest(self) -> str:
        """Give the checksum as eight hexadecimal digits; zeros as long as there was no row."""
        return f"{self._crc:08x}"

    def _update(self, joined: memoryview) -> None:
        if not joined:
            return
        if not self._empty:
            self._crc = zlib.crc32(b",", self._crc)
        self._crc = zlib.crc32(joined, self._crc)
        self._empty = False


def joined_crc(first: int, second: int, length: int) -> int:
    """Compute the CRC-32 of A + B from *first*, that of A, and *second*, that of B, which has *length* bytes.

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
    """Compute the factor by which 2^*bit* bytes more multiply the CRC-32 of the bytes before them."""
    return _times(_shift(bit - 1), _shift(bit - 1)) if bit else ONE >> 8


def _times(a: int, b: int) -> int:
    """Multiply two polynomials modulo that of CRC-32."""
    product = 0
    while a:
        if a & ONE:
            product ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = (b >> 1) ^ POLYNOMIAL if b & 1 else b >> 1
    return product
