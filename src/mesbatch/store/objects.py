"""Named bytes in folders: the part of a file system or an object storage that `WriteOnceStore` needs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from mesbatch.store.sealed import Document, unseal


class Objects(Protocol):
    """Objects by name, in folders that ``/`` ends. Reading raises `StoreUnavailable`, writing `ResultStoreFull` too."""

    def create(self, name: str, data: bytes) -> bool:
        """Write a new object, whole or not at all; False, and nothing written, when there is one of this name."""

    def replace(self, name: str, data: bytes) -> None:
        """Write an object, whole or not at all, whether there is one or not."""

    def create_all(self, objects: Sequence[tuple[str, bytes]]) -> list[bool]:
        """Do as `create` for each name and its data, all in one folder. Some of them may be there after an error."""

    def copy_all(self, sources: Sequence[tuple[str, str]]) -> list[bool]:
        """Let each name, the second, have the bytes of its source; False for one whose source is not there.

        All names are in one folder, and an object that has one already stays. Some may be there after an error.
        """

    def read(self, name: str) -> bytes | None:
        """Return all bytes of an object; None when there is none."""

    def names(self, folder: str) -> list[str]:
        """Return the names of the objects and folders directly in *folder*, without its own, sorted."""

    def modified(self, name: str) -> float | None:
        """Return the time of the last write of an object, by the clock of `now`; None when there is none."""

    def now(self) -> float:
        """Return the storage's own time, in seconds."""

    def remove(self, name: str) -> None:
        """Remove an object, or a folder and all in it, if it is there."""

    def exclusive(self, folder: str) -> AbstractContextManager[None]:
        """Keep every other process out of this block where the storage can do that."""

    def sweep(self, age: float) -> None:
        """Remove objects that were left half written longer than *age* seconds ago."""


def numbered(job_id: str, kind: str, number: int) -> str:
    """Return the name of the object *number* of some *kind* of a job.

    >>> numbered("0" * 4, "facts", 7)
    '0000/facts/00000007'
    """
    return f"{job_id}/{kind}/{number:08d}"


def of_token(job_id: str, kind: str, token: int, position: int) -> str:
    """Return the name of an object that the holder of the lease *token* writes."""
    return f"{job_id}/{kind}/{token:08d}/{position:08d}"


def read_document(objects: Objects, name: str, kind: type[Document]) -> Document | None:
    """Read a sealed document of some *kind*; None when there is none.

    Raises:
        CorruptChunk: it is damaged.
    """
    sealed = objects.read(name)
    return None if sealed is None else unseal(sealed, kind, name)
