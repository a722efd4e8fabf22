"""Decisions as HTTP answers, whose refusals old and new clients can read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.admission import Accept, AdmissionPolicy, Cost, Enqueue, Load, Pressure, Reject, http_answer
from tests.admission.strategies import costs, loads

POLICY = AdmissionPolicy()


@given(costs(), loads(), st.floats(0, 1))
def test_every_decision_has_a_status_and_only_a_refusal_a_problem(cost, load, jitter):
    decision = POLICY.decide(cost, load)
    answer = http_answer(decision, jitter=jitter)

    assert (answer.problem is not None) == isinstance(decision, Reject)
    assert answer.status in {Accept: {200}, Enqueue: {202}, Reject: {413, 503}}[type(decision)]
    assert ("Retry-After" in answer.headers) == (answer.status in {202, 503})


def test_too_many_keys_are_413_with_their_count_and_limit():
    answer = http_answer(POLICY.decide(Cost("query_tool", 114_000, streamed=True), Load()), jitter=0.5)

    problem = json.loads(json.dumps(answer.problem))
    assert answer.status == 413
    assert answer.headers == {"Content-Type": "application/problem+json"}
    assert (problem["code"], problem["key_count"], problem["limit"]) == ("KEY_LIMIT_EXCEEDED", 114_000, 50_000)
    assert (problem["status"], problem["type"]) == (413, "urn:mesbatch:problem:key-limit-exceeded")
    assert problem["error"] == problem["detail"]
    assert "114,000" in problem["detail"]


def test_busy_is_503_with_a_time_to_come_back():
    answer = http_answer(
        POLICY.decide(Cost("query_tool", 5, streamed=True), Load(pressure=Pressure.CRITICAL)), jitter=0.0
    )

    assert (answer.status, answer.problem["code"]) == (503, "BUSY")
    assert "key_count" not in answer.problem
    assert answer.headers["Retry-After"] == "15"


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, "5"), (0.5, "8"), (1.0, "10")])
def test_refused_clients_come_back_at_different_times(jitter, seconds):
    assert http_answer(Reject("busy", retry_after=5.0), jitter=jitter).headers["Retry-After"] == seconds


def test_a_wait_is_never_rounded_to_nothing():
    assert http_answer(Reject("busy", retry_after=0.1), jitter=0.0).headers["Retry-After"] == "1"
