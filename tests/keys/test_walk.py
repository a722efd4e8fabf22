"""Rows that are followed through the keys: what was not asked for, or comes late, is refused, however it is cut."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesbatch.errors import KeyMismatch
from mesbatch.keys.walk import KeyWalk

small = st.integers(0, 30)


def followed(keys, values, *, list_size, piece_size, as_key, padded=False):
    lists = [list(map(as_key, piece)) for piece in cut(sorted(keys), list_size)]
    walk = KeyWalk(iter(lists), type(as_key(0)), padded=padded)
    try:
        for piece in cut(values, piece_size):
            walk.follow(piece)
    except KeyMismatch:
        return False
    return True


def cut(values, size):
    return [values[start : start + size] for start in range(0, len(values), size)]


@given(st.sets(small), st.lists(small, max_size=40), st.integers(1, 9), st.integers(1, 9), st.booleans())
@example({1, 2}, [1, 2, 1], 9, 9, False)
def test_only_ascending_rows_of_keys_are_followed(keys, values, list_size, piece_size, in_order):
    values = sorted(values) if in_order else values
    fits = set(values) <= keys and all(before <= after for before, after in pairwise(values))
    for as_key in (int, "{:03}".format, Decimal):
        rows = list(map(as_key, values))
        assert followed(keys, rows, list_size=list_size, piece_size=piece_size, as_key=as_key) == fits


@given(st.sets(small, min_size=1), st.data(), st.integers(1, 9), st.integers(1, 9))
def test_rows_of_some_keys_are_followed(keys, data, list_size, piece_size):
    values = sorted(data.draw(st.lists(st.sampled_from(sorted(keys)), max_size=60)))
    assert followed(keys, values, list_size=list_size, piece_size=piece_size, as_key=int)
    blank = [f"{value:03}  " for value in values]
    as_key = "{:03}".format
    assert followed(keys, blank, list_size=list_size, piece_size=piece_size, as_key=as_key, padded=True)


@pytest.mark.parametrize(
    "stray", [None, 3, "aa", "b ", Decimal("sNaN"), UUID(int=1), datetime(2026, 1, 1), b"b"], ids=repr
)
def test_a_stray_value_is_refused_and_named(stray):
    walk = KeyWalk(iter([["a", "b", "c"]]), str, padded=False)
    with pytest.raises(KeyMismatch) as refusal:
        walk.follow(["a", "a", stray, "c"])
    assert repr(stray) in str(refusal.value)


def test_moments_of_the_hour_that_comes_twice_are_followed_by_their_instant():
    keys = [datetime(2025, 10, 26, hour, minute, tzinfo=UTC) for hour in (0, 1) for minute in (10, 30)]
    rows = [key.astimezone(ZoneInfo("Europe/Berlin")) for key in keys]
    KeyWalk(iter([keys]), datetime, padded=False).follow(rows)
    with pytest.raises(KeyMismatch):
        KeyWalk(iter([[keys[1]]]), datetime, padded=False).follow([rows[1], rows[3]])
