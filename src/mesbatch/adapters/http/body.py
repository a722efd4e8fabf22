"""The body of an answer that is written while its rows are read."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from threading import Condition, Thread

from mesbatch.adapters.http.reads import HeldRead, tell_nobody
from mesbatch.errors import ClientTooSlow
from mesbatch.sink.stream import ByteStream

CLOSE_SECONDS = 5.0  # for which closing waits after an interruption; a driver that ignores it ends by itself
INTERRUPT_SECONDS = 0.2  # between two interruptions; the first may come between two statements

Write = Callable[[HeldRead], ByteStream]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Form:
    """Form of a body: its media type, how *write* makes its bytes, and what may stand between and after them.

    *silence* makes a sign of life while the database is silent, from the read and the seconds since the beginning; None
    where nothing may be sent then. With *first_silence* it may also come before the first piece. *failure* makes the
    last piece of a read that failed; None where the body is broken off instead. *whole* says that a cut body looks like
    a whole one, unless its length or its last chunk is missing.
    """

    mimetype: str
    write: Write
    silence: Callable[[HeldRead, float], bytes] | None = None
    first_silence: bool = False
    failure: Callable[[Exception], bytes] | None = None
    whole: bool = False


class ReadBody(ABC):
    """Bytes of *form* that are made of *read*, piece by piece: `begin`, then `take` until StopIteration, then `close`.

    This is the one place where a read begins, is interrupted and ends; with its end the permit is given back.
    """

    def __init__(self, read: HeldRead, form: Form) -> None:
        self.read, self.form = read, form
        self._pieces = form.write(read)

    def begin(self, patience: float) -> None:
        """Begin to read, and return with the first batch, or after *patience* seconds where another thread reads.

        Raises:
            Exception: the failure of the read before its first batch; everything is closed.
        """
        try:
            self._begin(patience)
            if self.read.failure is not None:
                raise self.read.failure
        except BaseException:
            self.close()
            raise

    @abstractmethod
    def _begin(self, patience: float) -> None: ...

    @abstractmethod
    def take(self, timeout: float | None) -> bytes | None:
        """Take the next piece; None if there is none within *timeout* seconds.

        Raises:
            StopIteration: the last piece was taken before.
            Exception: the error that ended the read.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop, and wait until everything is given back; may be called twice, and before `begin`."""

    @abstractmethod
    def give_up(self) -> Callable[[], bool]:
        """Make a function for another thread, which calls it again until it returns True: nobody takes this body."""

    def _end(self) -> None:
        """Close the pieces, and with them the read, whose permit is then given back."""
        self._pieces.close()


class SameThreadBody(ReadBody):
    """Body that is made in the thread that takes it, for a connection of the caller that refuses other threads."""

    def __init__(self, read: HeldRead, form: Form) -> None:
        super().__init__(read, form)
        self._ready: deque[bytes] = deque()

    def _begin(self, patience: float) -> None:
        while not self.read.began.is_set() and (piece := next(self._pieces, None)) is not None:
            self._ready.append(piece)

    def take(self, timeout: float | None) -> bytes | None:
        return self._ready.popleft() if self._ready else next(self._pieces)

    def close(self) -> None:
        self._end()

    def give_up(self) -> Callable[[], bool]:
        """Give back the permit alone: no other thread may close the read, or hold the last reference to it."""
        return self.read.give_permit_back


class ThreadBody(ReadBody):
    """Body that a thread of its own makes, one piece ahead, while the server can send signs of life.

    It gives up *timeout* seconds after its beginning. Only its own thread touches the pieces, and that thread closes
    them: at the end, at a failure, when the time is over or after `close`. So a client that no longer reads keeps
    neither cursor nor permit, even while the server's thread hangs in its socket. *tell* is called, in that thread,
    when there is something to look at: a piece, or the end.
    """

    def __init__(self, read: HeldRead, form: Form, timeout: float) -> None:
        super().__init__(read, form)
        self.tell: Callable[[], None] = tell_nobody
        self._timeout = timeout
        self._deadline = 0.0
        self._changed = Condition()
        self._piece: bytes | None = None
        self._ended = self._closed = False
        self._failure: Exception | None = None
        self._thread = Thread(target=copy_context().run, args=(self._run,), name="mesbatch-response", daemon=True)

    def start(self) -> None:
        """Begin to read, and return at once; `ended` or `take` tell how far it is."""
        self.read.tell = self.tell
        self._deadline = time.monotonic() + self._timeout
        self._thread.start()

    @property
    def ended(self) -> bool:
        """True once everything is given back, or where it never began."""
        return self._ended or self._thread.ident is None

    def _begin(self, patience: float) -> None:
        self.start()
        self.read.began.wait(patience)

    def take(self, timeout: float | None) -> bytes | None:
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
        if self._thread.ident is None:
            self._end()
            return
        until = time.monotonic() + CLOSE_SECONDS
        while not self.leave() and time.monotonic() < until:
            self._thread.join(INTERRUPT_SECONDS)
        if self._thread.is_alive():
            _logger.warning("a read did not stop within %g s after its client left; it ends by itself", CLOSE_SECONDS)

    def give_up(self) -> Callable[[], bool]:
        return self.leave

    def leave(self) -> bool:
        """Ask the thread to end, and interrupt it if it was asked before; True once it has ended."""
        with self._changed:
            asked, self._closed, self._piece = self._closed, True, None
            self._changed.notify_all()
        if asked and self._thread.is_alive():
            self.read.interrupt()
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            try:
                for piece in self._pieces:
                    if not self._hand_over(piece):
                        return
                    del piece
            finally:
                self._end()
        except Exception as error:  # noqa: BLE001  # raised again where it is taken
            self._failure = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            self.tell()

    def _hand_over(self, piece: bytes) -> bool:
        """Leave *piece* to be taken; False if nobody will take it."""
        with self._changed:
            remaining = self._deadline - time.monotonic()
            taken = self._changed.wait_for(lambda: self._piece is None or self._closed, max(0.0, remaining))
            if self._closed:
                return False
            if not taken:
                raise ClientTooSlow(f"the answer was not taken within timeout={self._timeout:g} s")
            self._piece = piece
            self._changed.notify_all()
        self.tell()
        return True
