"""The points at which mesbatch touches the world: counted, and made to fail at the n-th one."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple

import mesbatch

PACKAGE = os.path.join(os.path.dirname(mesbatch.__file__), "")  # wherever it is installed  # noqa: PTH118, PTH120
MODES = ("once", "for ever", "late", "short", "dead", "kill", "jump")
"""The failures: one operation; it and all later ones of its family; one whose answer is lost after it was done; a write
of half its bytes; it and every later one as after the end of the process; SIGKILL; a clock that jumps by an hour."""


class Dead(BaseException):
    """The end of this process, as far as the code under test can tell."""


class Failure(NamedTuple):
    """The point that failed, and the *functions* that led to it."""

    number: int
    family: str
    name: str
    functions: frozenset[str]


class Points:
    """A counter of operations by mesbatch; while it is armed, the n-th fails in one of `MODES`.

    An operation counts only where a function of mesbatch is on the stack of its thread, so that servers and checks of a
    test, in the same process, count for nothing. *short* and *jump* count only those that they can befall.
    """

    def __init__(self) -> None:
        self.armed = False
        self.seen: Counter[str] = Counter()
        self._lock = Lock()
        self._reset(0, "once")

    def _reset(self, at: int, mode: str) -> None:
        self.at, self.mode, self.calls, self.failures = at, mode, 0, 0
        self.failed: Failure | None = None
        self.seen.clear()

    @contextmanager
    def arm(self, at: int = 0, mode: str = "once") -> Iterator[Points]:
        """Count within the block, and fail at operation *at*, from 1; 0 never does."""
        self._reset(at, mode)
        self.armed = True
        try:
            yield self
        finally:
            self.armed = False

    def watch(self) -> bool:
        """Return whether an operation of this thread counts now."""
        if not self.armed:
            return False
        frame: Any = sys._getframe(2)
        while frame is not None:
            path = frame.f_code.co_filename
            if path.startswith(PACKAGE):
                return True
            if path.startswith("<frozen importlib"):
                return False  # a module that is loaded late is no operation of ours
            frame = frame.f_back
        return False

    def due(self, family: str, name: str) -> bool:
        """Count an operation that is about to be made, and return whether it fails."""
        with self._lock:
            if self.mode == "short" and name not in {"write", "os.write"}:
                return False
            if (self.mode == "jump") != (family == "clock"):
                return False
            self.calls += 1
            self.seen[f"{family}: {name}"] += 1
            first = self.calls == self.at
            if first:
                self.failed = Failure(self.calls, family, name, _functions())
            elif self.failed is None or not (
                self.mode == "dead" or (self.mode == "for ever" and family == self.failed.family)
            ):
                return False
            self.failures += 1
        if self.mode == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode == "dead":
            raise Dead(f"{family}: {name}, operation {self.calls}")
        return True

    def call(
        self, family: str, name: str, error: Callable[[], BaseException], real: Callable[[], Any],
        undo: Callable[[Any], object] | None = None,
    ) -> Any:  # fmt: skip
        """Make the operation *real*, or fail in its place with *error*; in mode ``late`` fail after it.

        *undo* closes a result that nobody gets.
        """
        if self.due(family, name):
            if self.mode == "late":
                result = real()
                if undo is not None:
                    undo(result)
            raise error()
        return real()


def _functions() -> frozenset[str]:
    found, frame = set(), sys._getframe()
    while frame is not None:
        found.add(frame.f_code.co_name)
        frame = frame.f_back  # type: ignore[assignment]
    return frozenset(found)


points = Points()
