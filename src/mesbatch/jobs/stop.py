"""Why a running job is to stop before its end, told from any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Literal, Protocol

Reason = Literal["cancel", "timeout", "shutdown", "fenced"]


class Interruptible(Protocol):
    def interrupt(self) -> None: ...


class Stopped(BaseException):
    """The job leaves its loop; *reason* is in its `Stop`."""


class Stop:
    """A request to stop, and what is being read meanwhile, so that it can be interrupted.

    *kill* ends a process that does not follow; without it one is waited for.
    """

    def __init__(self, kill: Callable[[], None] | None = None) -> None:
        self.kill = kill
        self.reason: Reason | None = None
        self._lock = Lock()
        self._reading: Interruptible | None = None

    @property
    def asked(self) -> bool:
        return self.reason is not None

    def ask(self, reason: Reason) -> None:
        """Stop for *reason*; the first one counts, but a job that lost its lease may not write whatever was asked.

        Takes no lock: a signal's handler may call it in the midst of anything.
        """
        if self.reason is None or reason == "fenced":
            self.reason = reason

    def check(self) -> None:
        """Raise `Stopped` when that was asked for."""
        if self.asked:
            raise Stopped

    @contextmanager
    def interrupting(self, reading: Interruptible) -> Iterator[None]:
        """While the block runs, `interrupt` reaches *reading*."""
        with self._lock:
            self._reading = reading
        try:
            yield
        finally:
            with self._lock:
                self._reading = None

    def interrupt(self) -> None:
        """Make what is being read fail soon."""
        with self._lock:
            if self._reading is not None:
                self._reading.interrupt()
