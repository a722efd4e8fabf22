"""Groups equal those of one plain dict, whatever the batching; input that breaks its promise is refused."""

from __future__ import annotations

import gc
import tracemalloc
import warnings
from itertools import chain, islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.batch import Batch
from mesbatch.errors import (
    GroupsClosed,
    InvalidKey,
    KeyColumnError,
    KeyMismatch,
    SchemaChanged,
    SpillError,
    UnencodableValue,
)
from mesbatch.group.by_key import group_by_key, iter_groups
from mesbatch.group.spill import partitions, spilled
from mesbatch.sink.ndjson import ndjson_groups
from mesbatch.testing import strategies
from mesbatch.units import KiB, MiB
from tests.rig.batches import exactly, grouped_in_a_dict

LOTS = ("LOT", "QTY")


def lots(*rows):
    return Batch(LOTS, list(rows))


@pytest.fixture
def _small_pieces(monkeypatch):
    """Make extents and partitions small, so that ten rows do what otherwise takes gigabytes."""
    monkeypatch.setattr(spilled, "SAMPLE_EVERY", 1)
    monkeypatch.setattr(spilled, "ROWS_PER_LOOK", 3)
    monkeypatch.setattr(spilled, "READ_NBYTES_MIN", 600)
    monkeypatch.setattr(partitions, "EXTENT_NBYTES", 60)
    monkeypatch.setattr(spilled, "EXTENTS_MAX", 3)
    monkeypatch.setattr(partitions, "GROUPS_SHIFT", 1)
    monkeypatch.setattr(partitions, "PARTITIONS_MIN", 3)
    monkeypatch.setattr(partitions, "SPLIT_SHIFT", 1)


# -- neighbours --------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.tuples(st.integers(0, 20), st.text(max_size=2)), max_size=8)))
def test_ordered_batches_give_the_groups_of_a_dict(batches):
    rows = sorted(chain.from_iterable(batches))
    starts = [sum(map(len, batches[:number])) for number in range(len(batches) + 1)]
    cut = [Batch(LOTS, rows[start:stop]) for start, stop in pairwise(starts)]
    assert list(iter_groups(cut, "LOT")) == list(grouped_in_a_dict(cut).items())


@given(strategies.batches())
def test_ordered_groups_hold_all_rows_or_raise(batches):
    try:
        groups = list(iter_groups(batches, "k"))
    except KeyMismatch:
        return
    assert exactly(groups) == exactly(list(grouped_in_a_dict(batches).items()))


def test_a_group_is_delivered_before_the_batch_after_the_next_key_is_read():
    def batches():
        yield lots(("a", 1))
        yield lots(("b", 2))
        raise AssertionError("read too far")

    assert next(iter_groups(batches(), "LOT")) == ("a", [("a", 1)])


@pytest.mark.parametrize("last", ["a", "A", None, 3])
def test_a_key_out_of_order_is_refused_where_order_was_promised(last):
    groups = iter_groups([lots(("a", 1), (None, 2), ("b", 3)), lots((last, 4))], "LOT")
    with pytest.raises(KeyMismatch, match=r"'LOT' does not ascend: .* came after 'b'"):
        list(groups)


@pytest.mark.parametrize("keys", [[None, "a", "b"], ["a", "b", None]])
def test_null_may_come_first_or_last(keys):
    assert [key for key, _ in iter_groups([lots(*((key, 1) for key in keys))], "LOT")] == keys


def test_neighbours_are_enough_where_no_order_was_promised():
    batches = [lots(("b", 1), ("a", 2)), lots(("a", 3), ("c", 4))]
    groups = [("b", [("b", 1)]), ("a", [("a", 2), ("a", 3)]), ("c", [("c", 4)])]
    assert list(iter_groups(batches, "LOT", order="any")) == groups


def test_an_order_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="'ascending'"):
        list(iter_groups([], "LOT", order="ascending"))


def test_trailing_blanks_of_a_key_are_kept():
    assert [key for key, _ in iter_groups([lots(("a", 1), ("a ", 2))], "LOT")] == ["a", "a "]


