"""Policy, pressure and permits in one: nothing is read now without a permit."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.admission import (
    Accept,
    Admission,
    AdmissionPolicy,
    Admitted,
    Cost,
    Enqueue,
    PressureGauge,
    ProcessLimiter,
    Reject,
)
from mesbatch.admission.claims import InFlight
from mesbatch.admission.policy import MAX_ANSWER_BYTES
from mesbatch.errors import UnknownProfile
from mesbatch.units import GiB, MiB
from tests.admission.strategies import costs, keys, sizes
from tests.admission.test_limiters import wait_until
from tests.admission.test_pressure import Weather

SMALL = Cost("query_tool", 100, streamed=True)


@pytest.fixture
def weather():
    return Weather()


@pytest.fixture
def admission(weather):
    return Admission(AdmissionPolicy(), ProcessLimiter(2, 64 * MiB, max_waiting=1), PressureGauge(memory=weather))


def test_an_admitted_request_has_a_permit_for_its_cost(admission):
    admitted = admission.admit(SMALL)

    assert isinstance(admitted, Admitted)
    assert admitted.answer == Accept(cacheable=True)
    with admitted.permit:
        assert admission.limiter.in_flight == InFlight(1, SMALL.buffers, 0)
    assert admission.limiter.in_flight == InFlight(0, 0, 0)


def test_a_request_that_is_not_admitted_has_no_permit(admission, weather):
    weather.used = 0.85

    assert admission.admit(SMALL, worker_listens=True) == Enqueue()
    assert isinstance(admission.admit(SMALL), Reject)
    assert admission.limiter.in_flight == InFlight(0, 0, 0)


def test_a_count_that_is_too_large_already_is_refused_before_its_end(admission):
    early = admission.refuse_early(Cost("query_tool", 60_000, streamed=True))
    assert isinstance(early, Reject)
    assert (early.key_count, early.limit, early.key_count_exact) == (60_000, 50_000, False)
    assert early.reason.endswith("; more were not counted")


def test_a_count_is_refused_early_for_its_number_alone(admission, weather):
    assert admission.refuse_early(Cost("query_tool", 50_000, streamed=True)) is None
    assert admission.refuse_early(Cost("query_tool", 60_000, streamed=True), worker_listens=True) is None
    weather.used = 0.85
    assert admission.refuse_early(SMALL) is None
    with pytest.raises(UnknownProfile):
        admission.refuse_early(Cost("x", 60_000))


def test_a_wait_in_vain_is_a_refusal_that_may_be_repeated(admission):
    with admission.limiter.permit(1), admission.limiter.permit(1):
        refused = admission.admit(SMALL, timeout=0.01)

    assert isinstance(refused, Reject)
    assert refused.code == "BUSY"
    assert "2 permits" in refused.reason


def test_pressure_that_rose_during_the_wait_counts(admission, weather):
    first, second = admission.limiter.permit(1), admission.limiter.permit(1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(admission.admit, SMALL, worker_listens=True, timeout=30)
        wait_until(lambda: admission.limiter.in_flight.waiting == 1)
        weather.used = 0.85
        first.release()
        assert waiting.result() == Enqueue()
    assert admission.limiter.in_flight.permits == 1
    second.release()


def test_memory_is_given_back_where_the_answer_asks_for_it(admission, monkeypatch):
    given_back = []
    monkeypatch.setattr("mesbatch.admission.admission.release", lambda: given_back.append(1))
    for count, expected in ((10_000, 0), (10_001, 1)):
        admitted = admission.admit(Cost("query_tool", count, streamed=True))
        list(admitted.permit.holding([b"a"]))
        assert len(given_back) == expected
    assert admission.limiter.in_flight == InFlight(0, 0, 0)


def test_a_body_holds_the_permit_and_its_reader_is_relieved_until_it_is_closed(admission, weather):
    reader = Reader(max_bytes=100)
    admitted = admission.admit(SMALL)
    weather.used = 0.85

    with closing(admitted.holding(iter([b"a", b"b"]), reader)) as body:
        assert next(body) == b"a"
        assert (reader.max_bytes, admission.limiter.in_flight.permits) == (50, 1)
    assert (reader.max_bytes, admission.limiter.in_flight.permits) == (100, 0)


def test_a_body_that_nobody_closed_gives_permit_and_budget_back_with_a_warning(admission, weather):
    reader = Reader(max_bytes=100)
    weather.used = 0.70

    def send_a_piece_and_forget_the_rest() -> None:
        next(admission.admit(SMALL).holding([b"a", b"b"], reader))
        gc.collect()

    with pytest.warns(ResourceWarning, match="neither released"):
        send_a_piece_and_forget_the_rest()
    weather.used = 0.85
    admission.gauge.level()

    assert (reader.max_bytes, admission.limiter.in_flight.permits) == (100, 0)


@dataclass
class Reader:
    """Object with a budget."""

    max_bytes: int


def test_an_answer_that_all_permits_together_cannot_hold_is_refused_for_ever(admission):
    refused = admission.admit(Cost("query_tool", 100, 65 * MiB))

    assert isinstance(refused, Reject)
    assert refused.code == "ANSWER_TOO_LARGE"


def test_an_unknown_answer_takes_a_permit_for_the_largest(weather):
    admission = Admission(AdmissionPolicy(), ProcessLimiter(2, GiB), PressureGauge(memory=weather))
    admitted = admission.admit(Cost("query_tool", 100))

    assert admitted.permit.nbytes == MAX_ANSWER_BYTES
    admitted.permit.release()


def test_an_unknown_profile_takes_nothing(admission):
    with pytest.raises(UnknownProfile):
        admission.admit(Cost("nobody", 1))
    assert admission.limiter.in_flight == InFlight(0, 0, 0)


@given(costs(keys=keys, buffers=st.integers(0, 64 * MiB)), st.floats(0, 1), sizes, st.booleans())
def test_an_admitted_request_and_only_that_holds_a_permit(cost, used, promised, worker_listens):
    limiter = ProcessLimiter(2, GiB)
    admission = Admission(AdmissionPolicy(), limiter, PressureGauge(memory=Weather(used)))
    with limiter.permit(min(promised, GiB)):
        outcome = admission.admit(cost, worker_listens=worker_listens, timeout=0)
        assert limiter.in_flight.permits == (2 if isinstance(outcome, Admitted) else 1)
        if isinstance(outcome, Admitted):
            outcome.permit.release()
    assert limiter.in_flight == InFlight(0, 0, 0)
