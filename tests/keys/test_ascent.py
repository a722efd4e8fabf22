"""Rows of a keyset ascend from the known one on, which comes once and is left out."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mesbatch.errors import KeysetBroken
from mesbatch.keys.ascent import Ascent


def test_the_known_row_is_left_out_also_when_it_comes_alone():
    ascent = Ascent(["id"], ("id", "v"), [3])
    assert ascent.check([(3, "a")]) == []
    assert ascent.check([]) == []
    assert ascent.check([(4, "b"), (5, "c")]) == [(4, "b"), (5, "c")]


@pytest.mark.parametrize("after", [None, [3]])
@pytest.mark.parametrize("second", [[(4,)], [(3,)], [(5,), (5,)], [(6,), (5,)]])
def test_a_row_that_does_not_come_after_the_one_before_is_refused(after, second):
    ascent = Ascent(["id"], ("id",), after)
    assert ascent.check([(3,), (4,)]) == [(3,), (4,)][after is not None :]
    with pytest.raises(KeysetBroken, match="comes after one with"):
        ascent.check(second)


def test_the_first_row_of_a_new_read_has_none_before_it():
    assert Ascent(["id"], ("id",), None).check([(3,)]) == [(3,)]


@pytest.mark.parametrize("known", [ZoneInfo("Europe/Berlin"), UTC])
def test_moments_of_the_hour_that_comes_twice_ascend(known):
    utc = [datetime(2025, 10, 26, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    first, second = (moment.astimezone(ZoneInfo("Europe/Berlin")) for moment in utc)
    ascent = Ascent(["at"], ("at",), [first.astimezone(known)])
    assert ascent.check([(first,), (second,)]) == [(second,)]
