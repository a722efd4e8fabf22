"""Laws of the made-up rows."""

from __future__ import annotations

from itertools import islice

import pytest

from mesbatch.demo.rows import ROWS_PER_CID, container_ids, count_rows, make_rows
from mesbatch.demo.tables import LOT_HISTORY, LOT_HOLDS, LOT_REJECTS, TABLES


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_has_as_many_rows_as_were_counted_and_a_value_for_every_column(table):
    rows = list(make_rows(table, 2_000))

    assert len(rows) == count_rows(2_000)[table]
    assert {len(row) for row in rows} == {len(table.columns)}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_rows_are_the_same_every_time(table):
    assert list(make_rows(table, 300)) == list(make_rows(table, 300))


@pytest.mark.parametrize("table", ROWS_PER_CID, ids=lambda table: table.name)
def test_lots_have_as_many_rows_as_the_incidents_had(table):
    assert count_rows(50_000)[table] / 50_000 == pytest.approx(ROWS_PER_CID[table], rel=0.05)


def test_some_lots_have_no_rows_and_a_few_have_two_hundred():
    ids = list(container_ids(20_000))
    counts = dict.fromkeys(ids, 0)
    for row in make_rows(LOT_HISTORY, 20_000):
        counts[row[0]] += 1

    assert list(counts) == ids  # no row belongs to a lot that does not exist
    assert 0.05 < sum(count == 0 for count in counts.values()) / len(ids) < 0.15
    assert 1 <= sum(count >= 200 for count in counts.values()) <= 10


def test_ids_are_distinct_ascending_and_sixteen_characters():
    ids = list(container_ids(30_000))

    assert ids == sorted(set(ids))
    assert {len(key) for key in ids} == {16}
    assert len(list(islice(container_ids(), 114_001))) == 114_000


def test_comments_are_missing_from_whole_batches_and_then_come():
    comments = [row[-1] for row in make_rows(LOT_REJECTS, 4_000)]

    assert comments[:5_000] == [None] * 5_000
    assert None not in comments[-1_000:]


def test_open_holds_have_no_release():
    released = [row[LOT_HOLDS.column_names.index("RELEASETXNDATE")] for row in make_rows(LOT_HOLDS, 5_000)]

    assert 0 < released.count(None) < len(released) / 2
