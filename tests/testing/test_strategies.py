from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from mesbatch import Batch, read_sql_iter
from mesbatch.testing import InjectedFault, strategies


@given(strategies.batches())
def test_batches_share_their_columns_and_a_row_has_a_value_for_each(batches):
    for batch in batches:
        assert isinstance(batch, Batch)
        assert batch.columns == strategies.COLUMNS
        assert all(type(row) is tuple and len(row) == 3 for row in batch.rows)


@given(st.data())
def test_batches_of_any_columns(data):
    columns = data.draw(strategies.columns())
    assert len({name.casefold() for name in columns}) == len(columns) >= 1
    for batch in data.draw(strategies.batches(columns, key=st.just(5))):
        assert batch.columns == columns
        assert all(row[0] == 5 for row in batch.rows)
    assert all(len(row) == len(columns) for row in data.draw(strategies.rows(columns)))


@given(strategies.keys())
def test_keys_are_taken_by_a_keyed_read(keys):
    with closing(sqlite3.connect(":memory:")) as con:
        con.execute("create table t (k)")
        with read_sql_iter("select k from t where k in (:keys)", con, keys=keys, strategy="in-list") as reader:
            assert list(reader) == []
        assert reader.manifest.keys == len(set(keys))


@given(strategies.faults(max_calls=3))
def test_faults_fail_among_the_first_calls_or_never(faults):
    for _ in range(10):
        try:
            faults.step()
        except InjectedFault:
            assert faults.fail_at <= faults.calls
    assert bool(faults.failures) == (faults.fail_at is not None)


@pytest.mark.parametrize("kind", strategies.SCALARS)
def test_every_type_of_value_can_stand_in_a_row(kind):
    example = find(strategies.SCALARS[kind], lambda value: True)
    found = find(strategies.values(), lambda value: type(value) is type(example))
    assert type(found) is type(example)
