"""Named bytes in folders: what `WriteOnceStore` needs of a file system or of an object storage."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Objects(Protocol):
    """Names are parts joined by ``/``. Reading raises `StoreUnavailable`, writing `ResultStoreFull` as well."""

    def create(self, name: str, data: bytes) -> bool:
        """Write a new object, whole or not at all; False, and nothing written, when there is one of this name."""

    def replace(self, name: str, data: bytes) -> None:
        """Write an object, whole or not at all, whether there is one or not."""

    def copy(self, source: str, name: str) -> bool:
        """Let *name* be what *source* is; False when there is no *source*. What is there already stays."""

    def read(self, name: str) -> bytes | None:
        """All bytes of an object; None when there is none."""

    def names(self, folder: str) -> list[str]:
        """The last parts of the names of what lies directly in *folder*, sorted."""

    def modified(self, name: str) -> float | None:
        """When an object was last written, in seconds of the clock of `now`; None when there is none."""

    def now(self) -> float:
        """The storage's own clock, in seconds."""

    def remove(self, name: str) -> None:
        """Remove an object, or a folder and all in it, if it is there."""

    def exclusive(self, folder: str) -> AbstractContextManager[None]:
        """Keep every other process out of this block where the storage can do that."""

    def sweep(self, age: float) -> None:
        """Remove what was left half written longer than *age* seconds ago."""
