"""Drivers that hold a whole result in memory: noticed by the memory of this process, and told as a warning."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from warnings import warn

from mesbatch.errors import UnboundedDriver
from mesbatch.units import format_bytes

TOLERANCE = 4  # times max_bytes: a driver's own first buffers, and what else a process does meanwhile, stay below


class RunningReads:
    """The reads that run in this process, counted: only a read that is alone can tell that memory grew for it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._begun = self._ended = 0

    def begin(self) -> None:
        with self._lock:
            self._begun += 1

    def end(self) -> None:
        with self._lock:
            self._ended += 1

    def alone(self) -> int | None:
        """The number of the only read that runs; None where others do."""
        with self._lock:
            return self._begun if self._begun - self._ended == 1 else None


RUNNING = RunningReads()


class BufferWatch:
    """Compares the memory of this process before a statement with that after its first rows."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._read, self._before = RUNNING.alone(), _resident_bytes()

    def look(self) -> None:
        """Warn if far more came than the first rows, while no other read ran."""
        grown = _resident_bytes() - self._before
        if self._read is not None and self._read == RUNNING.alone() and grown > TOLERANCE * self._max_bytes:
            warn(
                f"the driver held {grown:,} bytes ({format_bytes(grown)}) before it gave the first row, "
                f"max_bytes is {format_bytes(self._max_bytes)}: it keeps the whole result in memory; use a cursor of "
                "the driver that does not, or another driver",
                UnboundedDriver,
                stacklevel=2,
            )


def _resident_bytes() -> int:
    """The memory of this process; 0 where the system does not tell it."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