@pytest.mark.parametrize("read", [lambda *of: list(iter_groups(*of)), group_by_key])
def test_what_is_not_there_or_changes_is_refused(read):
    with pytest.raises(KeyColumnError, match="no column 'CID'; its columns are LOT, QTY"):
        read([lots(("a", 1))], "CID")
    with pytest.raises(SchemaChanged):
        read([lots(("a", 1)), Batch(("LOT",), [("b",)])], "LOT")


# -- any order -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_small_pieces")
@given(strategies.batches(), st.integers(0, 3_000))
def test_spilling_never_changes_the_groups(batches, max_bytes):
    truth = grouped_in_a_dict(batches)
    with group_by_key(batches, "k", max_bytes=max_bytes) as groups:
        assert exactly(list(groups.items())) == exactly(list(truth.items()))
        assert exactly(list(groups.values())) == exactly(list(truth.values()))
        assert exactly(dict(groups)) == exactly(truth)
        assert exactly({key: list(groups.iter_rows(key)) for key in groups}) == exactly(truth)
        assert len(groups) == len(truth)


@pytest.mark.usefixtures("_small_pieces")
@given(st.lists(st.integers(0, 30), max_size=300), st.integers(1, 40), st.integers(0, 20_000))
def test_many_runs_merge_in_first_seen_order(keys, batch_size, max_bytes):
    rows = [(key, number) for number, key in enumerate(keys)]
    batches = [Batch(LOTS, rows[start : start + batch_size]) for start in range(0, len(rows), batch_size)]
    with group_by_key(batches, "LOT", max_bytes=max_bytes) as groups:
        assert list(groups.items()) == list(grouped_in_a_dict(batches).items())


@pytest.fixture(params=[0, 1 * MiB], ids=["on disk", "in memory"])
def max_bytes(request):
    return request.param


def test_groups_are_a_mapping(max_bytes):
    with group_by_key([lots(("b", 1), ("a", 2)), lots(("b", 3))], "lot", max_bytes=max_bytes) as groups:
        assert groups.columns == LOTS
        assert groups == {"b": [("b", 1), ("b", 3)], "a": [("a", 2)]}
        assert list(groups) == list(groups.keys()) == ["b", "a"]
        assert ("a", [("a", 2)]) in groups.items()
        assert "a" in groups
        assert "c" not in groups
        assert groups.get("c", []) == []
        with pytest.raises(KeyError):
            groups["c"]
        with pytest.raises(KeyError):
            groups.iter_rows("c")
        assert len(groups) == 2
        assert (groups.spilled_nbytes > 0) == (groups.index_nbytes > 0) == (max_bytes == 0)


def test_no_batches_are_no_groups(max_bytes):
    with group_by_key([], "LOT", max_bytes=max_bytes) as groups:
        assert dict(groups) == {}
        assert groups.columns == ()


def test_no_rows_are_no_groups_but_columns(max_bytes):
    with group_by_key([lots()], "LOT", max_bytes=max_bytes) as groups:
        assert list(groups.items()) == []
        assert groups.columns == LOTS


def test_a_key_that_cannot_be_one_is_refused(max_bytes):
    with pytest.raises(InvalidKey, match=r"'LOT' holds .* unhashable type: 'list'"):
        group_by_key([lots(([], 1))], "LOT", max_bytes=max_bytes)


def test_closed_groups_say_so_also_in_the_middle(max_bytes):
    with group_by_key([lots(("b", 1), ("a", 2))], "LOT", max_bytes=max_bytes) as groups:
        begun = [iter(groups), iter(groups.items()), iter(groups.values())]
        for iterator in begun:
            next(iterator)
    groups.close()
    for use in (*(lambda i=i: next(i) for i in begun), lambda: groups["a"], lambda: "a" in groups, lambda: len(groups)):
        with pytest.raises(GroupsClosed):
            use()
    assert groups.spilled_nbytes == groups.index_nbytes == 0


