"""Lines of rows that came in any order are those of groups in memory, and nothing of them stays behind."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.batch import Batch
from mesbatch.errors import CorruptChunk, InvalidKey, KeyColumnError, SchemaChanged, SpillError, UnencodableValue
from mesbatch.group.by_key import group_by_key
from mesbatch.group.spill import partitions
from mesbatch.sink import ndjson_by_key as sink
from mesbatch.sink.ndjson import ndjson_groups
from mesbatch.sink.ndjson_by_key import ndjson_by_key

LOTS = ("LOT", "QTY")
KEYS = st.lists(st.integers(0, 30), max_size=200)


def lots(*rows):
    return Batch(LOTS, list(rows))


@pytest.fixture
def _small_pieces(monkeypatch):
    """Make extents and partitions small, so that a hundred rows do what otherwise takes gigabytes."""
    monkeypatch.setattr(sink, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(sink, "READ_NBYTES_MIN", 300)
    monkeypatch.setattr(sink, "CHUNK_BYTES", 100)
    monkeypatch.setattr(partitions, "EXTENT_NBYTES", 60)
    monkeypatch.setattr(partitions, "GROUPS_SHIFT", 1)
    monkeypatch.setattr(partitions, "PARTITIONS_MIN", 3)
    monkeypatch.setattr(partitions, "SPLIT_SHIFT", 1)


def of_groups(batches, shape):
    with group_by_key(batches, "lot") as groups:
        return b"".join(ndjson_groups(groups.items(), LOTS, key="LOT", shape=shape))


@pytest.mark.usefixtures("_small_pieces")
@given(KEYS, st.integers(1, 40), st.integers(0, 5_000), st.sampled_from(["objects", "arrays"]))
def test_the_lines_are_those_of_the_groups(keys, batch_size, max_bytes, shape):
    rows = [(key, "\r\n\u2028" * (number % 3)) for number, key in enumerate(keys)]
    batches = [Batch(LOTS, rows[start : start + batch_size]) for start in range(0, len(rows), batch_size)]
    lines = b"".join(ndjson_by_key(batches, "lot", columns=LOTS, shape=shape, max_bytes=max_bytes))
    assert lines == of_groups(batches, shape)


def test_a_key_larger_than_memory_leaves_in_pieces():
    rows = [("a", "x" * 1_000) for _ in range(2_000)]
    batches = [Batch(LOTS, [*rows[:1_000], ("b", "y")]), Batch(LOTS, rows[1_000:])]
    chunks = list(ndjson_by_key(batches, "LOT", max_bytes=100_000))
    assert max(map(len, chunks)) < 100_000
    assert b"".join(chunks) == of_groups(batches, "objects")


def test_no_batches_are_no_lines():
    assert list(ndjson_by_key([], "LOT")) == []
    assert list(ndjson_by_key([lots()], "LOT", shape="arrays")) == [
        b'{"columns":[{"name":"LOT","decimals":"string"},{"name":"QTY","decimals":"string"}]}\n'
    ]


@pytest.mark.parametrize(
    ("batches", "refusal"),
    [
        ([Batch(("CID",), [(1,)])], KeyColumnError),
        ([lots(([], 1))], InvalidKey),
        ([lots(("a", object()))], UnencodableValue),
        ([lots(("a", 1, 2))], SchemaChanged),
        ([lots(("a", 1)), Batch(("LOT",), [("a",)])], SchemaChanged),
    ],
)
def test_a_refusal_leaves_no_file(batches, refusal, tmp_path):
    before = open_descriptors()
    with pytest.raises(refusal):
        list(ndjson_by_key(batches, "LOT", directory=tmp_path))
    assert open_descriptors() == before
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_refused_before_anything_is_read(tmp_path):
    def batches():
        raise AssertionError("read")
        yield

    with pytest.raises(SpillError, match="No such file"):
        next(ndjson_by_key(batches(), "LOT", directory=tmp_path / "missing"))


def open_descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_leaving_early_closes_the_file_and_the_batches():
    closed = []

    class Batches:
        columns = LOTS

        def __iter__(self):
            return iter([lots(*(((f"{number}", "x" * 5_000)) for number in range(100)))])

        def close(self):
            closed.append(True)

    before = open_descriptors()
    with ndjson_by_key(Batches(), "LOT") as lines:
        next(lines)
        assert open_descriptors() == before + 1
        assert not closed
    assert closed
    assert open_descriptors() == before


def test_a_flipped_bit_is_never_sent(monkeypatch):
    opened = []

    def open_and_keep(directory):
        opened.append(real_open(directory))
        return opened[-1]

    real_open = sink.open_unlinked
    monkeypatch.setattr(sink, "open_unlinked", open_and_keep)
    for position in chain(range(120), [-1]):
        settle = partitions.Partitions.settle

        def settle_damaged(self, nbytes, position=position, settle=settle):
            settle(self, nbytes)
            size = os.fstat(opened[-1]).st_size
            place = position % size
            (byte,) = os.pread(opened[-1], 1, place)
            os.pwrite(opened[-1], bytes([byte ^ 4]), place)

        with monkeypatch.context() as patch:
            patch.setattr(partitions.Partitions, "settle", settle_damaged)
            with pytest.raises(CorruptChunk):
                list(ndjson_by_key([lots(("a", 1), ("b", 2), ("a", 3))], "LOT"))


def test_a_decimal_key_is_written_as_in_its_rows():
    line = b"".join(ndjson_by_key([lots((Decimal("1.50"), 1))], "LOT"))
    assert json.loads(line) == {"key": "1.50", "rows": [{"LOT": "1.50", "QTY": 1}]}


def test_a_line_that_fills_a_chunk_is_its_last():
    full = b"x" * sink.CHUNK_BYTES
    assert list(sink._joined(iter([full, b"y", b"z"]))) == [full, b"yz"]
