"""A checksum of rows as they are sent, the same however they were cut into chunks."""

from __future__ import annotations

import zlib
from typing import Self


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
