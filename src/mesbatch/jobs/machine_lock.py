"""A lock that one process of this machine holds, and that the kernel frees with it."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet


class MachineLock:
    """A lock on the file *path*, which is made when it is not there.

    A fork takes no part in it: the child closes its copy of the file, which else would keep the lock for a process
    whose thread does not live.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        _all.add(self)

    def take(self) -> bool:
        """Return whether this object has the lock, now or since an earlier call."""
        if self._descriptor is None:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            self._descriptor = descriptor
        return True

    def drop(self) -> None:
        """Give the lock back; may be called twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def call(self) -> None:
        """Let `calls` of the holder, in any process, change."""
        with suppress(OSError):  # without a file nobody holds it
            os.utime(self._path)

    def calls(self) -> int:
        """Return a number that changes with each `call`."""
        return 0 if self._descriptor is None else os.fstat(self._descriptor).st_mtime_ns


_all: WeakSet[MachineLock] = WeakSet()


def _forget() -> None:
    for lock in list(_all):
        lock.drop()  # closes this copy; the parent still has the lock


os.register_at_fork(after_in_child=_forget)
