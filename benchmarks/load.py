"""A service under more load than it can take, and the number of answers that come while the client waits."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from mesbatch.admission import Admission, AdmissionPolicy, Admitted, Cost, PressureGauge, ProcessLimiter
from mesbatch.memory.process import Memory
from mesbatch.units import GiB

PLACES = 4  # reads at once
READ_SECONDS = 0.02
CAPACITY = PLACES / READ_SECONDS  # requests a second
PATIENCE = 1.0  # seconds after which a client has gone, and an answer is no use
THREADS = 300  # as many requests as are in the service at once, holding permits or waiting
MAX_WAITING = 16
WITHOUT_END = 10**6  # waiting requests, and seconds to wait, that nobody reaches

CALM = Memory(GiB, 0, GiB, 0.1, 0)


def goodput(rate: float, seconds: float, *, admitting: bool) -> tuple[int, float]:
    """Count the requests, of those arriving at *rate* for *seconds*, that are answered in time, and the seconds taken.

    They arrive at random, whether or not the service can take them. *admitting*: a bounded number waits, and nobody
    waits longer than half of what a client does; else everybody waits.
    """
    limiter = ProcessLimiter(PLACES, GiB, max_waiting=MAX_WAITING if admitting else WITHOUT_END)
    admission = Admission(AdmissionPolicy(), limiter, PressureGauge(memory=lambda: CALM))
    wait = PATIENCE / 2 if admitting else WITHOUT_END
    begin = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        requests = [pool.submit(_handle, admission, wait, arrival) for arrival in _arrivals(rate, begin, seconds)]
        ends = [end for request in requests if (end := request.result()) is not None]
    return len(ends), max([begin + seconds, *ends]) - begin


def _arrivals(rate: float, begin: float, seconds: float) -> Iterator[float]:
    """Wait for each request in turn, and give the time at which it arrived."""
    chance, at = random.Random(1), begin
    while (at := at + chance.expovariate(rate)) < begin + seconds:
        if (ahead := at - time.monotonic()) > 0:
            time.sleep(ahead)
        yield at


def _handle(admission: Admission, wait: float, arrival: float) -> float | None:
    """Handle one request, and give the time of its answer if the client still waited."""
    match admission.admit(Cost("query_tool", 100, streamed=True), timeout=wait):
        case Admitted(permit=permit):
            with permit:
                Event().wait(READ_SECONDS)
            end = time.monotonic()
            return end if end - arrival <= PATIENCE else None
        case _:
            return None
