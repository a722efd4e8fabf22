from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch import Batch, Column
from mesbatch.codec.rows import RowEncoder
from mesbatch.errors import SchemaChanged, UnencodableValue
from mesbatch.sink.csv import CsvEncoder, csv_lines

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["", ",", '"', "\r\n", "null", " a ", "\x00"]
)
SIMPLE = [
    st.integers(),
    st.floats(),
    st.booleans(),
    st.binary(max_size=6),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.uuids(),
    st.decimals(),
    st.timedeltas(timedelta(-99), timedelta(99)),
]
VALUES = st.one_of(st.none(), TEXT, st.lists(st.integers() | TEXT, max_size=3), *SIMPLE)
COLUMN = st.sampled_from([TEXT, *SIMPLE, VALUES]).flatmap(
    lambda kind: st.lists(st.none() | kind, min_size=3, max_size=3)
)


def field_of(value: object) -> str:
    """The law: a field is the JSON of its value, a text without its quotes, and nothing for null."""
    line = RowEncoder([Column("v", "text")], shape="arrays").encode_lines([(value,)])
    (written,) = json.loads(line)
    if isinstance(written, str):
        return written
    return "" if written is None else line.decode()[1:-2]


@given(st.lists(COLUMN, min_size=2, max_size=5))
def test_a_csv_reader_finds_the_json_of_every_value(columns):
    rows = list(zip(*columns))
    text = CsvEncoder([f"c{n}" for n in range(len(columns))]).encode_lines(rows).decode()

    assert list(csv.reader(io.StringIO(text, newline=""), strict=True)) == [list(map(field_of, row)) for row in rows]


@given(st.lists(st.tuples(VALUES, TEXT), max_size=9), st.integers(0, 9))
def test_the_bytes_do_not_depend_on_how_rows_are_cut(rows, cut):
    whole, parts = CsvEncoder(["a", "b"]), CsvEncoder(["a", "b"])

    assert whole.encode_lines(rows) == parts.encode_lines(rows[:cut]) + parts.encode_lines(rows[cut:])


def test_null_is_an_empty_field_and_an_empty_text_is_two_quotes():
    rows = [(None, "", "a"), ("", None, "b")]

    assert CsvEncoder(["x", "y", "z"]).encode_lines(rows) == b',"",a\r\n"",,b\r\n'


def test_values_are_written_as_on_every_path():
    row = (
        datetime(2026, 2, 25, 8),
        date(2026, 2, 25),
        True,
        b"\x9e\xe9e",
        Decimal("1379.4170"),
        UUID(int=1),
        float("nan"),
        1e16,
        [1, None, "a"],
    )
    line = CsvEncoder([f"c{n}" for n in range(len(row))]).encode_lines([row]).decode()

    assert line == (
        "2026-02-25T08:00:00,2026-02-25,true,null,1379.4170,00000000-0000-0000-0000-000000000001,,1e16,"
        '"[1,null,""a""]"\r\n'
    )


def test_a_header_is_quoted_like_a_text_and_may_repeat_a_name():
    assert CsvEncoder(['a "b"', "c,d", "c,d"]).header == b'"a ""b""","c,d","c,d"\r\n'


def test_a_value_without_a_form_is_named_with_its_column_and_row():
    encoder = CsvEncoder(["id", "odd"])
    encoder.encode_lines([(1, None)] * 3)

    with pytest.raises(UnencodableValue, match=r"column 'odd' of row 5: a object"):
        encoder.encode_lines([(1, None), (2, object())])
    with pytest.raises(UnencodableValue, match=r"column 'odd' of row 4: a str"):
        encoder.encode_lines([(1, "\ud800")])


@pytest.mark.parametrize("rows", [[(1,)], [(1, 2), (1, 2, 3)], [(1, 2, 3)]])
def test_rows_of_another_length_are_refused(rows):
    with pytest.raises(SchemaChanged, match="values for 2 columns"):
        CsvEncoder(["a", "b"]).encode_lines(rows)


def test_an_empty_result_is_a_header_and_other_columns_are_refused():
    assert b"".join(csv_lines([], columns=["a", "b"])) == b"a,b\r\n"
    with pytest.raises(SchemaChanged):
        list(csv_lines([Batch(("a",), [(1,)]), Batch(("b",), [(1,)])]))


def test_rows_without_columns_stay_countable():
    assert CsvEncoder([]).encode_lines([(), ()]) == b"\r\n\r\n"


def test_no_bytes_are_a_value_and_null_is_none():
    assert CsvEncoder(["B"]).encode_lines([(b"",), (None,), (b"\x01",)]) == b'""\r\n\r\nAQ==\r\n'


def test_documents_are_json_with_all_their_digits():
    encoder = CsvEncoder([Column("V", "jsonb"), Column("T", "text")])
    rows = [("x", "x"), (Decimal("1.50"), "1"), ({"a": [Decimal("1E+400"), 2**70]}, "t"), (None, None), (True, "true")]
    assert encoder.encode_lines(rows).split(b"\r\n")[:-1] == [
        b'"""x""",x', b"1.50,1", b'"{""a"":[1E+400,1180591620717411303424]}",t', b",", b"true,true"
    ]  # fmt: skip


def test_an_offset_of_no_whole_minute_moves_no_instant():
    moment = datetime(1900, 1, 1, 8, 5, 43, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert CsvEncoder([Column("V", "timestamptz")]).encode_lines([(moment,)]) == b"1900-01-01T00:00:00Z\r\n"


@pytest.mark.parametrize("sizes", [[1], [500], [501, 3], [1_201, 0, 7]])
def test_the_lines_of_batches_are_those_of_their_rows_whatever_their_sizes(sizes):
    numbers = iter(range(10_000))
    batches = [Batch(("n", "t"), [(n, f"lot {n}") for n in islice(numbers, size)]) for size in sizes]
    chunks = list(csv_lines(batches))
    assert b"".join(chunks) == b"n,t\r\n" + b"".join(b"%d,lot %d\r\n" % (n, n) for n in range(sum(sizes)))
    assert max(chunk.count(b"\r\n") for chunk in chunks) <= 500
