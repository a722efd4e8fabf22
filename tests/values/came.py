"""Values as they come out of JSON and Arrow, without the losses that Python's own readers have.

`pyarrow` alone cannot show a date before the year 1, and drops nanoseconds; a JSON reader makes floats of numbers. So
times are integers here, and numbers keep their digits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

NANOS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
MOST_DIGITS = 4_000  # that Python makes an int of


@dataclass(frozen=True)
class Days:
    """A date, counted from 1970-01-01."""

    count: int


@dataclass(frozen=True)
class Clock:
    """A time of the day, in nanoseconds."""

    nanos: int


@dataclass(frozen=True)
class Moment:
    """A timestamp in nanoseconds from 1970-01-01; *zone* is None where it has none."""

    nanos: int
    zone: str | None


@dataclass(frozen=True)
class Span:
    """A duration in nanoseconds, with months and days beside it where they are none of its nanoseconds."""

    nanos: int
    days: int = 0
    months: int = 0


@dataclass(frozen=True)
class Single:
    """A floating-point number of 32 or 16 bits."""

    value: float


class Field(str):
    """A field of CSV, which may be a text or the JSON of another value."""

    __slots__ = ()


class Pairs(tuple[tuple[str, Any], ...]):
    """The members of a JSON object in their order, repeated names included."""


def from_json(text: str) -> Any:
    """Read the document *text*: numbers with a fraction or an exponent are Decimals, objects are `Pairs`."""
    return json.loads(text, parse_int=_whole, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=Pairs)


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < MOST_DIGITS else Decimal(digits)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def from_arrow(column: Any) -> list[Any]:
    """Give the values of an array or a chunked one."""
    column.validate(full=True)  # reads every text and every offset
    if isinstance(column, pa.ChunkedArray):
        return [value for chunk in column.chunks for value in from_arrow(chunk)]
    if isinstance(column.type, pa.BaseExtensionType):
        return from_arrow(column.storage)
    return _values(column, column.type)


def _values(column: Any, type_: Any) -> list[Any]:
    if pa.types.is_dictionary(type_):
        return from_arrow(column.dictionary_decode())
    for is_type, make in _COUNTED:
        if is_type(type_):
            return [None if count is None else make(count, type_) for count in _counts(column, type_)]
    for is_type, read in _NESTED:
        if is_type(type_):
            return read(column)
    convert = _CONVERTED.get(type_, lambda value: value)
    return [None if value is None else convert(value) for value in column.to_pylist()]


def _counts(column: Any, type_: Any) -> list[int | None]:
    """Give the integers behind dates and times."""
    counted: list[int | None] = column.view(pa.int32() if type_.bit_width == 32 else pa.int64()).to_pylist()
    return counted


_COUNTED: list[tuple[Callable[[Any], bool], Callable[[int, Any], Any]]] = [
    (pa.types.is_date, lambda count, type_: Days(count if type_ == pa.date32() else count // 86_400_000)),
    (pa.types.is_time, lambda count, type_: Clock(count * NANOS[type_.unit])),
    (pa.types.is_timestamp, lambda count, type_: Moment(count * NANOS[type_.unit], type_.tz)),
    (pa.types.is_duration, lambda count, type_: Span(count * NANOS[type_.unit])),
]
_CONVERTED = {
    pa.float16(): Single,
    pa.float32(): Single,
    pa.month_day_nano_interval(): lambda value: Span(value.nanoseconds, value.days, value.months),
}


def _structs(column: Any) -> list[Any]:
    rows = zip(*map(from_arrow, column.flatten()))
    return [Pairs(zip(column.type.names, row)) if valid else None for row, valid in zip(rows, _valid(column))]


def _maps(column: Any) -> list[Any]:
    pairs, ends = list(zip(from_arrow(column.keys), from_arrow(column.items))), column.offsets.to_pylist()
    return [pairs[start:end] if valid else None for start, end, valid in zip(ends, ends[1:], _valid(column))]


def _lists(column: Any) -> list[Any]:
    return [from_arrow(value.values) if value.is_valid else None for value in column]


_NESTED: list[tuple[Callable[[Any], bool], Callable[[Any], list[Any]]]] = [
    (pa.types.is_struct, _structs),
    (pa.types.is_map, _maps),
    (pa.types.is_list, _lists),
    (pa.types.is_large_list, _lists),
    (pa.types.is_fixed_size_list, _lists),
]


def _valid(column: Any) -> list[bool]:
    valid: list[bool] = column.is_valid().to_pylist()
    return valid