def open_descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_no_file_is_left_by_a_read_that_fails(tmp_path):
    def batches():
        yield lots(("a", 1))
        raise ZeroDivisionError

    before = open_descriptors()
    with pytest.raises(ZeroDivisionError):
        group_by_key(batches(), "LOT", max_bytes=0, directory=tmp_path)
    assert open_descriptors() == before


def test_a_spilled_group_has_no_name_on_disk_and_one_descriptor(tmp_path):
    before = open_descriptors()
    with group_by_key([lots(("a", 1))], "LOT", max_bytes=0, directory=tmp_path) as groups:
        assert groups.spilled_nbytes > 0
        assert open_descriptors() == before + 1
        assert list(tmp_path.iterdir()) == []
    assert open_descriptors() == before


def test_groups_on_disk_that_nobody_closed_are_reported():
    before = open_descriptors()
    with pytest.warns(ResourceWarning, match="never closed"):
        group_by_key([lots(("a", 1))], "LOT", max_bytes=0)
    assert open_descriptors() == before


def test_groups_in_memory_need_no_closing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(group_by_key([lots(("a", 1))], "LOT")) == 1
        gc.collect()


def test_a_directory_is_refused_before_anything_is_read(tmp_path):
    def batches():
        raise AssertionError("read")
        yield

    with pytest.raises(SpillError, match="No such file"):
        group_by_key(batches(), "LOT", directory=tmp_path / "missing")


@pytest.mark.parametrize("bad", [object(), [object()], bytearray(b"x")])
def test_a_value_that_cannot_be_spilled_is_named_by_column_key_and_row(bad):
    before = open_descriptors()
    batches = [lots(("a", 1), ("b", 2)), lots(("a", 3), ("b", None), ("a", bad))]
    with pytest.raises(UnencodableValue, match=r"column 'QTY'.* in row 3 of key 'a', which cannot be spilled"):
        group_by_key(batches, "LOT", max_bytes=0)
    assert open_descriptors() == before


def test_a_row_of_another_length_is_not_spilled():
    with pytest.raises(SchemaChanged, match="3 values for the 2 columns"):
        group_by_key([lots(("a", 1), ("a", 1, 2))], "LOT", max_bytes=0)


# -- memory --------------------------------------------------------------------------------------------

NUM_BATCHES, ROWS_PER_BATCH = 60, 500  # 29 MiB


def wide_batches():
    for number in range(NUM_BATCHES):
        rows = [(f"{row * 7919 % 1_000:016}", "x" * 700 + f"{number}") for row in range(ROWS_PER_BATCH)]
        yield lots(*rows)


def peak_nbytes(work):
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def count_rows(max_bytes):
    with group_by_key(wide_batches(), "LOT", max_bytes=max_bytes) as groups:
        assert sum(len(rows) for _, rows in groups.items()) == NUM_BATCHES * ROWS_PER_BATCH


def test_memory_stays_within_the_budget():
    batch, index, buffers = 1 * MiB, 150 * 1_000, 512 * KiB
    assert peak_nbytes(lambda: count_rows(4 * MiB)) < 4 * MiB + batch + index + buffers
    assert peak_nbytes(lambda: count_rows(64 * MiB)) > 20 * MiB  # or the line above proves nothing


def test_a_group_larger_than_the_budget_is_read_in_pieces():
    batches = (lots(*(("a", "x" * 700) for _ in range(ROWS_PER_BATCH))) for _ in range(NUM_BATCHES))
    with group_by_key(batches, "LOT", max_bytes=1 * MiB) as groups:
        assert peak_nbytes(lambda: sum(1 for _ in groups.iter_rows("a"))) < 2 * MiB
        assert peak_nbytes(lambda: groups["a"]) > 20 * MiB


