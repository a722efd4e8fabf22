"""A file that counts its bytes and their CRC-32 as they are written."""

from __future__ import annotations

import io
import zlib
from typing import Any, BinaryIO, cast


class CheckedFile(io.RawIOBase):
    """Writes through to *file*, or to nowhere; *nbytes* and *crc32* are those of what was written."""

    def __init__(self, file: BinaryIO | None) -> None:
        super().__init__()
        self._file = file
        self.nbytes = self._crc = 0

    @property
    def crc32(self) -> str:
        """Eight hexadecimal digits."""
        return f"{self._crc:08x}"

    @property
    def as_binary(self) -> BinaryIO:
        """This, for who asks for the standard's type."""
        return cast("BinaryIO", self)

    def let_go(self) -> None:
        """What is still written goes nowhere."""
        self._file = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self._file is not None:
            left = memoryview(data).cast("B")
            while left:  # a file without a buffer may take less, before it says that the disk is full
                left = left[self._file.write(left) :]
        self._crc = zlib.crc32(data, self._crc)
        self.nbytes += len(data)
        return len(data)

    def tell(self) -> int:
        return self.nbytes

    def flush(self) -> None:
        if self._file is not None and not self.closed:
            self._file.flush()
