"""Reading in the consumer's own thread: for databases in this process, and for connections that are the caller's."""

from __future__ import annotations

from collections.abc import Generator
from threading import Timer
from time import monotonic
from typing import Generic, TypeVar

from mesbatch.read.lane import Lane

T = TypeVar("T")


class Inline(Generic[T]):
    """Gives out what *items* yields; past a deadline the connection of *lane* is interrupted."""

    def __init__(self, items: Generator[T], lane: Lane | None = None) -> None:
        self._items, self._lane = items, lane

    def take(self, deadline: float | None = None) -> T:
        """The next item; *deadline* is a time of ``monotonic()``. Raises what the interrupted driver raises after it."""
        if deadline is None or self._lane is None:
            return next(self._items)
        timer = Timer(max(0.0, deadline - monotonic()), self._interrupt, [self._lane])
        timer.daemon = True
        timer.start()
        try:
            return next(self._items)
        finally:
            timer.cancel()

    def close(self) -> None:
        self._items.close()
        if self._lane is not None:
            self._lane.close()

    @staticmethod
    def _interrupt(lane: Lane) -> None:
        lane.stopped.set()
        lane.interrupt()