@pytest.mark.parametrize("num_keys", [50_000, 87_400])  # just after the dict has doubled: its worst
def test_the_index_costs_at_most_150_bytes_a_key(num_keys):
    batches = (lots(*((f"{start + row:016}", 1) for row in range(100))) for start in range(0, num_keys, 100))
    with group_by_key(batches, "LOT", max_bytes=1 * MiB) as groups:
        assert len(groups) == num_keys
        assert groups.index_nbytes <= 150 * num_keys


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers()), max_size=6)), st.data())
def test_groups_in_pieces_are_the_same_groups_whatever_is_taken_of_each(batches, data):
    cut = [Batch(LOTS, rows) for rows in batches]
    whole = list(iter_groups(cut, "LOT", order="any"))
    taken = []
    for key, rows in iter_groups(cut, "LOT", order="any").in_pieces():
        size = len(whole[len(taken)][1])
        wanted = data.draw(st.sampled_from([size, size, 0, 1, size // 2]))
        taken.append((key, list(islice(rows, wanted)) if wanted < size else list(rows)))
    assert [key for key, _ in taken] == [key for key, _ in whole]
    assert all(rows == of_whole[: len(rows)] for (_, rows), (_, of_whole) in zip(taken, whole))


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers()), max_size=6)))
def test_lines_of_groups_in_pieces_are_those_of_whole_groups(batches):
    cut = [Batch(LOTS, rows) for rows in batches]
    in_pieces = b"".join(ndjson_groups(iter_groups(cut, "LOT", order="any"), LOTS))
    assert in_pieces == b"".join(ndjson_groups(list(iter_groups(cut, "LOT", order="any")), LOTS))


def test_groups_that_were_begun_are_written_from_there_on():
    groups = iter_groups([lots(("a", 1), ("b", 2)), lots(("b", 3))], "LOT")
    assert next(groups) == ("a", [("a", 1)])
    assert b"".join(ndjson_groups(groups, LOTS)) == b'{"key":"b","rows":[{"LOT":"b","QTY":2},{"LOT":"b","QTY":3}]}\n'


def test_one_group_larger_than_memory_is_written_in_flat_memory():
    batches = (lots(*(("a", f"{row:0700}") for row in range(ROWS_PER_BATCH))) for _ in range(60))
    lines = ndjson_groups(iter_groups(batches, "LOT"), LOTS)
    assert peak_nbytes(lambda: sum(map(len, lines))) < 3 * MiB


def test_leaving_the_lines_of_a_large_group_leaves_the_batches():
    closed = []

    class Many:
        def __iter__(self):
            try:
                for _ in range(1_000):
                    yield lots(*(("a", f"{row:0700}") for row in range(ROWS_PER_BATCH)))
            finally:
                closed.append(True)

    with ndjson_groups(iter_groups(Many(), "LOT"), LOTS) as lines:
        next(lines)
        assert not closed
    assert closed


def test_neighbours_are_grouped_in_flat_memory():
    ordered = (
        lots(*((f"{number:03}{row:05}", f"{row:0700}") for row in range(ROWS_PER_BATCH))) for number in range(60)
    )
    assert peak_nbytes(lambda: sum(1 for _ in iter_groups(ordered, "LOT"))) < 2 * MiB


def test_keys_that_are_no_number_are_those_of_a_dict_over_several_batches_and_on_disk():
    nan, other = float("nan"), float("nan")  # each is a key of its own, as in a dict
    batches = [Batch(("k", "n"), [(nan, 1), (1.0, 2)]), Batch(("k", "n"), [(other, 3), (nan, 4), (1.0, 5)])]
    for max_bytes in (1_000_000, 50):
        with group_by_key(batches, "k", max_bytes=max_bytes) as groups:
            found = [[row[1] for row in rows] for _, rows in groups.items()]
            assert [row[1] for row in groups[nan]] == [1, 4]
        assert found == [[1, 4], [2, 5], [3]]


def test_neighbours_whose_key_is_no_number_stay_together_over_two_batches():
    nan, other = float("nan"), float("nan")
    batches = [Batch(("k", "n"), [(nan, 1)]), Batch(("k", "n"), [(nan, 2), (other, 3)])]
    assert [[row[1] for row in rows] for _, rows in iter_groups(batches, "k", order="any")] == [[1, 2], [3]]
