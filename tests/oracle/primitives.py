"""Integers and bytes in TTC: their written form, and their reading from a request of several packets."""

from __future__ import annotations

from collections.abc import Callable

SHORT = 252  # bytes in the short form
CHUNK = 32_767


def ub(number: int) -> bytes:
    """An unsigned integer: one byte with its length, then so many bytes, the highest first.

    >>> ub(0), ub(7), ub(300)
    (b'\\x00', b'\\x01\\x07', b'\\x02\\x01,')
    """
    if number == 0:
        return b"\0"
    length = next(size for size in (1, 2, 4, 8) if number < 1 << 8 * size)
    return bytes((length,)) + number.to_bytes(length, "big")


def blob(data: bytes) -> bytes:
    """Bytes with their length; in chunks when they are long."""
    if len(data) <= SHORT:
        return bytes((len(data),)) + data
    out = [b"\xfe"]
    for start in range(0, len(data), CHUNK):
        part = data[start : start + CHUNK]
        out += (ub(len(part)), part)
    return b"".join((*out, b"\0"))


def lblob(data: bytes | str) -> bytes:
    """An integer with the length, and only if it is not 0 the bytes as `blob` writes them."""
    data = data.encode() if isinstance(data, str) else data
    return ub(len(data)) + blob(data) if data else b"\0"


class Reader:
    """Reads a request; calls *more* for the payload of the next packet when its bytes run out."""

    def __init__(self, data: bytes, more: Callable[[], bytes]) -> None:
        self._data, self._at, self._more = data, 0, more

    @property
    def is_empty(self) -> bool:
        return self._at == len(self._data)

    def raw(self, count: int) -> bytes:
        if len(self._data) - self._at < count:
            parts = [self._data[self._at :]]
            have = len(parts[0])
            while have < count:
                parts.append(self._more())
                have += len(parts[-1])
            self._data, self._at = b"".join(parts), 0
        self._at += count
        return self._data[self._at - count : self._at]

    def u8(self) -> int:
        return self.raw(1)[0]

    def ub(self) -> int:
        length = self.u8()
        value = int.from_bytes(self.raw(length & 0x7F), "big")
        return -value if length & 0x80 else value

    def blob(self) -> bytes | None:
        length = self.u8()
        if length in (0, 255):
            return None
        if length != 254:
            return self.raw(length)
        parts = []
        while size := self.ub():
            parts.append(self.raw(size))
        return b"".join(parts)

    def lblob(self) -> bytes | None:
        return self.blob() if self.ub() else None

    def skip(self, fields: str) -> None:
        """Pass over *fields*: ``1`` is one byte, ``n`` an integer."""
        for field in fields:
            self.u8() if field == "1" else self.ub()
