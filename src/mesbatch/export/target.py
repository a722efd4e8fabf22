"""Targets for the bytes of parts: one file, the files of a directory, one file that gets its name last, a pipe.

Files have no buffer: a buffer that is not empty when the disk is full would be written again, and fail again, when the
file is closed.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol, cast

from mesbatch.export.journal import ExportPart, OutputFiles


class Target(Protocol):
    """A place that takes the parts of an output, one after the other."""

    def begin(self, number: int) -> BinaryIO:
        """Open the file that part *number* is written to."""

    def name_of(self, number: int) -> str: ...

    def keep(self) -> None:
        """Keep the part, which is whole."""

    def drop(self) -> None:
        """Give up the part, if one was begun, and leave nothing of it."""

    def finish(self) -> None:
        """Close the output, whose parts are all whole."""


class JoinedParts:
    """Parts one behind the other in one file; bytes behind the last whole part are cut off."""

    def __init__(self, files: OutputFiles, whole: list[ExportPart]) -> None:
        self._name = files.path.name
        self._file = cast("BinaryIO", files.path.open("r+b" if whole else "wb", buffering=0))
        self._size = sum(part.nbytes for part in whole)
        self._cut()

    def begin(self, number: int) -> BinaryIO:
        return self._file

    def name_of(self, number: int) -> str:
        return self._name

    def keep(self) -> None:
        self._size = self._file.tell()

    def drop(self) -> None:
        if not self._file.closed:
            self._cut()
            self._file.close()

    def finish(self) -> None:
        self._file.close()

    def _cut(self) -> None:
        self._file.seek(self._size)
        self._file.truncate()


class DirectoryParts:
    """A file for each part; it gets its name when it is whole."""

    def __init__(self, files: OutputFiles, ending: str) -> None:
        self._directory, self._ending = files.path, ending
        self._file: BinaryIO | None = None
        self._path = files.path

    def begin(self, number: int) -> BinaryIO:
        self._path = self._directory / self.name_of(number)
        self._file = cast("BinaryIO", _unfinished(self._path).open("wb", buffering=0))
        return self._file

    def name_of(self, number: int) -> str:
        return f"part-{number:05}{self._ending}"

    def keep(self) -> None:
        if self._file is not None:
            self._file.close()
            _unfinished(self._path).replace(self._path)
        self._file = None

    def drop(self) -> None:
        if self._file is not None:
            self._file.close()
            _unfinished(self._path).unlink(missing_ok=True)
        self._file = None

    def finish(self) -> None:
        pass


class WholeFile(DirectoryParts):
    """One file that is one part, for formats with a footer: nothing can go on with them."""

    def __init__(self, files: OutputFiles) -> None:
        self._name = files.path.name
        super().__init__(OutputFiles(files.path.parent, directory=True), "")

    def name_of(self, number: int) -> str:
        return self._name


class Pipe:
    """A stream that was opened elsewhere, and is closed there."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def begin(self, number: int) -> BinaryIO:
        return self._stream

    def name_of(self, number: int) -> str:
        return "-"

    def keep(self) -> None:
        self._stream.flush()

    def drop(self) -> None:
        pass

    def finish(self) -> None:
        pass


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.unfinished")
