from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.jobs import ranges
from mesbatch.jobs.ranges import growing_ranges, shares
from mesbatch.keys.collect import collect_keys, flat

TEXTS = st.text(alphabet="ab \t\x1f!", min_size=1, max_size=5).filter(str.strip)


@given(asked=st.sets(TEXTS, min_size=1), count=st.integers(1, 5))
def test_shares_have_all_keys_and_no_column_takes_two_of_them_for_one(asked, count):
    keys = collect_keys(asked)
    cut = [list(share) for share in shares(flat(keys), len(keys), count)]
    assert [key for share in cut for key in share] == sorted(asked)
    assert all(cut)
    assert len(cut) <= count
    for before, after in pairwise(cut):
        for spelled in (str, lambda key: key.rstrip(" ")):
            assert max(map(spelled, before)) < min(map(spelled, after))


@pytest.mark.parametrize("count", [1, 3, 10])
def test_shares_of_ordinary_keys_are_of_one_size(count):
    keys = [f"lot {number:04}" for number in range(10)]
    sizes = [len(list(share)) for share in shares(iter(keys), len(keys), count)]
    assert len(sizes) == count
    assert max(sizes) - min(sizes) <= 1


@given(total=st.integers(0, 300))
def test_ranges_grow_and_have_all_keys(total):
    keys = collect_keys(range(total))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "FIRST_RANGE", 2)
        patch.setattr(ranges, "LONGEST_RANGE", 50)
        cut = list(growing_ranges(keys))
    assert [key for some in cut for key in some] == list(range(total))
    assert [len(some) for some in cut[:-1]] == [2, 8, 32, 50, 50, 50, 50, 50, 50][: max(0, len(cut) - 1)]
