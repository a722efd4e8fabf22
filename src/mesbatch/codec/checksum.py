"""A checksum of rows as they are sent, the same however they were cut into chunks."""

from __future__ import annotations

import zlib
from functools import cache
from typing import Self

POLYNOMIAL = 0xEDB88320  # of CRC-32, reflected, as in zlib
ONE = 1 << 31  # the polynomial 1, reflected


class Checksum:
    """CRC-32 over the JSON of all rows joined by commas: of ``{"ID":1},{"ID":2}``.

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
        """One that has seen *rows* rows with this *hexdigest* already, so that a resumed result goes on.

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
        """Add *rows*, one a line: JSON has no line break within."""
        self._update(memoryview(rows.replace(b"\n", b","))[:-1])

    def hexdigest(self) -> str:
        """Eight hexadecimal digits; zeros as long as there was no row."""
        return f"{self._crc:08x}"

    def _update(self, joined: memoryview) -> None:
        if not joined:
            return
        if not self._empty:
            self._crc = zlib.crc32(b",", self._crc)
        self._crc = zlib.crc32(joined, self._crc)
        self._empty = False


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
