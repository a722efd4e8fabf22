from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Network
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch import Column
from mesbatch.codec.rows import RowEncoder
from mesbatch.errors import ColumnNameError, KeyColumnError, SchemaChanged, UnencodableValue

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
    st.uuids(),
    st.dates(),
    st.times(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.decimals(),
)
NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True, max_size=8)
QTY = Column("QTY", "numeric", precision=12, scale=3)
TOTAL = Column("TOTAL", "numeric")
ORACLE_NUMBER = Column("N", "number")
SHANGHAI = ZoneInfo("Asia/Shanghai")
NAN, INFINITY = Decimal("NaN"), Decimal("-Infinity")


def expected(value: Any) -> Any:
    """Give the value that a client finds in the JSON of *value* in a column without a declaration."""
    match value:
        case float():
            return value if value - value == 0 else None
        case Decimal():
            return str(value) if value.is_finite() else None
        case bytes():
            return base64.b64encode(value).decode()
        case UUID():
            return str(value)
        case date() | time():
            return value.isoformat().replace("+00:00", "Z")
    return value


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[tuple[Any, ...]]]:
    names = draw(NAMES)
    return names, draw(st.lists(st.tuples(*[VALUES] * len(names)), max_size=5))


@given(table=tables())
def test_objects_decode_to_the_values_of_the_rows(table):
    names, rows = table
    decoded = [dict(zip(names, map(expected, row))) for row in rows]
    encoder = RowEncoder(names)
    assert [json.loads(line) for line in encoder.encode_lines(rows).splitlines()] == decoded
    assert json.loads(encoder.encode_list(rows)) == decoded


@given(table=tables())
def test_arrays_decode_to_the_values_of_the_rows(table):
    names, rows = table
    decoded = [list(map(expected, row)) for row in rows]
    encoder = RowEncoder(names, shape="arrays")
    assert [json.loads(line) for line in encoder.encode_lines(rows).splitlines()] == decoded
    assert json.loads(encoder.encode_list(rows)) == decoded


@given(names=NAMES)
def test_every_name_gives_the_bytes_that_a_dictionary_gives(names):
    row = tuple(range(len(names)))
    assert RowEncoder(names).encode_list([row]) == msgspec.json.encode([dict(zip(names, row))])


@pytest.mark.parametrize(
    "name", ["class", "__init__", "f1", "", "self", 'a"b', "a\\b", "a\tb", "数量", "a b", "%s", "\x7f"]
)
def test_an_odd_name_is_a_name_like_any_other(name):
    assert json.loads(RowEncoder([name, "f0"]).encode_list([(1, 2)])) == [{name: 1, "f0": 2}]


def test_a_result_without_columns_has_empty_rows():
    assert RowEncoder([]).encode_list([(), ()]) == b"[{},{}]"


def test_a_repeated_name_is_refused_for_objects_and_written_in_arrays():
    with pytest.raises(ColumnNameError, match="'ID'"):
        RowEncoder(["ID", "ID"])
    assert RowEncoder(["ID", "ID"], shape="arrays").encode_list([(1, 2)]) == b"[[1,2]]"


@pytest.mark.parametrize("shape", ["objects", "arrays"])
def test_a_name_that_is_no_unicode_is_refused_before_any_row(shape):
    with pytest.raises(UnencodableValue, match="column name"):
        RowEncoder(["\ud800"], shape=shape)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2**53 + 1, b"9007199254740993"),
        (10**30, b"1000000000000000000000000000000"),
        (2.5, b"2.5"),
        (float("inf"), b"null"),
        (timedelta(days=1, seconds=2), b'"P1DT2S"'),
        (datetime(2026, 2, 25, 8), b'"2026-02-25T08:00:00"'),
        (datetime(2026, 2, 25, 8, 0, 0, 250), b'"2026-02-25T08:00:00.000250"'),
        (datetime(2026, 2, 25, 8, tzinfo=timezone(timedelta(hours=8))), b'"2026-02-25T08:00:00+08:00"'),
        ([1, "a", None], b'[1,"a",null]'),
        ({"a": [1.5]}, b'{"a":[1.5]}'),
    ],
)
def test_a_value_has_one_form(value, written):
    assert RowEncoder(["V"], shape="arrays").encode_list([(value,)]) == b"[[" + written + b"]]"


