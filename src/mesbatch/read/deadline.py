"""A deadline for what blocks: it is interrupted when its time is up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event as Flag
from threading import Thread
from time import monotonic

AGAIN_SECONDS = 1.0  # an interruption may come before the statement that it was meant for


@contextmanager
def interrupted_at(deadline: float | None, interrupt: Callable[[], None]) -> Iterator[None]:
    """Call *interrupt* in another thread once *deadline*, a time of ``monotonic()``, passes within the ``with`` block.

    It is called again every second until the block is left, and never after that. None means no deadline.
    """
    if deadline is None:
        yield
        return
    left = Flag()

    def watch() -> None:
        seconds = max(0.0, deadline - monotonic())
        while not left.wait(seconds):
            interrupt()
            seconds = AGAIN_SECONDS

    watcher = Thread(target=watch, name="mesbatch-deadline", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        left.set()
        watcher.join()
