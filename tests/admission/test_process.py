"""Faults of permits that only threads have."""

from __future__ import annotations

import gc

import pytest

from mesbatch.admission import InFlight, ProcessLimiter


class Collecting(str):
    """Principal whose comparison collects garbage, in the middle of the limiter's work."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        gc.collect()
        return str.__eq__(self, other)


@pytest.mark.timeout(20)
@pytest.mark.filterwarnings("ignore:a permit was neither released:ResourceWarning")
def test_a_permit_that_is_collected_while_the_limiter_holds_its_lock_stops_nobody():
    limiter = ProcessLimiter(3, 100)
    gc.disable()
    try:
        lost = [limiter.permit(1, principal=Collecting("a"))]
        lost.append(lost)  # only the collector finds it
        del lost
        with limiter.permit(1, principal=Collecting("b")):
            assert limiter.in_flight == InFlight(1, 1, 0)
    finally:
        gc.enable()