@pytest.mark.parametrize(
    ("column", "decimals", "written"),
    [
        (QTY, "number", b"1379.417"),
        (Column("QTY", "decimal", precision=15), "number", b"1379.417"),
        (Column("QTY", "number", precision=10), "number", b"1379.417"),
        (ORACLE_NUMBER, "number", b"1379.417"),
        (Column("QTY", "numeric", precision=16), "string", b'"1379.417"'),
        (TOTAL, "string", b'"1379.417"'),
        (Column("QTY"), "string", b'"1379.417"'),
    ],
)
def test_decimals_are_numbers_or_strings_by_column(column, decimals, written):
    encoder = RowEncoder([column], shape="arrays")
    assert encoder.columns[0]["decimals"] == decimals
    assert encoder.encode_list([(Decimal("1379.417"),)]) == b"[[" + written + b"]]"


def test_numbers_and_strings_stand_side_by_side():
    encoder = RowEncoder([QTY, TOTAL, "UNDECLARED", ORACLE_NUMBER], shape="arrays")
    row = (Decimal("2.5"), Decimal("2.5"), [Decimal("2.5")], Decimal("2.5"))
    assert encoder.encode_list([row, (None, None, None, None)]) == b'[[2.5,"2.5",["2.5"],2.5],[null,null,null,null]]'


@pytest.mark.parametrize("column", [QTY, TOTAL, ORACLE_NUMBER, Column("UNDECLARED")])
@pytest.mark.parametrize("special", [NAN, INFINITY, Decimal("sNaN")])
def test_a_special_decimal_is_null_in_every_column(column, special):
    encoder = RowEncoder([QTY, column], shape="arrays")
    assert json.loads(encoder.encode_list([(special, special), (Decimal(1), None)])) == [[None, None], [1, None]]


@given(st.lists(st.decimals(places=3, min_value=-(10**8), max_value=10**8) | st.just(NAN), min_size=1), st.data())
def test_a_decimal_is_written_the_same_beside_any_other(values, data):
    rows = [(value,) for value in values]
    cut = data.draw(st.integers(0, len(rows)))
    encoder = RowEncoder([QTY])
    assert encoder.encode_lines(rows) == encoder.encode_lines(rows[:cut]) + encoder.encode_lines(rows[cut:])


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(-100, 100))
def test_a_number_of_fifteen_digits_survives_a_double(digits, exponent):
    value = Decimal(digits).scaleb(exponent)
    (decoded,) = json.loads(RowEncoder([ORACLE_NUMBER]).encode_list([(value,)]))
    assert Decimal(f"{float(decoded['N']):.15g}") == value


@pytest.mark.parametrize("value", ["393599.2121039109334855837853268626891236", "9007199254740993", "1E+125", "1E-130"])
def test_a_number_without_a_precision_keeps_all_its_digits(value):
    encoder = RowEncoder([ORACLE_NUMBER], shape="arrays")
    assert encoder.encode_list([(Decimal(value),), (2,), (0.1,)]) == b"[[%b],[2],[0.1]]" % value.encode()


@pytest.mark.parametrize("type_", ["json", "jsonb", "jsonb[]"])
def test_numbers_inside_documents_keep_their_digits_beside_numerics_that_are_strings(type_):
    encoder = RowEncoder([Column("V", type_), TOTAL], shape="arrays")
    document = {"price": Decimal("12345678901234.123456789"), "x": [Decimal("1.50"), Decimal("1E+400"), 2**70]}
    assert encoder.columns[0]["decimals"] == "number"
    assert encoder.encode_list([(document, Decimal("2.5"))]) == (
        b'[[{"price":12345678901234.123456789,"x":[1.50,1E+400,1180591620717411303424]},"2.5"]]'
    )


