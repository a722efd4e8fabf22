"""Failures on purpose, at the n-th call, once or for ever, and a source of batches with such failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from threading import Lock

from mesbatch.batch import Batch

__tracebackhide__ = True  # pytest shows the lines of the user's test, and none of ours


class InjectedFault(ConnectionError):
    """The error of a failure on purpose, unless you name another; to mesbatch, a connection that went away."""


class Faults:
    """A counter of calls that makes some of them fail. Several threads may share one.

    Args:
        fail_at: The number of the first call that fails, from 1; None lets none fail.
        times: The number of calls that fail from there on; None is for ever.
        error: A function that makes the exception of its message, such as your driver's ``OperationalError``.

    >>> faults = Faults(fail_at=2)
    >>> faults.step()
    >>> faults.step()
    Traceback (most recent call last):
    mesbatch.testing.faults.InjectedFault: call 2 fails on purpose
    >>> faults.step()
    >>> faults.calls, faults.failures
    (3, 1)
    """

    def __init__(
        self, fail_at: int | None = None, times: int | None = 1, error: Callable[[str], Exception] = InjectedFault
    ) -> None:
        self.fail_at, self.times, self.error = fail_at, times, error
        self.calls = self.failures = 0
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"Faults(fail_at={self.fail_at}, times={self.times})"

    def step(self) -> None:
        """Count a call that is about to be made, or raise in its place."""
        with self._lock:
            self.calls += 1
            due = self.fail_at is not None and self.calls >= self.fail_at
            if not due or (self.times is not None and self.failures >= self.times):
                return
            self.failures += 1
            call = self.calls
        raise self.error(f"call {call:,} fails on purpose")


def each_fault(times: int | None = 1, error: Callable[[str], Exception] = InjectedFault) -> Iterator[Faults]:
    """Give `Faults` that fail at call 1, 2, 3 ... until a run has fewer calls: every point at which your code can fail.

    Args:
        times: The number of calls that fail each time, as in `Faults`.
        error: A function that makes the exception, as in `Faults`.

    >>> for faults in each_fault():
    ...     source = FaultySource([Batch(("n",), [(1,)]), Batch(("n",), [(2,)])], faults)
    ...     try:
    ...         print(faults.fail_at, sum(batch.num_rows for batch in source.batches()))
    ...     except InjectedFault as error:
    ...         print(error)
    call 1 fails on purpose
    call 2 fails on purpose
    call 3 fails on purpose
    4 2
    """
    for n in count(1):
        faults = Faults(n, times, error)
        yield faults
        if not faults.failures:
            return


class FaultySource:
    """A source of *batches* for `read_sql_iter` and `Trace`; each batch, and the end, is a call that may fail.

    Holds all batches. Every call of `batches` begins at the first one again, and calls are counted in all.

    Args:
        batches: The batches that it gives.
        faults: The calls that fail; None lets none fail.

    >>> from mesbatch import read_sql_iter
    >>> source = FaultySource([Batch(("n",), [(1,)]), Batch(("n",), [(2,)])], Faults(fail_at=2))
    >>> reader = read_sql_iter("made up", source)
    >>> next(reader).rows
    [(1,)]
    >>> next(reader)
    Traceback (most recent call last):
    mesbatch.testing.faults.InjectedFault: call 2 fails on purpose
    ...
    >>> reader.manifest.status
    'failed'
    """

    def __init__(self, batches: Iterable[Batch], faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self._batches = tuple(batches)

    def batches(self) -> Iterator[Batch]:
        for batch in self._batches:
            self.faults.step()
            yield batch
        self.faults.step()
