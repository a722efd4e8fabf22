"""A control group with a memory limit, made below the group of this process, or beside it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mesbatch.memory.cgroup import VERSION_1, VERSION_2, Version, find_groups
from tests.rig.postgres import RigUnavailable

EMPTY_SECONDS = 10.0  # until the kernel has taken the last killed process out of its group


class MemoryCage:
    """A group of processes that may hold *limit* bytes together, and no swap; leaving kills the rest of them.

    Raises:
        RigUnavailable: on entering, where no control group may be made.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __enter__(self) -> Self:
        reasons = ["this system has none for memory"]
        with contextlib.suppress(OSError):  # no /proc
            for version, parent in find_groups():
                try:
                    self._make(version, parent)
                except OSError as error:  # version 2 lets no group be made below one with processes, such as our own
                    reasons.append(f"none can be made in {parent}: {error.strerror}")
                else:
                    return self
        raise RigUnavailable(f"no cgroup: {reasons[-1]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._remove()

    def popen(self, command: list[str], **options: Any) -> subprocess.Popen[str]:
        """Start *command* inside; its first page is already counted."""
        shell = ["/bin/sh", "-c", 'echo 0 > "$0" && exec "$@"', str(self.directory / "cgroup.procs"), *command]
        return subprocess.Popen(shell, text=True, **options)

    def usage(self) -> int:
        """The group's bytes as the kernel counts them, file cache included."""
        return int((self.directory / self._version.usage).read_text())

    def working_set(self) -> int:
        """Its usage without the file cache that the kernel drops when it must, in bytes."""
        table = dict(map(str.split, (self.directory / "memory.stat").read_text().splitlines()))
        return max(0, self.usage() - int(table[self._version.inactive_file]))

    def kills(self) -> int:
        """The number of its processes that the kernel has killed for memory."""
        name = "memory.oom_control" if self._version is VERSION_1 else "memory.events"
        table = dict(map(str.split, (self.directory / name).read_text().splitlines()))
        return int(table["oom_kill"])

    def processes(self) -> list[int]:
        return list(map(int, (self.directory / "cgroup.procs").read_text().split()))

    def _make(self, version: Version, parent: Path) -> None:
        self._version, self.directory = version, parent / f"mesbatch-{uuid.uuid4().hex[:8]}"
        if version is VERSION_2 and "memory" not in (parent / "cgroup.subtree_control").read_text().split():
            (parent / "cgroup.subtree_control").write_text("+memory")
        self.directory.mkdir()
        try:
            (self.directory / version.limit).write_text(str(self.limit))
        except OSError:
            self._remove()
            raise
        swap = self.directory / ("memory.memsw.limit_in_bytes" if version is VERSION_1 else "memory.swap.max")
        with contextlib.suppress(OSError):  # a machine without swap accounting
            swap.write_text(str(self.limit if version is VERSION_1 else 0))

    def _remove(self) -> None:
        until = time.monotonic() + EMPTY_SECONDS
        while self.directory.exists():
            for process in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, 9)
            try:
                self.directory.rmdir()
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