@pytest.mark.parametrize(
    ("type_", "value", "written"),
    [
        ("timestamptz", datetime(1900, 1, 1, 8, 5, 43, tzinfo=SHANGHAI), b'"1900-01-01T00:00:00Z"'),
        ("timestamptz", datetime(2024, 1, 1, 8, tzinfo=SHANGHAI), b'"2024-01-01T08:00:00+08:00"'),
        ("timestamptz[]", [datetime(1900, 1, 1, 8, 5, 43, tzinfo=SHANGHAI)], b'["1900-01-01T00:00:00Z"]'),
        ("timetz", time(12, tzinfo=timezone(timedelta(hours=15, seconds=59))), b'"12:00:00+15:00:59"'),
        ("timetz", time(12, tzinfo=timezone(timedelta(hours=-3, minutes=-30))), b'"12:00:00-03:30"'),
    ],
)
def test_an_offset_of_no_whole_minute_moves_no_instant(type_, value, written):
    encoder = RowEncoder([Column("V", type_)], shape="arrays")
    assert encoder.encode_list([(None,), (value,)]) == b"[[null],[" + written + b"]]"


def test_addresses_are_text():
    rows = [(IPv4Address("10.0.0.1"), [IPv6Network("2001:db8::/32")])]
    assert RowEncoder(["A", "B"], shape="arrays").encode_list(rows) == b'[["10.0.0.1",["2001:db8::/32"]]]'


def test_columns_say_what_the_database_declared():
    columns = [Column("ID", "varchar", width=16), QTY, "EXPRESSION"]
    assert RowEncoder(columns).columns == [
        {"name": "ID", "type": "varchar"},
        {"name": "QTY", "type": "numeric", "decimals": "number"},
        {"name": "EXPRESSION", "decimals": "string"},
    ]


@pytest.mark.parametrize("value", [object(), 1j, "lone \ud800 surrogate", 10**5_000], ids=type)
@pytest.mark.parametrize("shape", ["objects", "arrays"])
def test_a_value_without_a_json_form_is_named_by_column_and_row(value, shape):
    encoder = RowEncoder(["ID", "NOTE"], shape=shape)
    encoder.encode_lines([(1, None)] * 1_000)
    with pytest.raises(UnencodableValue, match=r"column 'NOTE' of row 1,002: a \w+"):
        encoder.encode_lines([(1, None), (2, value)])


def test_a_row_of_another_length_is_no_object():
    for names in (["A", "B"], ["A", 'B"']):
        for row in ((1,), (1, 2, 3)):
            with pytest.raises(SchemaChanged, match="row 2 has"):
                RowEncoder(names).encode_lines([(1, 2), row])


@given(st.datetimes(timezones=st.none() | st.just(UTC)))
def test_a_blank_may_stand_between_date_and_time(moment):
    columns = [Column("DECLARED", "timestamp"), "UNDECLARED", Column("NOTE", "text")]
    row = (moment, [moment], "T")
    encoder = RowEncoder(columns, shape="arrays", datetime_separator=" ")
    text = moment.isoformat(" ").replace("+00:00", "Z")
    assert json.loads(encoder.encode_list([row])) == [[text, [text], "T"]]


def test_a_group_is_a_line_of_its_key_and_rows():
    groups = [("a", [("a", 1), ("a", 2)]), ("b", []), (None, [(None, 3)])]
    lines = RowEncoder(["LOT", "QTY"]).encode_groups(groups).splitlines()
    assert lines[0] == b'{"key":"a","rows":[{"LOT":"a","QTY":1},{"LOT":"a","QTY":2}]}'
    assert [json.loads(line)["key"] for line in lines] == ["a", "b", None]


def test_a_key_is_written_as_in_its_rows():
    groups = [(Decimal(7), [(Decimal(7), Decimal("NaN"))]), (Decimal("NaN"), [(Decimal("NaN"), Decimal(1))])]
    for key in (QTY, Column("QTY", "numeric", precision=20), Column("QTY")):
        encoder = RowEncoder([key, Column("N", "numeric", precision=5)], key="QTY")
        for line in encoder.encode_groups(groups).splitlines():
            group = json.loads(line)
            assert [group["key"]] == [row["QTY"] for row in group["rows"]]
    with pytest.raises(KeyColumnError):
        RowEncoder(["QTY"], key="LOT")


def test_the_wrong_value_of_a_group_is_named():
    encoder = RowEncoder(["LOT", "NOTE"])
    with pytest.raises(UnencodableValue, match="column 'NOTE' of row 2"):
        encoder.encode_groups([("a", [("a", None)]), ("b", [("b", object())])])
    with pytest.raises(UnencodableValue, match="the key"):
        encoder.encode_groups([(object(), [])])
