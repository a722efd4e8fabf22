"""A thread that makes the pieces of an answer, so that the server's thread can say something while it waits."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import copy_context
from threading import Condition, Thread

from mesbatch.errors import ClientTooSlow
from mesbatch.sink.stream import ByteStream

CLOSE_SECONDS = 5.0  # that closing waits for a read which was interrupted; a driver deaf to that ends by itself
INTERRUPT_SECONDS = 0.2  # between two interruptions: the first may come between two statements

_logger = logging.getLogger(__name__)


class Pump:
    """Takes the pieces of *body* in a thread, one ahead; *timeout* seconds after its start it gives up.

    Only that thread touches *body*, and it closes it: at the end, at a failure, when the time is over or after `close`.
    So a client that no longer reads keeps neither cursor nor permit, though the server's thread may hang in its socket.
    *interrupt* makes a read that blocks fail soon.
    """

    def __init__(self, body: ByteStream, interrupt: Callable[[], None], timeout: float) -> None:
        self._body, self._interrupt, self._timeout = body, interrupt, timeout
        self._deadline = 0.0
        self._changed = Condition()
        self._piece: bytes | None = None
        self._ended = self._closed = False
        self._failure: Exception | None = None
        self._thread = Thread(target=copy_context().run, args=(self._run,), name="mesbatch-response", daemon=True)

    def start(self) -> None:
        self._deadline = time.monotonic() + self._timeout
        self._thread.start()

    def take(self, timeout: float | None) -> bytes | None:
        """The next piece; None if there is none within *timeout* seconds.

        Raises:
            StopIteration: that was the last.
            Exception: whatever making it raised.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._piece is not None or self._ended, timeout)
            if self._piece is not None:
                piece, self._piece = self._piece, None
                self._changed.notify_all()
                return piece
            if not self._ended:
                return None
        if self._failure is not None:
            raise self._failure
        raise StopIteration

    def close(self) -> None:
        """Stop, and wait until everything is given back; may be called twice, and before `start`."""
        with self._changed:
            self._closed, self._piece = True, None
            self._changed.notify_all()
        if self._thread.ident is None:
            self._body.close()
            return
        until = time.monotonic() + CLOSE_SECONDS
        self._thread.join(INTERRUPT_SECONDS)
        while self._thread.is_alive() and time.monotonic() < until:
            self._interrupt()
            self._thread.join(INTERRUPT_SECONDS)
        if self._thread.is_alive():
            _logger.warning("a read did not stop within %g s of its client's leaving; it ends by itself", CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            with self._body:
                for piece in self._body:
                    if not self._hand_over(piece):
                        return
                    del piece
        except Exception as error:  # noqa: BLE001  # raised again where it is taken
            self._failure = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _hand_over(self, piece: bytes) -> bool:
        """Whether anybody will take it."""
        with self._changed:
            remaining = self._deadline - time.monotonic()
            taken = self._changed.wait_for(lambda: self._piece is None or self._closed, max(0.0, remaining))
            if self._closed:
                return False
            if not taken:
                raise ClientTooSlow(f"the answer was not taken within timeout={self._timeout:g} s")
            self._piece = piece
            self._changed.notify_all()
            return True
