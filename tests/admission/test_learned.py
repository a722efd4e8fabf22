"""Laws of the learned bytes of a key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.admission import Cost, LearnedBytes
from mesbatch.admission.learned import FEWEST_READS
from mesbatch.errors import InvalidLimit
from mesbatch.units import MiB

reads = st.lists(st.tuples(st.integers(1, 10_000), st.integers(0, 10 * MiB)), min_size=FEWEST_READS, max_size=30)


def taught(*reads: tuple[int, int], clock=lambda: 0.0) -> LearnedBytes:
    learned = LearnedBytes(stale_after=60.0, clock=clock)
    for keys, nbytes in reads:
        learned.add("history", keys=keys, nbytes=nbytes)
    return learned


@given(reads, st.integers(0, 10**6))
def test_reads_that_agree_are_estimated_as_they_were(reads, keys):
    keys_read, nbytes = reads[0]
    learned = taught(*[(keys_read, nbytes)] * len(reads))

    assert learned.estimate(["history"], keys=keys) == pytest.approx(keys * nbytes / keys_read, abs=1.0, rel=1e-9)


@given(reads, st.integers(0, 10**6), st.integers(0, 10**6))
def test_more_keys_are_never_estimated_smaller(reads, some, more):
    learned = taught(*reads)

    assert learned.estimate(["history"], keys=some) <= learned.estimate(["history"], keys=some + more)


@given(st.integers(1, 10**6))
def test_reads_that_differ_are_estimated_above_those_that_agree(keys):
    spread = taught((100, 0), (100, 2_000), (100, 0), (100, 2_000))
    agreeing = taught((100, 1_000), (100, 1_000), (100, 1_000), (100, 1_000))

    assert spread.estimate(["history"], keys=keys) > 2 * agreeing.estimate(["history"], keys=keys)


def test_the_newest_reads_count_most():
    learned = taught(*[(100, 1_000)] * 10, *[(100, 100_000)] * 30)

    assert learned.estimate(["history"], keys=1) == pytest.approx(1_000, rel=0.25)


@given(reads, st.integers(0, 10**6))
def test_a_domain_that_was_never_read_is_unknown_and_so_is_its_sum(reads, keys):
    learned = taught(*reads)

    assert learned.estimate(["holds"], keys=keys) is None
    assert learned.estimate(["history", "holds"], keys=keys) is None


def test_a_few_reads_teach_nothing_yet():
    assert taught(*[(10, 10)] * (FEWEST_READS - 1)).estimate(["history"], keys=1) is None


def test_stale_statistics_are_unknown():
    now = 0.0
    learned = taught(*[(10, 1_000)] * 5, clock=lambda: now)
    assert learned.estimate(["history"], keys=2) == 200

    now = 60.1
    assert learned.estimate(["history"], keys=2) is None


def test_domains_add_up():
    learned = taught(*[(10, 1_000)] * 5)
    for _ in range(5):
        learned.add("holds", keys=10, nbytes=50)

    assert learned.estimate(["history", "holds"], keys=2) == 210


def test_a_cost_counts_distinct_ids_and_their_learned_bytes():
    learned = taught(*[(10, 1_000)] * 5)

    assert learned.cost("query_tool", ["a", "b", "a"], ["history"]) == Cost("query_tool", 2, 200)
    assert learned.cost("query_tool", iter("aab"), ["holds"], streamed=True, buffers=5).held == 5
    assert learned.cost("query_tool", ["a"], ["history", "holds"]).nbytes is None


def test_a_read_without_keys_teaches_nothing():
    learned = taught(*[(0, 1_000)] * 5)

    assert learned.estimate(["history"], keys=1) is None


@pytest.mark.parametrize("wrong", [{"keys": -1, "nbytes": 1}, {"keys": 1, "nbytes": -1}, {"keys": 1.5, "nbytes": 1}])
def test_a_number_that_is_no_count_is_refused(wrong):
    with pytest.raises(InvalidLimit):
        LearnedBytes().add("history", **wrong)
    with pytest.raises(InvalidLimit):
        LearnedBytes(stale_after=0)
