from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

pa = pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")

from mesbatch.arrow.values import Misfit, infer_type, make_array  # noqa: E402

KINDS = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False),
    "str": st.text(st.characters(exclude_categories=["Cs"])),
    "bytes": st.binary(),
    "bool": st.booleans(),
    "date": st.dates(),
    "time": st.times(),
    "datetime": st.datetimes(),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6),
    "timedelta": st.timedeltas(timedelta(-100_000), timedelta(100_000)),
}


@given(kind=st.sampled_from(list(KINDS)), data=st.data())
def test_values_of_one_kind_come_back_as_they_were(kind, data):
    values = data.draw(st.lists(st.none() | KINDS[kind]))

    array = make_array(values, infer_type(values))

    assert array.to_pylist() == values


@given(data=st.data())
def test_values_of_two_kinds_are_exact_or_refused(data):
    first, second = data.draw(st.tuples(st.sampled_from(list(KINDS)), st.sampled_from(list(KINDS))))
    values = [data.draw(KINDS[first]), data.draw(KINDS[second])]
    type_ = infer_type(values[:1])

    try:
        array = make_array(values, type_, declared=False)
    except Misfit:
        return
    assert array.to_pylist() == values


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (2.5, pa.int64()),
        (2.0, pa.int64()),
        (True, pa.int64()),
        (Decimal("1.5"), pa.int64()),
        (2**63, pa.int64()),
        (2**53 + 1, pa.float64()),
        (5, pa.string()),
        (b"a", pa.string()),
        ("a", pa.binary()),
        (1, pa.bool_()),
        (Decimal("1.2345"), pa.decimal128(12, 3)),
        (Decimal("1E+20"), pa.decimal128(12, 3)),
        (1.5, pa.decimal128(12, 3)),
        (datetime(2026, 2, 25, 8), pa.date32()),
        (date(2026, 2, 25), pa.timestamp("us")),
        (datetime(2026, 2, 25, 8), pa.timestamp("us", tz="UTC")),
        (datetime(2026, 2, 25, 8, tzinfo=UTC), pa.timestamp("us")),
        (time(8, tzinfo=UTC), pa.time64("us")),
        ([1, 2.5], pa.list_(pa.int32())),
    ],
)
def test_a_value_that_pyarrow_would_bend_is_refused(value, type_):
    with pytest.raises(Misfit):
        make_array([None, value], type_)


def test_decimals_that_are_no_numbers_are_null_as_in_json():
    values = [Decimal("1.5"), Decimal("NaN"), Decimal("-Infinity"), None]

    assert make_array(values, pa.decimal128(12, 3)).to_pylist() == [Decimal("1.500"), None, None, None]


def test_documents_ids_and_unbounded_numerics_are_text():
    values = [{"a": [1]}, UUID(int=5), Decimal("1E-7"), "x", None, Decimal("NaN")]

    assert make_array(values, pa.string()).to_pylist() == [
        '{"a":[1]}',
        "00000000-0000-0000-0000-000000000005",
        "0.0000001",
        "x",
        None,
        None,
    ]


def test_lists_keep_their_nulls_and_their_empty_ones():
    values = [[1, None], None, [], [3]]

    assert make_array(values, pa.list_(pa.int32())).to_pylist() == values


@given(
    value=st.decimals(allow_nan=False, allow_infinity=False),
    type_=st.sampled_from([pa.decimal128(38, 0), pa.decimal128(38, 10), pa.decimal256(76, 1), pa.decimal256(76, 40)]),
    options=st.sampled_from([{"asked": True}, {"declared": False}]),
)
def test_a_decimal_of_any_scale_is_exact_or_refused(value, type_, options):
    try:
        array = make_array([value], type_, **options)
    except Misfit:
        return
    assert array.to_pylist() == [value]


def test_a_decimal_that_is_39_digits_finer_than_its_column_is_no_zero():
    with pytest.raises(Misfit):
        make_array([Decimal("12.5"), Decimal("0." + "3" * 40)], pa.decimal128(38, 1), declared=False)
