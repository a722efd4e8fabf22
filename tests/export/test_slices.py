from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.export.slices import slice_into_parts

ROWS = st.lists(st.integers(0, 6)).map(lambda keys: [(key, n) for n, key in enumerate(sorted(keys))])


def parts_of(rows, sizes, part_rows, key):
    batches, rest = [], rows
    for size in sizes:
        batches, rest = [*batches, rest[:size]], rest[size:]
    parts = []
    for piece in slice_into_parts([batch for batch in (*batches, rest) if batch], part_rows, key):
        if piece.begins:
            parts.append([])
        parts[-1] += piece.rows
        assert piece.last_key == (None if key is None else piece.rows[-1][0])
    return parts


@given(rows=ROWS, sizes=st.lists(st.integers(1, 9)), part_rows=st.integers(1, 12), key=st.sampled_from([None, 0]))
def test_parts_depend_on_the_rows_and_never_on_how_they_were_fetched(rows, sizes, part_rows, key):
    parts = parts_of(rows, sizes, part_rows, key)

    assert [row for part in parts for row in part] == rows
    assert parts == parts_of(rows, [], part_rows, key)
    if key is None:
        assert all(len(part) == part_rows for part in parts[:-1])
    else:
        assert all(len(part) >= part_rows for part in parts[:-1])
        assert all(before[-1][0] != after[0][0] for before, after in pairwise(parts))


@given(rows=ROWS, sizes=st.lists(st.integers(1, 9)), part_rows=st.integers(1, 12), begun=st.integers(0, 5))
def test_who_goes_on_above_the_last_key_of_a_part_cuts_the_same_parts(rows, sizes, part_rows, begun):
    parts = parts_of(rows, [], part_rows, 0)
    whole = parts[:begun]
    rest = [row for row in rows if not whole or row[0] > whole[-1][-1][0]]

    assert whole + parts_of(rest, sizes, part_rows, 0) == parts


def test_record_batches_are_cut_as_rows_are():
    pa = pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    rows = [(key, n) for n, key in enumerate([0, 0, 1, 1, 1, 2, 3])]
    batches = [
        pa.record_batch({"k": [key for key, _ in some], "n": [n for _, n in some]}) for some in (rows[:4], rows[4:])
    ]

    pieces = [(piece.begins, piece.rows.column("n").to_pylist()) for piece in slice_into_parts(batches, 3, 0)]

    assert pieces == [(True, [0, 1, 2, 3]), (False, [4]), (True, [5, 6])]
