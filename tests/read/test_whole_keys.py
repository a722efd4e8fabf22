from __future__ import annotations

from datetime import date
from itertools import groupby

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesbatch.errors import KeyMismatch
from mesbatch.keys.resume import ResumePoint
from mesbatch.keys.walk import KeyWalk
from mesbatch.read.whole_keys import WholeKeys

ROW_BYTES = 100


def whole_keys(max_held=10_000, keys=range(10), *, size=4, padded=False):
    keys = list(keys)
    lists = iter([keys[i : i + size] for i in range(0, len(keys), size)])
    return WholeKeys(0, max_held, KeyWalk(lists, type(keys[0]), padded=padded), type(keys[0]), padded=padded)


def cut(fetches, max_held=10_000):
    """The rows that are given out for each fetch, and at the end."""
    whole = whole_keys(max_held)
    given_out = [whole.cut(rows, len(rows) * ROW_BYTES) for rows in fetches]
    return [*given_out, whole.rest()], whole


def test_the_last_key_of_a_fetch_is_held_back_until_its_end_has_come():
    given_out, whole = cut([[(1, "a"), (2, "b")], [(2, "c"), (3, "d")], [(3, "e"), (3, "f")]])
    assert given_out == [[(1, "a")], [(2, "b"), (2, "c")], [], [(3, "d"), (3, "e"), (3, "f")]]
    assert whole.resume == ResumePoint(3)


def test_a_key_larger_than_what_may_be_held_is_given_out_as_it_comes():
    fetches = [[(1, n) for n in range(4)], [(1, n) for n in range(4, 8)], [(1, 8), (2, 9)]]
    whole = whole_keys(700)
    assert whole.cut(fetches[0], 400) == []
    assert whole.open_key is None
    assert whole.cut(fetches[1], 400) == fetches[0] + fetches[1]
    assert whole.open_key == 1
    assert whole.resume is None
    assert whole.cut(fetches[2], 200) == [(1, 8)]
    assert (whole.open_key, whole.resume) == (None, ResumePoint(1))
    assert whole.rest() == [(2, 9)]


def test_a_key_after_one_that_was_given_out_as_it_came_is_held_again():
    whole = whole_keys(402)
    for n in range(5):
        whole.cut([(0, n)], ROW_BYTES)
    assert whole.open_key == 0
    assert whole.cut([(1, 5)], ROW_BYTES) == []
    assert (whole.open_key, whole.resume) == (None, ResumePoint(0))


@example(keys=[0] * 5 + [1] * 2, size=1, max_held=402)
@given(keys=st.lists(st.integers(0, 9)).map(sorted), size=st.integers(1, 5), max_held=st.integers(1, 2_000))
def test_no_row_is_lost_and_none_is_early(keys, size, max_held):
    rows = list(zip(keys, range(len(keys))))
    fetches = [rows[i : i + size] for i in range(0, len(rows), size)]
    given_out, _ = cut(fetches, max_held)
    assert [row for some in given_out for row in some] == rows
    for key, found in groupby((row[0], i) for i, some in enumerate(given_out) for row in some):
        assert key is not None
        assert found
    split = {key for key in keys if sum(any(row[0] == key for row in some) for some in given_out) > 1}
    assert all(keys.count(key) * ROW_BYTES >= max_held // 2 for key in split)


@pytest.mark.parametrize(
    "fetches",
    [
        [[(10, "a")]],
        [[(-1, "a")]],
        [[(3, "a"), (1, "b")]],
        [[(3, "a"), (4, "a")], [(2, "b")]],
        [[("3", "a")]],
        [[(None, 1)]],
        [[(date(2026, 1, 1), 1)]],
        [[(1, "a"), (1.5, "b"), (2, "c")]],
        [[(1, "a"), (5, "b"), (2, "c"), (7, "d")]],
        [[(1, "a"), (2, "b"), (1, "c"), (3, "d")]],
    ],
)
def test_a_row_whose_key_was_not_due_is_refused_before_it_is_given_out(fetches):
    """Also in the middle of a fetch whose ends are right."""
    with pytest.raises(KeyMismatch, match="a row came with the key"):
        cut(fetches)


@given(
    keys=st.lists(st.integers(0, 200), min_size=1, unique=True).map(sorted),
    values=st.lists(st.integers(0, 200), max_size=40).map(sorted),
    wrong=st.none() | st.tuples(st.integers(0, 40), st.integers(0, 200)),
    size=st.integers(1, 50),
)
def test_a_walk_refuses_just_those_rows_that_are_no_key_or_out_of_order(keys, values, wrong, size):
    if wrong is not None:
        values.insert(wrong[0], wrong[1])
    walk = KeyWalk(iter([keys[i : i + size] for i in range(0, len(keys), size)]), int, padded=False)
    if set(values) <= set(keys) and values == sorted(values):
        walk.follow(values)
    else:
        with pytest.raises(KeyMismatch):
            walk.follow(values)


def test_keys_that_come_padded_are_known_as_they_were_asked_for():
    whole = whole_keys(1_000, ["a", "a\t", "b"], padded=True)
    assert whole.cut([("a   ", 1), ("a\t  ", 2), ("b   ", 3)], 300) == [("a   ", 1), ("a\t  ", 2)]
    assert whole.resume == ResumePoint("a\t")
