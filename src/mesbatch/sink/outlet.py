"""A wrapper for the file under a writer of some format: it counts bytes, and can be shut."""

from __future__ import annotations

import zlib
from typing import Any, Protocol


class Writable(Protocol):
    """A file, or anything that takes bytes as one does."""

    def write(self, data: Any, /) -> Any: ...

    def flush(self) -> object: ...


def write_all(file: Writable, left: memoryview) -> None:
    """Write all of *left*: a file without a buffer may take less, before it says that the disk is full."""
    while left:
        written = file.write(left)
        left = left[len(left) if written is None else written :]


class Outlet:
    """A wrapper that writes through to *file*, or to nowhere if that is None, and counts the bytes in *nbytes*.

    Once it is shut, bytes go to nowhere, too: the writers of columnar formats write a footer even when they are thrown
    away, and a file with a footer looks whole. *file* stays open.
    """

    closed = False  # for pyarrow, which asks

    def __init__(self, file: Writable | None) -> None:
        self._file = file
        self.nbytes = 0

    def write(self, data: Any) -> int:
        if self._file is not None:
            write_all(self._file, memoryview(data).cast("B"))
        self.nbytes += len(data)
        return len(data)

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        self.shut()

    def shut(self) -> None:
        """Drop the bytes that are still written."""
        self._file = None


class CheckedOutlet(Outlet):
    """An outlet that keeps the CRC-32 of the bytes as well."""

    _crc = 0

    @property
    def crc32(self) -> str:
        """The checksum, in eight hexadecimal digits."""
        return f"{self._crc:08x}"

    def write(self, data: Any) -> int:
        nbytes = super().write(data)
        self._crc = zlib.crc32(data, self._crc)
        return nbytes
