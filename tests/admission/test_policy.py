"""Table of the incident's designers, row for row, and laws that hold for any request under any load."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.admission import (
    Accept,
    AdmissionPolicy,
    Cost,
    Enqueue,
    Lack,
    Load,
    Pressure,
    Reject,
    Rule,
    answer,
    check,
    cost,
    load,
    policy,
    result_policy,
    rule,
    table,
    trace_rules,
    trace_table,
)
from mesbatch.admission.answer import severity
from mesbatch.admission.policy import MAX_ANSWER_BYTES
from mesbatch.errors import InvalidLimit, PolicyError, UnknownProfile
from mesbatch.units import GiB, MiB
from tests.admission.strategies import busier, costlier, costs, loads, sizes

POLICY = AdmissionPolicy()
READ_AND_CACHE = Accept(cacheable=True)
READ = Accept(release=True)
ANY = ["query_tool", "query_tool_reverse", "mid_section_defect"]
QUERY = ["query_tool", "query_tool_reverse"]
MSD = ["mid_section_defect"]


def decide(profile: str, keys: int | None, *, worker: bool = False, **more) -> object:
    return POLICY.decide(Cost(profile, keys, streamed=True), Load(worker_listens=worker, **more))


@pytest.mark.parametrize(
    ("profiles", "keys", "worker", "expected"),
    [
        (ANY, 1, False, READ_AND_CACHE),
        (ANY, 10_000, False, READ_AND_CACHE),
        (ANY, 10_000, True, READ_AND_CACHE),
        (ANY, 10_001, False, READ),
        (ANY, 20_000, False, READ),
        (ANY, 20_000, True, READ),
        (ANY, 20_001, True, Enqueue()),
        (ANY, 114_000, True, Enqueue()),
        (QUERY, 20_001, False, READ),
        (QUERY, 50_000, False, READ),
    ],
)
def test_the_table_of_the_designers(profiles, keys, worker, expected):
    assert {decide(profile, keys, worker=worker) for profile in profiles} == {expected}


@pytest.mark.parametrize("profile", QUERY)
@pytest.mark.parametrize("keys", [50_001, 114_000])
def test_a_query_above_50_000_keys_without_a_worker_is_refused_for_ever(profile, keys):
    decision = decide(profile, keys)

    assert isinstance(decision, Reject)
    assert (decision.retry_after, decision.code) == (None, "KEY_LIMIT_EXCEEDED")
    assert (decision.key_count, decision.limit) == (keys, 50_000)
    assert f"{keys:,} keys, limit 50,000" in decision.reason


@pytest.mark.parametrize("keys", [20_001, 114_000, 1_140_000])
def test_the_complete_profile_is_streamed_with_a_warning_and_never_refused_for_its_size(keys):
    decision = decide("mid_section_defect", keys)

    assert isinstance(decision, Accept)
    assert decision.streamed
    assert decision.warning
    assert not decision.cacheable


@pytest.mark.parametrize("nbytes", [None, 10 * GiB])
def test_the_complete_profile_is_streamed_where_its_answer_would_not_fit(nbytes):
    decision = POLICY.decide(Cost("mid_section_defect", 100, nbytes), Load(headroom=GiB // 8, memory_limit=GiB))

    assert isinstance(decision, Accept)
    assert decision.streamed


@pytest.mark.parametrize("keys", [1, 30_000, 114_000])
def test_above_80_percent_new_work_is_enqueued_or_told_to_come_back(keys):
    assert decide("mid_section_defect", keys, worker=True, pressure=Pressure.HIGH) == Enqueue()

    refused = decide("mid_section_defect", keys, pressure=Pressure.HIGH)
    assert isinstance(refused, Reject)
    assert refused.code == "BUSY"
    assert refused.retry_after


@pytest.mark.parametrize("worker", [False, True])
def test_above_90_percent_all_work_is_told_to_come_back(worker):
    refused = decide("query_tool", 1, worker=worker, pressure=Pressure.CRITICAL)

    assert isinstance(refused, Reject)
    assert refused.code == "BUSY"


def test_a_streamed_answer_costs_its_buffers_and_not_its_size():
    tight = Load(headroom=9 * MiB, memory_limit=GiB)

    assert POLICY.decide(Cost("query_tool", 100, 100 * MiB, streamed=True), tight) == READ_AND_CACHE
    assert isinstance(POLICY.decide(Cost("query_tool", 100, 100 * MiB), tight), Reject)


def test_bytes_promised_to_permits_in_flight_are_not_given_again():
    cost = Cost("query_tool", 100, streamed=True)

    assert POLICY.decide(cost, Load(headroom=64 * MiB, promised=56 * MiB)) == READ_AND_CACHE
    assert isinstance(POLICY.decide(cost, Load(headroom=64 * MiB, promised=57 * MiB)), Reject)
    assert POLICY.decide(cost, Load(True, headroom=64 * MiB, promised=57 * MiB)) == Enqueue()


def test_an_answer_that_can_never_fit_is_refused_for_ever_and_one_that_may_fit_later_is_not():
    busy = Load(headroom=40 * MiB, memory_limit=384 * MiB)

    never = POLICY.decide(Cost("query_tool", 100, MAX_ANSWER_BYTES + 1), busy)
    later = POLICY.decide(Cost("query_tool", 100, 50 * MiB), busy)

    assert isinstance(never, Reject)
    assert (never.code, never.retry_after) == ("ANSWER_TOO_LARGE", None)
    assert isinstance(later, Reject)
    assert later.code == "BUSY"


# -- laws


@given(st.data(), costs(), loads())
def test_a_costlier_request_never_gets_a_milder_answer(data, cost, load):
    dearer = data.draw(costlier(cost))

    assert severity(POLICY.decide(dearer, load)) >= severity(POLICY.decide(cost, load))


@given(st.data(), costs(), loads())
def test_a_busier_service_never_gives_a_milder_answer(data, cost, load):
    heavier = data.draw(busier(load))

    assert severity(POLICY.decide(cost, heavier)) >= severity(POLICY.decide(cost, load))


@given(costs(nbytes=st.none()), st.integers(0, MAX_ANSWER_BYTES), loads())
def test_an_unknown_number_of_bytes_is_never_accepted_as_small(cost, known, load):
    smaller = dataclasses.replace(cost, nbytes=known)

    assert severity(POLICY.decide(cost, load)) >= severity(POLICY.decide(smaller, load))


@given(costs(keys=st.none()), st.integers(0, 10**7), loads())
def test_an_unknown_number_of_keys_is_never_accepted_as_small(cost, known, load):
    smaller = dataclasses.replace(cost, keys=known)

    assert severity(POLICY.decide(cost, load)) >= severity(POLICY.decide(smaller, load))


@given(costs(), loads())
def test_an_answer_that_is_accepted_whole_has_room(cost, load):
    decision = POLICY.decide(cost, load)

    if isinstance(decision, Accept) and load.room is not None:
        nbytes = MAX_ANSWER_BYTES if cost.nbytes is None else cost.nbytes
        assert cost.buffers <= load.room
        assert cost.streamed or decision.streamed or nbytes <= load.room


@given(st.lists(st.tuples(costs(), loads()), max_size=10), costs(), loads())
def test_a_decision_depends_on_nothing_but_its_arguments(others, cost, load):
    first = POLICY.decide(cost, load)
    for other in others:
        POLICY.decide(*other)

    assert POLICY.decide(cost, load) == first == AdmissionPolicy().decide(cost, load)


@pytest.mark.parametrize("module", [policy, rule, table, trace_table, load, answer, cost, check])
def test_nothing_that_decides_can_reach_a_clock_a_lock_a_file_or_the_environment(module):
    imported = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)

    acting = {"os", "time", "datetime", "random", "threading", "pathlib", "socket", "mesbatch.memory.process"}
    assert not imported & acting


@given(costs(), loads())
def test_an_explanation_names_the_rule_and_carries_the_decision(cost, load):
    explanation = POLICY.explain(cost, load)

    assert explanation.decision == POLICY.decide(cost, load)
    assert explanation.rule in POLICY.rules
    assert explanation.rule.name in str(explanation)
    assert cost.profile in str(explanation)


@given(sizes, sizes)
def test_a_byte_rule_counts_what_is_held(nbytes, limit):
    bytes_policy = AdmissionPolicy(
        rules=(Rule("small", Accept()), Rule("big", Enqueue(), bytes_above=limit)), profiles={"p"}
    )

    held = Cost("p", 1, nbytes)
    assert bytes_policy.decide(held, Load()) == (Enqueue() if nbytes > limit else Accept())
    streamed = Cost("p", 1, nbytes, buffers=limit, streamed=True)
    assert bytes_policy.decide(streamed, Load()) == Accept()


# -- bad input


def refused(*rules: Rule, profiles=("p",)) -> str:
    with pytest.raises(PolicyError) as caught:
        AdmissionPolicy(rules=rules, profiles=profiles)
    return str(caught.value)


def test_a_gap_is_refused_and_shows_the_request_that_nobody_answers():
    message = refused(Rule("with-worker", Enqueue(), worker=True), Rule("large", Accept(), keys_above=100))

    assert "gap" in message
    assert "0 keys" in message
    assert "'large'" in message


def test_a_profile_without_a_rule_is_a_gap():
    assert "profile 'q'" in refused(Rule("small", Accept(), frozenset({"p"})), profiles=("p", "q"))


def test_a_rule_that_never_decides_is_refused_with_the_one_that_does_in_its_place():
    message = refused(
        Rule("small", Accept()),
        Rule("large", Reject("too large"), keys_above=20_000),
        Rule("larger", Enqueue(), keys_above=50_000),
    )

    assert "'larger' (above 50,000 keys) never decides" in message
    assert "'large'" in message


def test_a_rule_that_a_later_equal_one_covers_is_refused():
    assert "'first' never decides" in refused(Rule("first", Accept()), Rule("second", Accept()))


def test_thresholds_out_of_order_are_refused_by_name():
    with pytest.raises(PolicyError, match="cache_limit 60,000 <= async_threshold 20,000"):
        trace_rules(cache_limit=60_000)
    with pytest.raises(PolicyError, match="async_threshold 60,000 <= key_limit 50,000"):
        result_policy(async_threshold=60_000)


@pytest.mark.parametrize("limit", [0, 5_000, 10_000, 15_000])
def test_a_limit_below_the_async_threshold_is_that_of_the_query_profiles(limit):
    policy = AdmissionPolicy(trace_rules(cid_limit=limit))

    def decide(profile: str, keys: int, *, worker: bool) -> object:
        return policy.decide(Cost(profile, keys, streamed=True), Load(worker_listens=worker))

    for profile in QUERY:
        assert isinstance(decide(profile, limit, worker=True), Accept)
        assert isinstance(decide(profile, limit, worker=False), Accept)
        assert decide(profile, limit + 1, worker=True) == Enqueue()
        refused = decide(profile, limit + 1, worker=False)
        assert (refused.code, refused.limit) == ("KEY_LIMIT_EXCEEDED", limit)
    assert decide(MSD[0], 20_000, worker=True) == decide(MSD[0], 20_000, worker=False) == READ
    assert decide(MSD[0], 20_001, worker=True) == Enqueue()
    assert decide(MSD[0], 20_001, worker=False).streamed


@pytest.mark.parametrize(("cache", "threshold", "limit"), [(0, 0, 0), (0, 0, 9), (9, 9, 9), (0, 9, 9), (3, 6, 9)])
def test_the_policy_of_results_has_an_answer_for_any_thresholds(cache, threshold, limit):
    policy = result_policy(cache_limit=cache, async_threshold=threshold, key_limit=limit)
    for keys, worker in product((0, cache + 1, threshold + 1, limit + 1), (True, False)):
        found = policy.decide(Cost("results", keys, streamed=True), Load(worker_listens=worker))
        expected = Enqueue if worker and keys > threshold else Reject if not worker and keys > limit else Accept
        assert isinstance(found, expected)


@pytest.mark.parametrize("limit", [-1, 2.5, "100", True])
def test_a_limit_that_is_no_count_is_refused_with_the_name_of_its_rule(limit):
    assert "rule 'large': keys_above" in refused(Rule("s", Accept()), Rule("large", Enqueue(), keys_above=limit))
    assert "rule 'large': bytes_above" in refused(Rule("s", Accept()), Rule("large", Enqueue(), bytes_above=limit))
    with pytest.raises(InvalidLimit, match="cid_limit"):
        trace_rules(cid_limit=limit)


def test_a_rule_for_an_unknown_profile_is_refused_by_name():
    message = refused(Rule("small", Accept()), Rule("other", Enqueue(), frozenset({"nobody"})))

    assert "rule 'other': unknown profile 'nobody'; known are p" in message


def test_two_rules_of_one_name_are_refused():
    assert "'small'" in refused(Rule("small", Accept()), Rule("small", Enqueue(), keys_above=5))


def test_a_wait_of_nothing_is_refused():
    assert "rule 'busy': retry_after" in refused(
        Rule("small", Accept()), Rule("busy", Reject("busy", retry_after=0), pressure=Pressure.HIGH)
    )


def test_a_negative_maximum_is_refused():
    with pytest.raises(PolicyError, match="max_answer_bytes"):
        AdmissionPolicy(max_answer_bytes=-1)


def test_a_request_of_an_unknown_profile_is_refused_by_name():
    with pytest.raises(UnknownProfile, match="'nobody'"):
        POLICY.decide(Cost("nobody", 1), Load())


@pytest.mark.parametrize("wrong", [{"keys": -1}, {"keys": 1.5}, {"keys": 1, "nbytes": -1}, {"keys": 1, "buffers": "8"}])
def test_a_cost_that_is_no_count_is_refused(wrong):
    with pytest.raises(InvalidLimit):
        Cost("query_tool", **wrong)


@pytest.mark.parametrize("wrong", [{"headroom": -1}, {"memory_limit": 1.5}, {"promised": -1}])
def test_a_load_that_is_no_count_is_refused(wrong):
    with pytest.raises(InvalidLimit):
        Load(**wrong)


@pytest.mark.parametrize(
    "thresholds", [(10_000, 10_000, 50_000), (10_000, 20_000, 20_000), (5, 5, 5), (0, 0, 0), (1, 2, 3)]
)
def test_thresholds_may_fall_together(thresholds):
    cache_limit, async_threshold, cid_limit = thresholds
    rules = trace_rules(cache_limit=cache_limit, async_threshold=async_threshold, cid_limit=cid_limit)
    together = AdmissionPolicy(rules=rules)

    def decide(keys: int) -> object:
        return together.decide(Cost("query_tool", keys, streamed=True), Load())

    assert decide(cache_limit) == READ_AND_CACHE
    assert isinstance(decide(cid_limit + 1), Reject)
    assert isinstance(decide(cid_limit), Accept)


def test_a_rule_that_lacks_nothing_applies_whatever_is_lacking():
    small = Rule("small", Accept())

    assert all(small.applies(Cost("p", 1), Load(), lack) for lack in (Lack.NOTHING, Lack.ANSWER_NOW, Lack.BUFFERS_NOW))
