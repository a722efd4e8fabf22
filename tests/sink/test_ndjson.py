from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch import Batch, Column, read_sql_iter
from mesbatch.codec.checksum import Checksum
from mesbatch.codec.rows import RowEncoder
from mesbatch.errors import ColumnNameError, SchemaChanged, UnencodableValue
from mesbatch.sink.ndjson import ndjson_groups, ndjson_lines

COLUMNS = ("LOT", "QTY", "NOTE")
ROWS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(),
        st.none() | st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["x" * 300, "\n", "},{"]),
    ),
    max_size=30,
)


class Input(Iterator[Any]):
    """An iterator that remembers that it was closed."""

    def __init__(self, items: list[Any]) -> None:
        self._items = iter(items)
        self.closed = False

    def __next__(self) -> Any:
        return next(self._items)

    def close(self) -> None:
        self.closed = True


def cut(rows: list[Any], size: int) -> list[Batch]:
    return [Batch(COLUMNS, rows[first : first + size]) for first in range(0, len(rows), size)]


def checksum_of(rows: list[Any]) -> str:
    joined = b",".join(RowEncoder(COLUMNS).encode_list([row])[1:-1] for row in rows)
    return f"{zlib.crc32(joined):08x}"


def lines_of(stream: Iterator[bytes]) -> list[Any]:
    chunks = list(stream)
    assert all(chunk.endswith(b"\n") for chunk in chunks)
    return [json.loads(line) for line in b"".join(chunks).splitlines()]


@given(rows=ROWS, size=st.integers(1, 31))
def test_lines_decode_to_the_rows_that_were_read(rows, size):
    assert lines_of(ndjson_lines(cut(rows, size))) == [dict(zip(COLUMNS, row)) for row in rows]


@given(rows=ROWS.filter(bool), size=st.integers(1, 31))
def test_arrays_follow_a_line_with_the_columns(rows, size):
    header, *lines = lines_of(ndjson_lines(cut(rows, size), columns=COLUMNS, shape="arrays"))
    assert [column["name"] for column in header["columns"]] == list(COLUMNS)
    assert lines == list(map(list, rows))


@given(rows=ROWS, size=st.integers(1, 31), other=st.integers(1, 31))
def test_any_chunking_gives_the_same_checksum(rows, size, other):
    lines, lists, groups = Checksum(), Checksum(), Checksum()
    encoder = RowEncoder(COLUMNS)
    for batch in cut(rows, size):
        lines.update_lines(encoder.encode_lines(batch.rows))
    for batch in cut(rows, other):
        lists.update_list(encoder.encode_list(batch.rows))
    list(ndjson_groups([(batch.rows[0][0], batch.rows) for batch in cut(rows, other)], COLUMNS, checksum=groups))
    assert lines.hexdigest() == lists.hexdigest() == groups.hexdigest() == checksum_of(rows)


@given(groups=st.lists(st.tuples(st.text("abc"), ROWS), max_size=12), checked=st.booleans())
def test_groups_decode_to_their_keys_and_rows(groups, checked):
    lines = lines_of(ndjson_groups(groups, COLUMNS, checksum=Checksum() if checked else None))
    assert [(line["key"], [tuple(row.values()) for row in line["rows"]]) for line in lines] == groups


def test_a_line_too_long_for_memory_leaves_in_pieces_and_in_order():
    long = (("b", number, "x" * 300) for number in range(20_000))
    checksum = Checksum()
    groups = [("a", [("a", 0, None)]), ("b", long), ("c", [("c", 1, None)] * 3)]
    chunks = list(ndjson_groups(groups, COLUMNS, checksum=checksum))
    assert max(map(len, chunks)) < 512 * 1024
    first, second, third = (json.loads(line) for line in b"".join(chunks).splitlines())
    assert [first["key"], second["key"], third["key"]] == ["a", "b", "c"]
    assert [row["QTY"] for row in second["rows"]] == list(range(20_000))
    rows = [("a", 0, None), *(("b", number, "x" * 300) for number in range(20_000)), *[("c", 1, None)] * 3]
    assert checksum.hexdigest() == checksum_of(rows)


