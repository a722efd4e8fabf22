"""A request to a running job to stop before its end, made from any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Literal, Protocol

Reason = Literal["cancel", "timeout", "shutdown", "permit-lost", "fenced"]
# Reasons for which the job is given back and run again, and the interruption that it then shows.
INTERRUPTIONS: dict[Reason | None, str] = {"shutdown": "worker-stopped", "permit-lost": "permit-lost"}


class Interruptible(Protocol):
    """A read that blocks in one thread and can be made to fail from another."""

    def interrupt(self) -> None: ...


class Stopped(BaseException):
    """The way out of a job's loop; the reason stands in its `Stop`."""


class Stop:
    """A request to stop, and the read that is under way, so that it can be interrupted.

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

    @property
    def gives_back(self) -> bool:
        """True if the job is to go on later, so that it publishes the whole keys that it holds."""
        return self.reason in INTERRUPTIONS

    def ask(self, reason: Reason) -> None:
        """Ask for a stop. The first reason counts, but any other replaces a lost permit, and a lost lease all others.

        Takes no lock: a signal's handler may call it in the midst of anything.
        """
        if self.reason in (None, "permit-lost") or reason == "fenced":
            self.reason = reason

    def check(self) -> None:
        """Raise `Stopped` when a stop was asked for."""
        if self.asked:
            raise Stopped

    @contextmanager
    def interrupting(self, reading: Interruptible) -> Iterator[None]:
        """Let `interrupt` reach *reading* while the block runs."""
        with self._lock:
            self._reading = reading
        try:
            yield
        finally:
            with self._lock:
                self._reading = None

    def interrupt(self) -> None:
        """Make the read that is under way fail soon."""
        with self._lock:
            if self._reading is not None:
                self._reading.interrupt()
