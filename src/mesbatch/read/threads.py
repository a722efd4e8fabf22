"""Two ways to run a read: in the consumer's own thread, or ahead of it in threads that read parts side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from threading import Condition, Thread, current_thread
from threading import Event as Flag
from time import monotonic
from typing import Generic, Protocol, TypeVar

from mesbatch.read.deadline import AGAIN_SECONDS, interrupted_at


class Worker(Protocol):
    """The tool of a thread: a connection, or something like it."""

    stopped: Flag

    def interrupt(self) -> None:
        """Make what blocks in the thread fail soon; called from another one, and again while it does not."""

    def close(self) -> None: ...


P = TypeVar("P")
T = TypeVar("T")
W = TypeVar("W", bound=Worker)

JOIN_SECONDS = 0.1  # how long a thread may take to stop by itself before its connection is interrupted
INTERRUPTIONS = 4  # the first asks, the later ones cut


class Inline(Generic[T]):
    """Gives out what *items* yields; past a deadline *worker* is interrupted."""

    def __init__(self, items: Generator[T], worker: Worker | None = None) -> None:
        self._items, self._worker = items, worker

    def take(self, deadline: float | None = None) -> T | None:
        """The next item, or None at the end; *deadline* is a time of ``monotonic()``.

        Raises what the interrupted driver raises once it has passed, or TimeoutError where nothing interrupts it.
        """
        if self._worker is None:
            return next(self._items, None)
        with interrupted_at(deadline, self._worker.interrupt):
            item = next(self._items, None)
        if item is not None and deadline is not None and monotonic() >= deadline:
            raise TimeoutError
        return item

    def close(self) -> None:
        self._items.close()
        if self._worker is not None:
            self._worker.close()


class _Stopped(BaseException):
    """The consumer left."""


class _Feed(Generic[T]):
    """The items of one part that one thread reads: each is made only once the one before it is taken."""

    def __init__(self) -> None:
        self.items: deque[T] = deque()
        self.done = False
        self.error: BaseException | None = None


class Ahead(Generic[W, P, T]):
    """Runs ``read(worker, part)`` for each part, a thread for each worker, and gives out what they yield.

    Of every worker at most one item waits, and the next one is begun when the consumer has taken it, or waits for it
    already: so a reader holds one batch a worker beside the consumer's own. With *ordered* the parts come out in their
    order, else as they are ready.
    """

    def __init__(
        self, read: Callable[[W, P], Generator[T]], parts: Iterator[P], workers: list[W], *, ordered: bool
    ) -> None:
        self._read, self._parts, self._workers, self._ordered = read, parts, workers, ordered
        self._changed = Condition()
        self._feeds: deque[_Feed[T]] = deque()
        self._running = len(workers)
        self._stopped = False
        self._idle = False  # the consumer waits
        self._parts_error: BaseException | None = None
        names = [f"mesbatch-reader-{i}" for i in range(len(workers))]
        self._threads = [
            Thread(target=self._run, args=(worker,), name=name, daemon=True) for worker, name in zip(workers, names)
        ]
        for thread in self._threads:
            thread.start()

    def take(self, deadline: float | None = None) -> T | None:
        """The next item, or None when all parts were read; *deadline* is a time of ``monotonic()``.

        Raises:
            TimeoutError: the deadline passed; the threads go on until `close`.
        """
        with self._changed:
            while not self._ended():
                for feed in self._candidates():
                    if feed.items:
                        self._changed.notify_all()
                        return feed.items.popleft()
                    if feed.done:
                        self._feeds.remove(feed)
                        if feed.error is not None:
                            raise feed.error
                        break
                else:
                    self._wait(deadline)
            return None

    def close(self) -> None:
        """Stop the threads, with what they are reading; may be called twice.

        A thread that no interruption reaches, as in a connect that hangs, is left behind: it ends by itself when it
        wakes. So does the one that runs this itself, because a garbage collection there found a reader forgotten.
        """
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for worker in self._workers:
            worker.stopped.set()
        for worker, thread in zip(self._workers, self._threads):
            if thread is current_thread():
                continue
            thread.join(JOIN_SECONDS)
            for _ in range(INTERRUPTIONS):
                if thread.is_alive():
                    worker.interrupt()
                    thread.join(AGAIN_SECONDS)

    def _ended(self) -> bool:
        if self._feeds or self._running:
            return False
        if self._parts_error is not None:
            raise self._parts_error
        return True

    def _candidates(self) -> list[_Feed[T]]:
        return [self._feeds[0]] if self._ordered and self._feeds else list(self._feeds)

    def _wait(self, deadline: float | None) -> None:
        remaining = None if deadline is None else deadline - monotonic()
        if remaining is not None and remaining <= 0:
            raise TimeoutError
        self._idle = True
        self._changed.wait(remaining)
        self._idle = False

    def _run(self, worker: W) -> None:
        try:
            while (begun := self._begin()) is not None:
                part, feed = begun
                self._fill(worker, part, feed)
        except _Stopped:
            pass
        finally:
            worker.close()
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _begin(self) -> tuple[P, _Feed[T]] | None:
        """The next part, and its feed in the line of those that the consumer takes from."""
        with self._changed:
            if self._stopped or self._parts_error is not None:
                return None
            try:
                part = next(self._parts)
            except StopIteration:
                return None
            except BaseException as error:  # noqa: BLE001  # raised where the consumer takes
                self._parts_error = error
                return None
            feed: _Feed[T] = _Feed()
            self._feeds.append(feed)
            return part, feed

    def _fill(self, worker: W, part: P, feed: _Feed[T]) -> None:
        try:
            with closing(self._read(worker, part)) as items:
                for item in items:
                    self._put(feed, item)
                    del item  # the consumer's alone, while the next one is made
        except _Stopped:
            raise
        except BaseException as error:  # noqa: BLE001  # raised where the consumer takes
            feed.error = error
        finally:
            with self._changed:
                feed.done = True
                self._changed.notify_all()

    def _put(self, feed: _Feed[T], item: T) -> None:
        with self._changed:
            feed.items.append(item)
            del item
            self._changed.notify_all()
            if self._idle and feed in self._candidates():  # as good as taken: no need to wait for two threads to wake
                self._idle = False
            else:
                while feed.items and not self._stopped:
                    self._changed.wait()
            if self._stopped:
                raise _Stopped