def test_chunks_are_about_64_kib_whatever_the_rows_weigh():
    rows = [("a", number, "x" * (40 if number < 10_000 else 4_000)) for number in range(12_000)]
    for chunks in (list(ndjson_lines(cut(rows, 5_000))), list(ndjson_groups([("a", rows[:9])] * 9_000, COLUMNS))):
        assert sorted(map(len, chunks))[len(chunks) // 2] in range(32 * 1024, 128 * 1024)
    assert len(b"".join(ndjson_lines(cut(rows, 5_000))).splitlines()) == 12_000


def test_the_manifest_of_the_read_gets_the_checksum():
    with closing(sqlite3.connect(":memory:")) as connection:
        reader = read_sql_iter("select 'a' as LOT, 1 as QTY, null as NOTE union all select 'b', 2, 'c'", connection)
        assert lines_of(ndjson_lines(reader))[1] == {"LOT": "b", "QTY": 2, "NOTE": "c"}
        assert reader.manifest.complete
        assert reader.manifest.checksum == checksum_of([("a", 1, None), ("b", 2, "c")])


def test_an_empty_result_has_its_columns_in_arrays_and_no_line_in_objects():
    with closing(sqlite3.connect(":memory:")) as connection:
        for shape, lines in (("objects", []), ("arrays", [{"columns": [{"name": "LOT", "decimals": "string"}]}])):
            reader = read_sql_iter("select 1 as LOT where false", connection)
            assert lines_of(ndjson_lines(reader, shape=shape)) == lines
            assert reader.manifest.checksum == "00000000"


def test_the_description_decides_about_decimals():
    declared = [Column("LOT"), Column("QTY", "numeric", precision=12, scale=3), Column("NOTE")]
    rows = [("a", Decimal("2.500"), Decimal("2.500"))]
    assert lines_of(ndjson_lines(cut(rows, 1), columns=declared)) == [{"LOT": "a", "QTY": 2.5, "NOTE": "2.500"}]
    assert lines_of(ndjson_lines(cut(rows, 1))) == [{"LOT": "a", "QTY": "2.500", "NOTE": "2.500"}]


def test_an_integer_column_that_turns_fractional_stays_exact():
    rows = [("a", None, None), ("a", 2, None), ("a", 2.5, None)]
    assert [row["QTY"] for row in lines_of(ndjson_lines(cut(rows, 1)))] == [None, 2, 2.5]


@pytest.mark.parametrize("taken", [0, 1, 1_000])
def test_the_input_is_closed_at_the_end_and_early(taken):
    batches = Input([Batch(COLUMNS, [("a", 1, None)] * 1_000)] * 3)
    groups = Input([("a", [("a", 1, None)] * 1_000)] * 3)
    for origin, stream in ((batches, ndjson_lines(batches)), (groups, ndjson_groups(groups, COLUMNS))):
        list(islice(stream, taken))
        stream.close()
        assert origin.closed
        assert list(stream) == []


def test_the_input_is_closed_when_a_value_cannot_be_written():
    batches = Input([Batch(COLUMNS, [("a", object(), None)])])
    stream = ndjson_lines(batches)
    with pytest.raises(UnencodableValue, match="column 'QTY' of row 1"):
        next(stream)
    assert batches.closed


def test_the_lines_before_a_value_that_cannot_be_written_are_whole():
    batches = cut([("a", 1, None)] * 1_000 + [("a", object(), None)], 100)
    stream: Iterator[bytes] = ndjson_lines(batches)
    chunks: list[bytes] = []
    with pytest.raises(UnencodableValue, match="row 1,001"):
        chunks.extend(stream)
    assert chunks
    assert all(chunk.endswith(b"\n") for chunk in chunks)


def test_a_column_that_comes_between_batches_is_refused():
    batches = [Batch(("A",), [(1,)]), Batch(("A", "B"), [(1, 2)])]
    stream = ndjson_lines(batches)
    next(stream)
    with pytest.raises(SchemaChanged, match="A, B came after A"):
        next(stream)


def test_repeated_names_are_refused_before_a_line_is_written():
    with pytest.raises(ColumnNameError):
        ndjson_groups([], ["A", "A"])
    with pytest.raises(ColumnNameError):
        next(ndjson_lines([Batch(("A", "A"), [(1, 2)])]))


@pytest.mark.limit_memory("2 MB")
def test_a_million_rows_are_written_in_flat_memory():
    batch = Batch(COLUMNS, [("a", number, "x" * 100) for number in range(1_000)])
    assert sum(chunk.count(b"\n") for chunk in ndjson_lines(batch for _ in range(1_000))) == 1_000_000


def test_the_types_of_postgres_have_one_form_each(postgres):
    sql = """
        select 1379.417::numeric(12, 3) as qty, 'NaN'::numeric(12, 3) as nan, 0.1::numeric as rate, array[0.5] as rates,
               9007199254740993 as big, 'Infinity'::float8 as inf, timestamp '2026-02-25 08:00' as at, null as note,
               '48810380-001c-ba48-0000-000000000000'::uuid as id, '\\x616263'::bytea as raw,
               '{"a": [1.5]}'::jsonb as doc
    """
    (line,) = lines_of(ndjson_lines(read_sql_iter(sql, postgres)))
    assert line == {
        "qty": 1379.417,
        "nan": None,
        "rate": "0.1",
        "rates": ["0.5"],
        "big": 9007199254740993,
        "inf": None,
        "at": "2026-02-25T08:00:00",
        "note": None,
        "id": "48810380-001c-ba48-0000-000000000000",
        "raw": "YWJj",
        "doc": {"a": [1.5]},
    }
