"""Reading in the consumer's own thread: for databases in this process, and for connections that are the caller's."""

from __future__ import annotations

from collections.abc import Generator
from typing import Generic, TypeVar

from mesbatch.read.deadline import interrupted_at
from mesbatch.read.lane import Lane

T = TypeVar("T")


class Inline(Generic[T]):
    """Gives out what *items* yields; past a deadline the connection of *lane* is interrupted."""

    def __init__(self, items: Generator[T], lane: Lane | None = None) -> None:
        self._items, self._lane = items, lane

    def take(self, deadline: float | None = None) -> T | None:
        """The next item, or None at the end; *deadline* is a time of ``monotonic()``.

        Raises what the interrupted driver raises once it has passed.
        """
        if self._lane is None:
            return next(self._items, None)
        with interrupted_at(deadline, self._lane.interrupt):
            return next(self._items, None)

    def close(self) -> None:
        self._items.close()
        if self._lane is not None:
            self._lane.close()
