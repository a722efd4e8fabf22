"""Patience with a store that does not answer for a while: it is restarted, or the way to it is cut."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from mesbatch.errors import StoreUnavailable
from mesbatch.jobs.stop import Stop

PATIENCE_SECONDS = 60.0  # a restart of Redis takes less
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds between two tries

T = TypeVar("T")


class Patience:
    """Repeated calls of a function until the store answers, for a minute or as long as the job is still ours."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def __call__(self, act: Callable[[], T], *, fenced: bool = False) -> T:
        """Return the result of *act*; with *fenced* repeat it also for a job that is another worker's.

        Raises:
            StoreUnavailable: the store did not answer in time.
            Whatever else *act* raises, at once.
        """
        until, pause = time.monotonic() + PATIENCE_SECONDS, FIRST_PAUSE
        while True:
            try:
                return act()
            except StoreUnavailable:
                if time.monotonic() > until or (self._stop.reason == "fenced" and not fenced):
                    raise
                time.sleep(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)
