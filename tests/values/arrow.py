"""Arrow's types, their extremes, and the texts that stand for them; times are written as counts of their unit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tests.values.kinds import (
    BOOLEAN,
    DATE,
    DECIMAL,
    DOUBLE,
    INSTANT,
    INTEGER,
    JSON_TEXT,
    NESTED,
    SINGLE,
    TEXT,
    TIME,
    TIMESTAMP,
    UUIDS,
    Kind,
    bytes_kind,
    duration,
    list_of,
)
from tests.values.law import Database, Type
from tests.values.times import read_interval


@dataclass(frozen=True)
class ArrowType(Type):
    """*literals* are pairs of a value and its text; *counted* says that the values are the integers behind times."""

    type: Any = None
    counted: Any = None

    def array(self, positions: Sequence[int]) -> Any:
        values = [self.literals[n][0] for n in positions]
        if self.counted is not None:
            return pa.array(values, self.counted).view(self.type)
        if isinstance(self.type, pa.BaseExtensionType):
            return pa.ExtensionArray.from_storage(self.type, pa.array(values, self.type.storage_type))
        if pa.types.is_run_end_encoded(self.type):
            return pa.RunEndEncodedArray.from_arrays(
                list(range(1, len(values) + 1)), pa.array(values, self.type.value_type)
            )
        return pa.array(values, self.type)


def _plain(name: str, type_: Any, kind: Kind, *values: Any, readers: Any = None) -> ArrowType:
    """Values that are written as Python writes them."""
    pairs = [(value, str(value)) for value in values]
    return ArrowType(name, [*pairs, (None, None)], kind, readers or {}, type=type_)


def _given(
    name: str, type_: Any, kind: Kind, *pairs: tuple[Any, str], counted: Any = None, readers: Any = None
) -> ArrowType:
    return ArrowType(name, [*pairs, (None, None)], kind, readers or {}, type=type_, counted=counted)


BYTES = bytes_kind(bytes.fromhex)
SPAN = duration(read_interval)
NUMBER = Kind(Decimal, {Decimal: lambda number: number, str: Decimal})  # of a negative scale, whose zeros say nothing
BOOL8 = Kind(BOOLEAN.read, {bool: bool, int: bool})
LISTS = list_of(INTEGER, json.loads)
I64, MAX, MIN = pa.int64(), 2**63 - 1, -(2**63)
NS_MAX, US_MAX = "2262-04-11 23:47:16.854775807", "294247-01-10 04:00:54.775807"

# fmt: off
TYPES: Sequence[ArrowType] = (
    _plain("null", pa.null(), INTEGER),
    ArrowType("bool", [(True, "true"), (False, "false"), (None, None)], BOOLEAN, type=pa.bool_()),
    *(_plain(f"int{b}", getattr(pa, f"int{b}")(), INTEGER, -(2 ** (b - 1)), 2 ** (b - 1) - 1) for b in (8, 16, 32,
        64)),
    *(_plain(f"uint{b}", getattr(pa, f"uint{b}")(), INTEGER, 0, 2**b - 1) for b in (8, 16, 32, 64)),
    _plain("halffloat", pa.float16(), SINGLE, 0.5, -0.0, 65504.0),
    _plain("float", pa.float32(), SINGLE, 0.5, 3.4028234663852886e38, float("nan"), float("inf")),
    _plain("double", pa.float64(), DOUBLE, 0.1, -0.0, 5e-324, float("nan"), float("-inf")),
    _plain("decimal32(9, 2)", pa.decimal32(9, 2), DECIMAL, Decimal("9999999.99"), Decimal("0.10")),
    _plain("decimal64(18, 2)", pa.decimal64(18, 2), DECIMAL, Decimal("-0.10")),
    _plain("decimal128(38, 10)", pa.decimal128(38, 10), DECIMAL, Decimal("9" * 28 + "." + "9" * 10)),
    _plain("decimal128(5, -2)", pa.decimal128(5, -2), NUMBER, Decimal("123E+2")),
    _plain("decimal256(76, 10)", pa.decimal256(76, 10), DECIMAL, Decimal("9" * 66 + "." + "9" * 10),
        readers={"duckdb": None, "polars": None}),
    *(_plain(name, type_, TEXT, "", "é\U0001f600", "a\0b") for name, type_ in (("string", pa.string()),
        ("large_string", pa.large_string()), ("string_view", pa.string_view()))),
    *(_given(name, type_, BYTES, (b"", ""), (b"\0\xff", "00ff")) for name, type_ in (("binary", pa.binary()),
        ("large_binary", pa.large_binary()), ("binary_view", pa.binary_view()))),
    _given("fixed_size_binary[2]", pa.binary(2), BYTES, (b"\0\xff", "00ff")),
    _given("date32", pa.date32(), DATE, (0, "1970-01-01"), (2**31 - 1, "5881580-07-11"), (-719163, "0001-12-31 BC"),
        counted=pa.int32()),
    _given("date64", pa.date64(), DATE, (0, "1970-01-01"), (86_400_000, "1970-01-02"), counted=I64),
    _given("time32[s]", pa.time32("s"), TIME, (86_399, "23:59:59"), counted=pa.int32()),
    _given("time32[ms]", pa.time32("ms"), TIME, (1, "00:00:00.001"), counted=pa.int32()),
    _given("time64[us]", pa.time64("us"), TIME, (86_399_999_999, "23:59:59.999999"), counted=I64),
    _given("time64[ns]", pa.time64("ns"), TIME, (1_000, "00:00:00.000001"), (1, "00:00:00.000000001"), counted=I64),
    _given("timestamp[s]", pa.timestamp("s"), TIMESTAMP, (0, "1970-01-01 00:00:00"), (-62_167_219_201,
        "0002-12-31 23:59:59 BC"), counted=I64),
    _given("timestamp[ms]", pa.timestamp("ms"), TIMESTAMP, (1, "1970-01-01 00:00:00.001"), counted=I64),
    _given("timestamp[us]", pa.timestamp("us"), TIMESTAMP, (1, "1970-01-01 00:00:00.000001"), (MAX, US_MAX),
        counted=I64),
    _given("timestamp[ns]", pa.timestamp("ns"), TIMESTAMP, (1_000, "1970-01-01 00:00:00.000001"), (1,
        "1970-01-01 00:00:00.000000001"), (MAX, NS_MAX), counted=I64),
    _given("timestamp[us, UTC]", pa.timestamp("us", "UTC"), INSTANT, (1, "1970-01-01 00:00:00.000001+00"),
        counted=I64),
    _given("timestamp[us, Asia/Tokyo]", pa.timestamp("us", "Asia/Tokyo"), INSTANT, (0, "1970-01-01 09:00:00+09"),
        counted=I64),
    _given("timestamp[us, +02:00]", pa.timestamp("us", "+02:00"), INSTANT, (0, "1970-01-01 02:00:00+02"),
        counted=I64),
    _given("duration[s]", pa.duration("s"), duration(read_interval, 10**9), (86_400, "1 day"), counted=I64),
    _given("duration[us]", pa.duration("us"), SPAN, (-1, "-00:00:00.000001"), (MAX, "2562047788:00:54.775807"),
        counted=I64),
    _given("duration[ns]", pa.duration("ns"), duration(read_interval, 1), (1_000, "00:00:00.000001"), (1,
        "00:00:00.000000001"), counted=I64),
    _given("month_day_nano_interval", pa.month_day_nano_interval(), SPAN, ((0, 1, 0), "1 day"), ((1, 0, 0), "1 mon"),
        ((0, 0, 1), "00:00:00.000000001")),
    *(_given(name, type_, LISTS, ([1, None], "[1, null]"), ([], "[]")) for name, type_ in (("list",
        pa.list_(pa.int32())), ("large_list", pa.large_list(pa.int32())), ("list_view", pa.list_view(pa.int32())))),
    _given("list of lists", pa.list_(pa.list_(pa.int32())), LISTS, ([[1], [2, 3], None], "[[1], [2, 3], null]")),
    _given("fixed_size_list[2]", pa.list_(pa.int32(), 2), LISTS, ([1, 2], "[1, 2]")),
    _given("struct", pa.struct([("a", pa.int32()), ("b", pa.string())]), NESTED, ({"a": 1, "b": "x"},
        '{"a": 1, "b": "x"}')),
    _given("map", pa.map_(pa.string(), pa.int32()), NESTED, ([("a", 1), ("b", None)], '[["a", 1], ["b", null]]')),
    _plain("dictionary of string", pa.dictionary(pa.int8(), pa.string()), TEXT, "a", "b"),
    _plain("run_end_encoded of int64", pa.run_end_encoded(pa.int32(), pa.int64()), INTEGER, 1, 2),
    _given("uuid", pa.uuid(), UUIDS, (bytes(16), "00000000-0000-0000-0000-000000000000")),
    _plain("json", pa.json_(), JSON_TEXT, '{"a": 1.50}', "5"),
    _given("bool8", pa.bool8(), BOOL8, (1, "true"), (0, "false")),
)
# fmt: on


def select(type_: Type, positions: Sequence[int]) -> Any:
    """Make a table, in place of a statement."""
    assert isinstance(type_, ArrowType)
    return pa.table({"n": pa.array(positions, pa.int64()), "v": type_.array(positions)})


DATABASE = Database("Arrow", TYPES, select, lambda type_: [text for _, text in type_.literals])
