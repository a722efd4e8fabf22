"""Targets for the bytes of parts: a file that grows, a file for each part, a file that gets its name last, a pipe."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol, cast

from mesbatch.export.journal import ExportPart
from mesbatch.export.place import PartFile, Place
from mesbatch.sink.outlet import Writable


class Target(Protocol):
    """A place that takes the parts of an output, one after the other.

    *joins* says that they follow each other in one sequence of bytes.
    """

    joins: bool

    def begin(self, number: int) -> Writable:
        """Open the file that part *number* is written to."""

    def name_of(self, number: int) -> str: ...

    def keep(self) -> None:
        """Keep the part, which is whole."""

    def drop(self) -> None:
        """Give up the part, if one was begun, and leave nothing of it."""

    def finish(self) -> None:
        """Close the output, whose parts are all whole."""


class JoinedParts:
    """Parts one behind the other in a local file; bytes behind the last whole part are cut off.

    The file has no buffer, for the reason of `UnfinishedFile`.
    """

    joins = True

    def __init__(self, path: Path, whole: list[ExportPart]) -> None:
        self._name = path.name
        self._file = cast("BinaryIO", path.open("r+b" if whole else "wb", buffering=0))
        self._size = sum(part.nbytes for part in whole)
        try:
            self._cut()
        except BaseException:
            self._file.close()
            raise

    def begin(self, number: int) -> Writable:
        return self._file

    def name_of(self, number: int) -> str:
        return self._name

    def keep(self) -> None:
        self._size = self._file.tell()

    def drop(self) -> None:
        if not self._file.closed:
            with self._file:
                self._cut()

    def finish(self) -> None:
        self._file.close()

    def _cut(self) -> None:
        self._file.seek(self._size)
        self._file.truncate()


class SeparateParts:
    """A file of *place* for each part, whose name ends with *ending*; it gets its name when it is whole."""

    joins = False

    def __init__(self, place: Place, ending: str) -> None:
        self._place, self._ending = place, ending
        self._file: PartFile | None = None

    def begin(self, number: int) -> Writable:
        self._file = self._place.create(self.name_of(number))
        return self._file

    def name_of(self, number: int) -> str:
        return f"part-{number:05}{self._ending}"

    def keep(self) -> None:
        if self._file is not None:
            self._file.keep()
        self._file = None  # not before: a file that could not get its name is dropped

    def drop(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.drop()

    def finish(self) -> None:
        """Do nothing: each part was ended by itself."""


class WholeFile(SeparateParts):
    """One file that is one part: for formats with a footer, and for objects, which cannot grow."""

    def __init__(self, place: Place, name: str) -> None:
        super().__init__(place, "")
        self._name = name

    def name_of(self, number: int) -> str:
        return self._name


class Pipe:
    """A stream that was opened elsewhere, and is closed there."""

    joins = True

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def begin(self, number: int) -> Writable:
        return self._stream

    def name_of(self, number: int) -> str:
        return "-"

    def keep(self) -> None:
        self._stream.flush()

    def drop(self) -> None:
        """Do nothing: bytes that left are gone."""

    def finish(self) -> None:
        """Do nothing: the stream ends with the process."""


class Device(Pipe):
    """A device or a named pipe of the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__(cast("BinaryIO", path.open("wb", buffering=0)))

    def drop(self) -> None:
        self._stream.close()

    def finish(self) -> None:
        self._stream.close()
