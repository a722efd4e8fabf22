from __future__ import annotations

from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.jobs.chunks import Chunker


@st.composite
def batches(draw):
    """Draw rows of ascending keys, cut anywhere."""
    counts = draw(st.lists(st.integers(0, 12), max_size=20))
    rows = [(f"k{key:02d}", n) for key, count in enumerate(counts) for n in range(count)]
    cuts = sorted(draw(st.sets(st.integers(0, len(rows)), max_size=10)) | {0, len(rows)})
    return [rows[start:end] for start, end in pairwise(cuts)]


def all_chunks(chunker, given_batches, row_bytes=100):
    chunks = [chunk for rows in given_batches for chunk in chunker.add(rows, row_bytes * len(rows))]
    return chunks + list(chunker.rest())


@given(batches(), st.integers(1, 8), st.integers(1, 2_000), st.integers(1, 8))
def test_all_rows_come_in_chunks_that_end_where_a_key_does(given_batches, batch_size, max_bytes, first_rows):
    chunks = all_chunks(Chunker(batch_size, max_bytes, 0, first_rows), given_batches)
    rows = [row for rows in given_batches for row in rows]
    assert [row for chunk in chunks for row in chunk.rows] == rows
    assert all(0 < len(chunk.rows) <= batch_size for chunk in chunks)
    seen = 0
    for chunk in chunks:
        seen += len(chunk.rows)
        key_ends = seen == len(rows) or rows[seen][0] != rows[seen - 1][0]
        assert key_ends >= chunk.ends_key
        if not chunk.ends_key:
            assert len({row[0] for row in chunk.rows}) == 1, "only a key that fills the chunk is cut"


@given(batches(), st.integers(1, 8))
def test_a_worker_that_stops_keeps_only_whole_keys(given_batches, batch_size):
    chunker = Chunker(batch_size, 10**9, 0)
    rows = [row for rows in given_batches for row in rows]
    chunks = [chunk for rows in given_batches for chunk in chunker.add(rows, 0)] + list(chunker.whole_keys())
    kept = [row for chunk in chunks for row in chunk.rows]
    assert kept == rows[: len(kept)]
    if chunks and chunks[-1].ends_key:
        assert kept[-1][0] not in {row[0] for row in rows[len(kept) :]}
        last = [list(group) for _, group in groupby(rows, key=lambda row: row[0])][-1]
        assert rows[len(kept) :][-len(last) :] == last, "the last key may go on: nobody knows"


def test_without_an_order_of_keys_only_the_end_ends_one():
    chunks = all_chunks(Chunker(2, 10**6, None, 2), [[("b", 1), ("a", 1)], [("b", 2)]])
    assert [(len(chunk.rows), chunk.ends_key) for chunk in chunks] == [(2, False), (1, True)]


@pytest.mark.parametrize("row_bytes", [1, 100_000])
def test_large_rows_make_short_chunks(row_bytes):
    rows = [(f"k{n:03d}", n) for n in range(200)]
    chunks = all_chunks(Chunker(50, 1_000_000, 0, 50), [rows[n : n + 5] for n in range(0, 200, 5)], row_bytes)
    assert max(len(chunk.rows) for chunk in chunks) <= (50 if row_bytes == 1 else 15)


def test_the_first_chunks_are_short():
    chunks = all_chunks(Chunker(1_000, 10**9, 0, 100), [[(n, n)] for n in range(5_000)])
    assert [len(chunk.rows) for chunk in chunks[:6]] == [100, 200, 400, 800, 1_000, 1_000]
