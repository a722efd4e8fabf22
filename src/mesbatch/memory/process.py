"""Memory of this process: how much it holds, how much it may still take, and a way to give some back."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from weakref import WeakSet

from mesbatch.memory.cgroup import find_limits
from mesbatch.units import KiB

CACHED_SECONDS = 0.25  # a reading is a dozen small files; Envoy reads its gauges as often
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Memory:
    """One reading of memory, in bytes; None for figures that the system does not tell.

    Attributes:
        limit: The smallest limit among our control group, those around it, and the machine.
        working_set: The use of that one, without the file cache that the kernel drops when it must.
        headroom: The rest of the tightest of them.
        used: The share, from 0 to 1, of the fullest of them.
        rss: The resident memory of this process alone.

    >>> Memory(limit=100, working_set=85, headroom=15, used=0.85, rss=40).headroom
    15
    """

    limit: int | None
    working_set: int | None
    headroom: int | None
    used: float | None
    rss: int | None


class MemoryReader:
    """A reader of memory, for any number of threads.

    Args:
        cached: Seconds for which a reading is kept.
        proc: The place of the files of ``/proc``.
        clock: A function that gives seconds.

    >>> reader = MemoryReader(cached=1.0)
    >>> isinstance(reader.read(), Memory)
    True
    """

    def __init__(
        self, *, cached: float = CACHED_SECONDS, proc: Path = PROC, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cached, self._proc, self._clock = cached, proc, clock
        self._lock = Lock()
        self._reading: Memory | None = None
        self._read_at = 0.0

    def read(self) -> Memory:
        """Give the reading of now, or of up to *cached* seconds ago."""
        with self._lock:
            now = self._clock()
            if self._reading is None or now - self._read_at >= self._cached:
                self._reading, self._read_at = _read(self._proc), now
            return self._reading


_READER = MemoryReader()


def read_memory() -> Memory:
    """Read memory as it was at most 250 ms ago.

    >>> memory = read_memory()
    >>> memory.headroom is None or 0 <= memory.headroom <= memory.limit
    True
    """
    return _READER.read()


def rss(pid: int | None = None) -> int | None:
    """Read the resident memory of this process, or of *pid*, in bytes; None if it has gone or there is no ``/proc``.

    Args:
        pid: The process; None is this one.

    >>> rss(os.getpid()) is None or rss(os.getpid()) > 2**20
    True
    """
    return _read_rss(PROC, "self" if pid is None else str(pid))


def peak_rss() -> int:
    """Read the most resident memory that this process has held since it began, in bytes.

    >>> peak_rss() > 2**20
    True
    """
    peak = _read_peak()
    if peak is not None:
        return peak
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * KiB


class RssMark:
    """A mark that knows the peak of resident memory since it was made; marks do not disturb each other.

    >>> mark = RssMark()
    >>> filled = b"x" * 64_000_000
    >>> mark.peak is None or mark.peak >= mark.start
    True
    """

    def __init__(self) -> None:
        with _MARKS_LOCK:
            _note_peak()
            _reset_peak()
            self.start = rss()
            self._peak = self.start
            _MARKS.add(self)

    @property
    def peak(self) -> int | None:
        """The peak in bytes; None if the system cannot tell one since a moment."""
        with _MARKS_LOCK:
            _note_peak()
            return self._peak

    def _note(self, peak: int | None) -> None:
        self._peak = None if peak is None or self._peak is None else max(self._peak, peak)


def release() -> int:
    """Collect garbage and give free memory back to the system; returns the number of bytes, 0 if it is not known.

    Takes about 50 ms for a million objects, during which no other thread runs: call it after a large answer, not in it.

    >>> release() >= 0
    True
    """
    before = rss()
    gc.collect()
    with suppress(OSError, AttributeError):  # musl and macOS have no malloc_trim: there, collecting is all
        ctypes.CDLL(None).malloc_trim(0)
    after = rss()
    return 0 if before is None or after is None else max(0, before - after)


def _read(proc: Path) -> Memory:
    limits = find_limits(proc)
    smallest = min(limits, key=lambda one: one.limit, default=None)
    return Memory(
        limit=None if smallest is None else smallest.limit,
        working_set=None if smallest is None else smallest.working_set,
        headroom=min((max(0, one.limit - one.working_set) for one in limits), default=None),
        used=max((one.working_set / max(1, one.limit) for one in limits), default=None),
        rss=_read_rss(proc),
    )


def _read_rss(proc: Path, process: str = "self") -> int | None:
    try:
        return int((proc / process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):  # IndexError: it went while it was read
        return None


# -- the kernel keeps one peak a process: every mark is told before a reset

_MARKS: WeakSet[RssMark] = WeakSet()
_MARKS_LOCK = Lock()
_resettable = True


def _note_peak() -> None:
    peak = _read_peak() if _resettable else None
    for mark in _MARKS:
        mark._note(peak)


def _reset_peak() -> None:
    global _resettable
    try:
        (PROC / "self/clear_refs").write_text("5")  # man 5 proc: resets VmHWM
    except OSError:
        _resettable = False


def _read_peak() -> int | None:
    """Read VmHWM, because ``ru_maxrss`` starts with the memory that the *parent* held when it started this process."""
    with suppress(OSError):
        for line in (PROC / "self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None
