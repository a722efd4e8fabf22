"""Folds see every row once, in order, and keep none."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.batch import Batch
from mesbatch.errors import KeyColumnError, KeyMismatch, SchemaChanged
from mesbatch.group.by_key import iter_groups
from mesbatch.group.fold import fold, fold_by_key, project
from mesbatch.testing import strategies
from mesbatch.testing.strategies import COLUMNS
from tests.rig.batches import exactly

ascending = st.integers(0, 5)


def collect(rows, batch):
    assert batch.columns == COLUMNS
    return rows + batch.rows


@given(strategies.batches())
def test_a_fold_sees_every_row_once_and_in_order(batches):
    rows = list(chain.from_iterable(batch.rows for batch in batches))
    assert exactly(fold(batches, collect, list)) == exactly(rows)


@given(strategies.batches(key=ascending))
def test_a_fold_by_key_sees_the_rows_of_its_group(batches):
    try:
        groups = list(iter_groups(batches, "k"))
    except KeyMismatch:
        with pytest.raises(KeyMismatch):
            list(fold_by_key(batches, "k", collect, list))
    else:
        assert exactly(list(fold_by_key(batches, "k", collect, list))) == exactly(groups)


@given(strategies.batches())
def test_neighbours_are_folded_where_no_order_was_promised(batches):
    groups = iter_groups(batches, "k", order="any")
    assert exactly(list(fold_by_key(batches, "k", collect, list, order="any"))) == exactly(list(groups))


def test_no_batches_give_the_empty_state():
    assert fold([], collect, list) == []
    assert list(fold_by_key([], "k", collect, list)) == []


def test_each_key_begins_with_a_state_of_its_own():
    def count(counts, batch):
        counts.update(value for _, value in batch.rows)
        return counts

    moves = Batch(("LOT", "STEP"), [("a", "etch"), ("a", "etch"), ("b", "strip")])
    assert list(fold_by_key([moves], "LOT", count, Counter)) == [("a", Counter(etch=2)), ("b", Counter(strip=1))]


@given(strategies.batches(), st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4))
def test_a_projection_picks_columns_of_every_row(batches, columns):
    positions = [COLUMNS.index(name) for name in columns]
    expected = [
        Batch(tuple(columns), [tuple(row[position] for position in positions) for row in batch.rows])
        for batch in batches
    ]
    assert exactly(list(project(batches, columns))) == exactly(expected)


def test_a_projection_needs_columns_that_are_there():
    with pytest.raises(KeyColumnError, match="'TOOL'"):
        list(project([Batch(("LOT",), [])], ["TOOL"]))
    with pytest.raises(ValueError, match="0 columns"):
        list(project([], []))


@pytest.mark.parametrize(
    "use",
    [
        lambda batches, step: fold(batches, step, int),
        lambda batches, step: list(fold_by_key(batches, "ID", step, int)),
    ],
)
def test_a_step_that_raises_leaves_no_pass_open(use):
    class Source:
        passes = 0

        def __iter__(self):
            self.passes += 1
            try:
                yield Batch(("ID",), [(1,)])
            finally:
                self.passes -= 1

    source = Source()
    with pytest.raises(ZeroDivisionError) as raised:
        use(source, lambda state, batch: state // 0)
    assert source.passes == 0, raised  # the traceback, which keeps every frame, is still alive


def test_columns_that_change_are_refused():
    with pytest.raises(SchemaChanged):
        fold([Batch(("A",), [(1,)]), Batch(("B",), [(1,)])], lambda state, batch: state, int)
