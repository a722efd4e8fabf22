"""Folders that take the files of an output: of the file system, or of an object store."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from mesbatch.sink.outlet import write_all

UNFINISHED = ".unfinished"  # the end of a local file's name until it is whole


class PartFile(Protocol):
    """A new file, which gets its name when it is whole."""

    def write(self, data: Any, /) -> Any: ...

    def flush(self) -> object: ...

    def keep(self) -> None:
        """End the file and give it its name."""

    def drop(self) -> None:
        """Leave nothing of the file; may be called after a failure of anything else."""


class Place(Protocol):
    """A folder of named bytes. *label* names it for a person, and ends with ``/``."""

    label: str

    def names(self) -> list[str]:
        """List the files that are directly in it."""

    def read(self, name: str) -> bytes | None:
        """Read a small file; None where there is none."""

    def open(self, name: str) -> BinaryIO:
        """Open a file to be read at any place.

        Raises:
            FileNotFoundError: there is none.
        """

    def size(self, name: str) -> int | None:
        """Measure a file; None where there is none."""

    def write(self, name: str, data: bytes) -> None:
        """Write a small file, whole or not at all."""

    def append(self, name: str, data: bytes) -> None:
        """Add *data* to the end of a small file."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    def create(self, name: str) -> PartFile:
        """Begin a new file."""


class LocalPlace:
    """A folder of the file system, which is made when something is written to it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.label = folder, f"{folder}/"

    def names(self) -> list[str]:
        return [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []

    def read(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def open(self, name: str) -> BinaryIO:
        return (self.folder / name).open("rb")

    def size(self, name: str) -> int | None:
        path = self.folder / name
        return path.stat().st_size if path.is_file() else None

    def write(self, name: str, data: bytes) -> None:
        file = self.create(name)
        try:
            write_all(file, memoryview(data))
            file.keep()
        except BaseException:
            file.drop()
            raise

    def append(self, name: str, data: bytes) -> None:
        with (self.folder / name).open("ab") as file:
            file.write(data)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def create(self, name: str) -> UnfinishedFile:
        self.folder.mkdir(parents=True, exist_ok=True)
        return UnfinishedFile(self.folder / name)


class UnfinishedFile:
    """A local file that is written under another name.

    It has no buffer: a buffer that is not empty when the disk is full would be written again, and fail again, when the
    file is closed.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._unfinished = path, path.with_name(f"{path.name}{UNFINISHED}")
        self._file = cast("Any", self._unfinished.open("wb", buffering=0))

    def write(self, data: Any, /) -> Any:
        return self._file.write(data)

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def keep(self) -> None:
        self._file.close()
        self._unfinished.replace(self._path)

    def drop(self) -> None:
        self._file.close()
        self._unfinished.unlink(missing_ok=True)
