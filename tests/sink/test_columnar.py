from __future__ import annotations

import gc
import io
import threading
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch import KiB

pa = pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
import pyarrow.parquet as pq  # noqa: E402

from mesbatch.sink.arrow import ArrowWriter  # noqa: E402
from mesbatch.sink.parquet import ParquetWriter  # noqa: E402


def batches_of(values, size):
    return [pa.record_batch({"v": pa.array(values[i : i + size], pa.int64())}) for i in range(0, len(values), size)]


def written(writer_class, batches, schema, **options):
    file = io.BytesIO()
    with writer_class(file, schema, **options) as writer:
        for batch in batches:
            writer.write(batch)
    return file.getvalue()


def groups_of_arrow(data):
    file = pa.ipc.open_file(data)
    return [file.get_batch(i).column(0).to_pylist() for i in range(file.num_record_batches)]


def groups_of_parquet(data):
    file = pq.ParquetFile(io.BytesIO(data))
    return [file.read_row_group(i).column(0).to_pylist() for i in range(file.num_row_groups)]


@given(rows=st.integers(0, 40), size=st.integers(1, 9), other=st.integers(1, 41), group=st.integers(1, 12))
def test_groups_have_their_rows_and_the_bytes_do_not_depend_on_the_batches(rows, size, other, group):
    values = list(range(rows))
    schema = pa.schema([("v", pa.int64())])
    for writer, groups_of in ((ArrowWriter, groups_of_arrow), (ParquetWriter, groups_of_parquet)):
        data = written(writer, batches_of(values, size), schema, group_rows=group)

        assert groups_of(data) == [values[i : i + group] for i in range(0, rows, group)]
        assert data == written(writer, batches_of(values, other), schema, group_rows=group)


@pytest.mark.parametrize(("writer", "groups_of"), [(ArrowWriter, groups_of_arrow), (ParquetWriter, groups_of_parquet)])
def test_rows_that_are_large_end_a_group_early(writer, groups_of):
    batches = [pa.record_batch({"v": ["x" * 10_000]}) for _ in range(40)]

    groups = groups_of(written(writer, batches, batches[0].schema, group_rows=1_000, max_bytes=64 * KiB))

    assert [len(group) for group in groups] == [7, 7, 7, 7, 7, 5]


def test_a_stream_can_be_read_as_it_comes():
    batches = batches_of(list(range(10)), 4)
    data = written(ArrowWriter, batches, batches[0].schema, group_rows=4, kind="stream", compression="zstd")

    assert pa.ipc.open_stream(data).read_all().column(0).to_pylist() == list(range(10))


def test_an_error_leaves_no_footer_even_when_the_writer_is_collected():
    batch = batches_of([1, 2], 2)[0]
    for writer, footer in ((ArrowWriter, b"ARROW1"), (ParquetWriter, b"PAR1")):
        file = io.BytesIO()
        with suppress(KeyError), writer(file, batch.schema, group_rows=1) as opened:
            opened.write(batch)
            raise KeyError
        del opened
        gc.collect()
        assert len(file.getvalue()) > len(footer)
        assert not file.getvalue().endswith(footer)


class FullDisk(io.BytesIO):
    """A file that takes the beginning of a format, and no group of rows."""

    def write(self, data):
        if self.tell() + len(data) > 300:
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("writer", [ArrowWriter, ParquetWriter])
def test_what_the_file_does_not_take_is_an_error_of_the_next_group_or_of_the_end(writer):
    batch = batches_of(list(range(1_000)), 1_000)[0]
    opened = writer(FullDisk(), batch.schema, group_rows=1_000)
    opened.write(batch)
    with pytest.raises(OSError, match="No space left"):
        opened.write(batch)

    opened = writer(FullDisk(), batch.schema, group_rows=1_000)
    opened.write(batch)
    with pytest.raises(OSError, match="No space left"):
        opened.close()


def test_no_thread_is_left_after_the_end_or_an_error():
    batch, before = batches_of([1, 2], 2)[0], threading.enumerate()
    with ParquetWriter(io.BytesIO(), batch.schema, group_rows=1) as writer:
        writer.write(batch)
    with suppress(KeyError), ParquetWriter(io.BytesIO(), batch.schema, group_rows=1) as writer:
        writer.write(batch)
        raise KeyError
    assert set(threading.enumerate()) <= set(before)


def test_a_group_has_at_least_one_row():
    with pytest.raises(ValueError, match="group_rows must be at least 1 row, got 0"):
        ArrowWriter(io.BytesIO(), pa.schema([]), group_rows=0)


@pytest.mark.parametrize("views", [pa.list_view, pa.large_list_view])
def test_views_of_lists_are_lists_in_parquet_with_nulls_between_them(views):
    lists = [[1, 2], None, [], [3], None, [4, 5]]
    batch = pa.record_batch({"v": pa.array(lists, views(pa.int64()))})
    assert groups_of_parquet(written(ParquetWriter, [batch], batch.schema, group_rows=10)) == [lists]
