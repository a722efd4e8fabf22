"""Pressure on memory, with hysteresis; while it is high, running readers get half of their budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, RLock, Thread
from typing import Protocol

from mesbatch.admission.load import Load, Pressure
from mesbatch.errors import InvalidLimit
from mesbatch.memory.process import CACHED_SECONDS, Memory, read_memory

ENQUEUE_ABOVE = 0.8  # of the limit; the rest is for running reads
REJECT_ABOVE = 0.9
HYSTERESIS = 0.05  # a level ends this far below its beginning, or it would flicker with every batch


class HasBudget(Protocol):
    """Reader, or any object with a budget in bytes that may be set while it runs."""

    max_bytes: int


class PressureGauge:
    """Gauge of memory.

    Args:
        enqueue_above: The share of the limit above which pressure is HIGH.
        reject_above: The share of the limit above which pressure is CRITICAL.
        hysteresis: The share by which memory must fall below a threshold to be calm again.
        memory: A function that reads memory.

    Raises:
        InvalidLimit: the thresholds are out of order, or not between *hysteresis* and 1.

    >>> from mesbatch.memory import Memory
    >>> PressureGauge(memory=lambda: Memory(100, 85, 15, used=0.85, rss=40)).level()
    <Pressure.HIGH: 1>
    """

    def __init__(
        self,
        *,
        enqueue_above: float = ENQUEUE_ABOVE,
        reject_above: float = REJECT_ABOVE,
        hysteresis: float = HYSTERESIS,
        memory: Callable[[], Memory] = read_memory,
    ) -> None:
        if not 0 <= hysteresis < enqueue_above < reject_above <= 1:
            raise InvalidLimit(
                f"thresholds out of order: 0 <= hysteresis {hysteresis} < enqueue_above {enqueue_above} < reject_above "
                f"{reject_above} <= 1 must hold"
            )
        self._above = {Pressure.HIGH: enqueue_above, Pressure.CRITICAL: reject_above}
        self._hysteresis, self._memory = hysteresis, memory
        self._level = Pressure.CALM
        self._lock = RLock()  # a reader that is garbage may leave while this thread holds it
        self._budgets: list[_Budget] = []

    def level(self) -> Pressure:
        """Measure the pressure; a reading is at most 250 ms old. CALM where the system does not tell."""
        with self._lock:
            return self._update()

    def load(self, *, worker_listens: bool = False, promised: int = 0) -> Load:
        """Measure the load for `AdmissionPolicy.decide`; *promised* are the bytes of the permits in flight."""
        level, memory = self.level(), self._memory()
        return Load(worker_listens, level, memory.headroom, memory.limit, promised)

    @contextmanager
    def relieving(self, reader: HasBudget) -> Iterator[None]:
        """Halve the ``max_bytes`` of *reader* whenever pressure is HIGH or above; a thread looks every 250 ms."""
        budget = _Budget(reader)
        with self._lock:
            if not self._budgets:
                self._stop = Event()
                Thread(target=self._watch, args=(self._stop,), name="mesbatch-pressure", daemon=True).start()
            self._budgets.append(budget)
            self._update()
        try:
            yield
        finally:
            with self._lock:
                self._budgets.remove(budget)
                budget.apply(Pressure.CALM)
                if not self._budgets:
                    self._stop.set()

    def _watch(self, stop: Event) -> None:
        while not stop.wait(CACHED_SECONDS):
            self.level()

    def _update(self) -> Pressure:
        used = self._memory().used or 0.0
        self._level = max((level for level in self._above if used > self._threshold(level)), default=Pressure.CALM)
        for budget in tuple(self._budgets):
            budget.apply(self._level)
        return self._level

    def _threshold(self, level: Pressure) -> float:
        return self._above[level] - (self._hysteresis if self._level >= level else 0.0)


class _Budget:
    """Reader, and the budget that it has while memory is calm."""

    def __init__(self, reader: HasBudget) -> None:
        self._reader, self._full = reader, reader.max_bytes
        self._halved = False

    def apply(self, level: Pressure) -> None:
        halve = level >= Pressure.HIGH
        if halve != self._halved:
            self._reader.max_bytes = max(1, self._full // 2) if halve else self._full
            self._halved = halve
