from __future__ import annotations

from itertools import count, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch import KiB, MiB
from mesbatch.batch import Column, measure_rows
from mesbatch.errors import RowTooLarge
from mesbatch.read.fetch import Budget, Fetcher


class Rows:
    """Rows of a made-up statement; remembers how many were asked for at a time."""

    def __init__(self, rows, *columns):
        self.columns = columns or (Column("v", "text"),)
        self._rows, self.asked = iter(rows), []

    def fetch(self, size):
        assert size > 0
        self.asked.append(size)
        return list(islice(self._rows, size))

    def close(self):
        pass


@given(
    lengths=st.lists(st.integers(0, 3_000), max_size=400), max_bytes=st.integers(1, 2 * MiB),
    connections=st.integers(1, 5), batch_size=st.none() | st.integers(1, 50), bounded=st.booleans(),
)  # fmt: skip
def test_all_rows_come_in_their_order_or_one_is_too_large(lengths, max_bytes, connections, batch_size, bounded):
    rows = [("x" * length,) for length in lengths]
    fetcher = Fetcher(Rows(rows), Budget(max_bytes, connections), batch_size, bounded=bounded)
    try:
        batches = list(fetcher.batches())
    except RowTooLarge:
        assert max(measure_rows([row]) for row in rows) > max_bytes
        return
    assert [row for batch, _ in batches for row in batch] == rows
    assert all(batch and nbytes > 0 for batch, nbytes in batches)
    assert batch_size is None or all(len(batch) <= batch_size for batch, _ in batches)


def test_batches_aim_at_a_share_of_the_budget():
    endless = (("x" * 1_000,) for _ in count())
    fetcher = Fetcher(Rows(endless), Budget(900 * KiB), None)
    sizes = [measure_rows(batch) for batch, _ in islice(fetcher.batches(), 10)]
    assert all(250 * KiB < size < 350 * KiB for size in sizes)


@pytest.mark.parametrize(("ahead", "expected"), [(False, 512 * KiB), (True, 1 * MiB)])
def test_batches_are_no_larger_than_a_cache_however_large_the_budget_is(ahead, expected):
    endless = (("x" * 1_000,) for _ in count())
    fetcher = Fetcher(Rows(endless), Budget(64 * MiB, ahead=ahead), None)
    sizes = [measure_rows(batch) for batch, _ in islice(fetcher.batches(), 10)]
    assert all(0.85 * expected < size < 1.15 * expected for size in sizes[1:])


@pytest.mark.parametrize("position", [0, 1])  # within the sample, and outside of it
def test_a_large_row_is_counted_once(position):
    rows = [("x" * 1_000,)] * 100
    rows[position] = ("x" * MiB,)
    ((_, nbytes),) = Fetcher(Rows(rows), Budget(100 * MiB), None).batches()
    assert nbytes == pytest.approx(measure_rows(rows), rel=0.1)


@pytest.mark.parametrize(("connections", "share"), [(1, 300), (2, 180), (4, 100)])
def test_connections_share_the_budget(connections, share):
    assert Budget(900, connections).share == share


def test_a_budget_below_one_byte_a_share_still_reads():
    with pytest.raises(RowTooLarge, match=r"max_bytes is 1 B"):
        list(Fetcher(Rows([("a",)]), Budget(1, 3), None).batches())


@pytest.mark.parametrize(
    ("columns", "most"),
    [
        ([Column("body", "clob")], 10), ([Column("v", "text")], 100), ([Column("n", "number")], 500),
        ([Column("v", "varchar", 4_000)] * 20, 100), ([Column("v")], 100), ([], 500),
    ],
)  # fmt: skip
def test_the_first_fetch_is_sized_by_what_is_declared(columns, most):
    rows = Rows([], *columns)
    rows.columns = tuple(columns)
    list(Fetcher(rows, Budget(8 * MiB), None).batches())
    assert rows.asked == [most]


@pytest.mark.parametrize("at", range(0, 700, 77))
def test_a_row_over_the_budget_is_found_wherever_it_is(at):
    rows = (("x" * (2 * MiB if n == at else 10),) for n in range(700))
    with pytest.raises(RowTooLarge, match=r"one row holds 2\.0 MiB, max_bytes is 1\.0 MiB"):
        list(Fetcher(Rows(rows), Budget(MiB), None).batches())
