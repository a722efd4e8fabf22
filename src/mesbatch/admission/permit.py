"""Permits: the right to read now, which must be given back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from threading import Lock
from types import TracebackType
from typing import Self, TypeVar
from warnings import warn

from mesbatch.errors import MesbatchError, PermitReleased

T = TypeVar("T")


class Permit:
    """Right to read now and to hold some bytes meanwhile; a context manager, which gives it back at its end.

    A permit that must outlive a view is handed on: after `holding` the body gives it back, and the context manager
    does so only when an exception leaves it. Limiters make permits.

    Args:
        nbytes: Bytes that its holder may use.
        give_back: A function of the limiter, called once at the end.
        abandon: A function of the limiter for a permit that became garbage, when no lock may be taken.
        check: A function of the limiter that raises where the permit is lost.

    >>> from mesbatch.admission import ProcessLimiter
    >>> def view(limiter):
    ...     with limiter.permit(10) as permit:
    ...         return permit.holding([b"a", b"b"])
    >>> limiter = ProcessLimiter(permits=1, max_bytes=100)
    >>> body = view(limiter)
    >>> limiter.in_flight.permits, list(body), limiter.in_flight.permits
    (1, [b'a', b'b'], 0)
    """

    def __init__(
        self, nbytes: int, give_back: Callable[[], None], abandon: Callable[[], None], check: Callable[[], None]
    ) -> None:
        self.nbytes = nbytes
        self._give_back, self._abandon, self._check = give_back, abandon, check
        self._before: list[Callable[[], object]] = []
        self._handed_on = False
        self._held, self._lock, self._process = True, Lock(), os.getpid()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._handed_on or (kind is not None and self.held):  # a body that failed has given it back
            self.release()

    @property
    def held(self) -> bool:
        """True until the permit is given back; a forked process holds none of its parent's permits."""
        return self._held and self._process == os.getpid()

    def release(self) -> None:
        """Give the permit back.

        Raises:
            PermitReleased: it was given back before.
            PermitLost: its lease had run out, so more may have been read at once than the limit allows.
            LimiterUnavailable: the limiter could not be told; the lease will run out.
        """
        with self._lock:
            if not self.held:
                raise PermitReleased("a permit was released that is not held: somebody released it before")
            self._held = False
        with ExitStack() as stack:
            stack.callback(self._give_back)
            for act in self._before:
                stack.callback(act)

    def before_release(self, act: Callable[[], object]) -> None:
        """Call *act* before this permit is given back, the last *act* first; an error of it leaves `release`."""
        self._before.append(act)

    def check(self) -> None:
        """Raise `PermitReleased` or `PermitLost` unless the permit is held; call it before each further read."""
        if not self.held:
            raise PermitReleased("a permit was used after it had been released")
        self._check()

    def holding(self, body: Iterable[T]) -> HeldBody[T]:
        """Hold this permit until *body* ends, fails or is closed, also after the view that returned it."""
        self._handed_on = True
        return HeldBody(body, self)

    def __del__(self) -> None:
        if getattr(self, "_held", False) and self.held:
            self._abandon()
            warn("a permit was neither released nor used as a context manager", ResourceWarning, 2)


class HeldBody(Iterator[T]):
    """Body that holds a permit; WSGI servers call its *close*, also when nothing was sent yet.

    Args:
        body: The bytes of the answer.
        permit: The permit, which is given back at the end of the body.

    >>> from mesbatch.admission import ProcessLimiter
    >>> limiter = ProcessLimiter(permits=1, max_bytes=100)
    >>> body = HeldBody([b"a", b"b"], limiter.permit(10))
    >>> list(body), limiter.in_flight.permits
    ([b'a', b'b'], 0)
    """

    def __init__(self, body: Iterable[T], permit: Permit) -> None:
        self._body, self._permit = body, permit
        self._pieces = iter(body)
        self._closed = False

    def __next__(self) -> T:
        try:
            self._permit.check()
            return next(self._pieces)
        except BaseException as error:
            self._close_after(error)
            raise

    def _close_after(self, error: BaseException) -> None:
        """Close; a failure to close after another *error* becomes only a note of that one."""
        try:
            self.close()
        except MesbatchError as late:
            if isinstance(error, StopIteration):
                raise
            error.add_note(f"then the permit could not be given back: {late}")

    def close(self) -> None:
        """Close the body, then give the permit back; may be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            if close := getattr(self._body, "close", None):
                close()
        finally:
            if self._permit.held:
                self._permit.release()
