"""Answers that nobody takes: one thread ends their reads and gives their permits back.

A response may never reach the server: a hook raises, or puts another response in its place. Neither a finalizer nor the
end of the request is enough alone. After an error the traceback keeps the body alive until the collector runs, and a
request always ends before the first piece of its body is taken.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from mesbatch.adapters.http.body import CLOSE_SECONDS, INTERRUPT_SECONDS
from mesbatch.errors import ClientTooSlow

TAKE_SECONDS = 5.0  # from the end of a request to the first piece of its answer; servers take milliseconds

GiveUp = Callable[[], bool]  # True once everything is given back; it is called again until then

_logger = logging.getLogger(__name__)


class Untaken:
    """Answer that waits to be taken; *give_up* is called unless `take` or `settle` come before `expire`."""

    def __init__(self, give_up: GiveUp) -> None:
        self._give_up: GiveUp | None = give_up
        self._expired, self._lock = False, Lock()

    def take(self) -> None:
        """Begin to take the answer.

        Raises:
            ClientTooSlow: the answer was given up before.
        """
        self.settle()
        if self._expired:
            raise ClientTooSlow(f"the answer was not taken within {TAKE_SECONDS:g} s after its request")

    def settle(self) -> None:
        """Leave the answer to those who took or closed it."""
        with self._lock:
            self._give_up = None

    def expire(self) -> GiveUp | None:
        """Find what is to be called, or None for an answer that was taken."""
        with self._lock:
            give_up, self._give_up = self._give_up, None
            self._expired = give_up is not None
        return give_up


class Watch:
    """The thread that gives up: it waits for *queue*, which a finalizer may write to at any moment."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[Untaken | GiveUp] = SimpleQueue()
        self._thread: Thread | None = None
        self._lock = Lock()

    def start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="mesbatch-untaken", daemon=True)
                self._thread.start()

    def restart(self) -> None:
        """Begin anew in a forked process, which has neither the thread nor the answers of its parent."""
        self._thread, self._lock, self.queue = None, Lock(), SimpleQueue()

    def _run(self) -> None:
        waiting: deque[tuple[float, Untaken]] = deque()
        leaving: list[tuple[float, GiveUp]] = []
        while True:
            with suppress(Empty):
                found = self.queue.get(timeout=_pause(waiting, leaving))
                if isinstance(found, Untaken):
                    waiting.append((time.monotonic(), found))
                else:
                    leaving.append((time.monotonic(), found))
                del found
            leaving += _expired(waiting)
            leaving = [(since, give_up) for since, give_up in leaving if not _has_left(give_up, since)]


def _pause(waiting: deque[tuple[float, Untaken]], leaving: list[tuple[float, GiveUp]]) -> float | None:
    """Count the seconds until something is to be done; None if nothing is."""
    pauses = [INTERRUPT_SECONDS] if leaving else []
    if waiting:
        pauses.append(max(0.0, waiting[0][0] + TAKE_SECONDS - time.monotonic()))
    return min(pauses, default=None)


def _expired(waiting: deque[tuple[float, Untaken]]) -> Iterator[tuple[float, GiveUp]]:
    """Take the answers whose time is over out of *waiting*."""
    while waiting and waiting[0][0] + TAKE_SECONDS <= time.monotonic():
        if (give_up := waiting.popleft()[1].expire()) is not None:
            _logger.warning("nobody took an answer within %g s after its request: its read ends", TAKE_SECONDS)
            yield time.monotonic(), give_up


def _has_left(give_up: GiveUp, since: float) -> bool:
    try:
        if give_up():
            return True
    except Exception:  # this thread serves all answers
        _logger.exception("an answer that nobody took could not be given up")
        return True
    if late := time.monotonic() > since + CLOSE_SECONDS:
        _logger.warning("a read that nobody takes did not stop within %g s; it ends by itself", CLOSE_SECONDS)
    return late


watch = Watch()
os.register_at_fork(after_in_child=watch.restart)
