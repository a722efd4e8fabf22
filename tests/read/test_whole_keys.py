from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.errors import KeyMismatch
from mesbatch.keys.resume import ResumePoint
from mesbatch.read.whole_keys import WholeKeys

ROW_BYTES = 100


def cut(fetches, max_held=10_000, first=0, last=9, *, ascending=True):
    """Cut *fetches*; return the rows given out for each of them and at the end, and the object."""
    whole = WholeKeys(0, max_held, first, last, ascending=ascending, padded=False)
    given_out = [whole.cut(rows, len(rows) * ROW_BYTES) for rows in fetches]
    return [*given_out, whole.rest()], whole


def test_the_last_key_of_a_fetch_is_held_back_until_its_end_has_come():
    given_out, whole = cut([[(1, "a"), (2, "b")], [(2, "c"), (3, "d")], [(3, "e"), (3, "f")]])
    assert given_out == [[(1, "a")], [(2, "b"), (2, "c")], [], [(3, "d"), (3, "e"), (3, "f")]]
    assert whole.resume == ResumePoint(3)


def test_a_key_larger_than_what_may_be_held_is_given_out_as_it_comes():
    fetches = [[(1, n) for n in range(4)], [(1, n) for n in range(4, 8)], [(1, 8), (2, 9)]]
    whole = WholeKeys(0, 700, 1, 2, ascending=True, padded=False)
    assert whole.cut(fetches[0], 400) == []
    assert whole.open_key is None
    assert whole.cut(fetches[1], 400) == fetches[0] + fetches[1]
    assert whole.open_key == 1
    assert whole.resume is None
    assert whole.cut(fetches[2], 200) == [(1, 8)]
    assert (whole.open_key, whole.resume) == (None, ResumePoint(1))
    assert whole.rest() == [(2, 9)]


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
    ],
)
def test_a_row_whose_key_was_not_due_is_refused(fetches):
    with pytest.raises(KeyMismatch, match="were due"):
        cut(fetches)


def test_without_an_order_the_keys_of_rows_are_trusted():
    given_out, _ = cut([[(3, "a"), (1, "b")], [(1, "c"), (7, "d")]], ascending=False)
    assert given_out == [[(3, "a")], [(1, "b"), (1, "c")], [(7, "d")]]


def test_keys_that_come_padded_are_known_as_they_were_asked_for():
    whole = WholeKeys(0, 1_000, "a", "b", ascending=True, padded=True)
    assert whole.cut([("a  ", 1), ("b  ", 2)], 200) == [("a  ", 1)]
    assert whole.resume == ResumePoint("a")
