"""Laws of the aggregation."""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import integers

from mesbatch.batch import Batch
from mesbatch.demo.reject_counts import DIMENSIONS, RejectCounts
from mesbatch.demo.rows import make_rows
from mesbatch.demo.tables import LOT_REJECTS

REJECTS = list(make_rows(LOT_REJECTS, 200))


@given(size=integers(1, 700))
def test_counts_do_not_depend_on_the_batches(size):
    counts = RejectCounts()
    for start in range(0, len(REJECTS), size):
        counts.add("rejects", Batch(LOT_REJECTS.column_names, REJECTS[start : start + size]))

    result = counts.result()

    assert result["rejects"] == len(REJECTS)
    for dimension, column in DIMENSIONS.items():
        values = [row[LOT_REJECTS.column_names.index(column)] for row in REJECTS]
        assert result[dimension] == {value: values.count(value) for value in set(values)}
        assert list(result[dimension].values()) == sorted(result[dimension].values(), reverse=True)


def test_other_domains_are_not_counted():
    counts = RejectCounts()
    counts.add("downstream_rejects", Batch(LOT_REJECTS.column_names, REJECTS))

    assert counts.result()["rejects"] == 0
