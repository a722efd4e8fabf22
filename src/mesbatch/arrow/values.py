"""A column's Python values as one Arrow array of a given type, or an error; never something near that type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from itertools import accumulate
from types import NoneType
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa

from mesbatch.arrow.types import AWARE, TIMESTAMP
from mesbatch.codec.column_rules import write_decimal

DECIMAL_DIGITS = 38
_json = msgspec.json.Encoder(decimal_format=write_decimal)


class Misfit(Exception):
    """A value, at *position*, that does not fit the column's type."""

    def __init__(self, position: int, value: Any) -> None:
        super().__init__(position, value)
        self.position, self.value = position, value


def make_array(values: Sequence[Any], type_: pa.DataType, *, declared: bool = True) -> pa.Array:
    """Make an array of *type_*, which the database or the caller *declared*, from *values*.

    pyarrow alone would cut 2.5 to 2 for an integer column and a datetime to its day, and forget time zones. So the
    kinds of values are checked first, which costs 25 ns a value.

    Raises:
        Misfit: a value is of another kind, or too large or too fine for the type.
        UnicodeEncodeError: a text holds half a surrogate pair.
    """
    kinds = set(map(type, values))
    kinds.discard(NoneType)
    accepted = _accepted(type_)
    if not kinds <= accepted:
        values = _converted(values, accepted, _text_forms(type_, declared))
    if list in kinds and pa.types.is_list(type_):
        return _make_lists(values, type_)
    if pa.types.is_timestamp(type_) or pa.types.is_time(type_):
        _check_zones(values, aware=pa.types.is_timestamp(type_) and type_.tz is not None)
    try:
        return pa.array(values, type_)
    except UnicodeEncodeError:
        raise
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError):
        if Decimal in kinds and pa.types.is_decimal(type_) and not all(map(_is_finite, values)):
            return make_array(list(map(_finite, values)), type_)
        _blame(values, type_)
        raise


def infer_type(values: Sequence[Any]) -> pa.DataType:
    """Find the type that holds *values*, for a column that has none: null if all of them are None.

    Raises:
        Misfit: the values are of two kinds, or of one that has no Arrow type.
    """
    kinds = set(map(type, values)) - {NoneType}
    if not kinds:
        return pa.null()
    if kinds == {int, float}:
        return pa.float64()
    kind = kinds.pop()
    if kinds:
        _raise_for_kind(values, {kind, NoneType})
    if kind is datetime:
        return TIMESTAMP if next(value for value in values if value is not None).tzinfo is None else AWARE
    if kind is Decimal:
        finite = [-value.as_tuple().exponent for value in values if value is not None and value.is_finite()]
        return pa.decimal128(DECIMAL_DIGITS, max(0, *finite, 0))
    if kind in _INFERRED:
        return _INFERRED[kind]
    try:
        return pa.array(values).type
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        _raise_for_kind(values, {NoneType})
        raise


_INFERRED: dict[type, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bytes: pa.binary(),
    date: pa.date32(),
    time: pa.time64("us"),
    timedelta: pa.duration("us"),
    UUID: pa.string(),
}


def _accepted(type_: pa.DataType) -> frozenset[type]:
    """Give the kinds of values that pyarrow converts to *type_* without a loss, or else with an error."""
    for is_type, kinds in _KINDS:
        if is_type(type_):
            return kinds
    return frozenset()


_KINDS: list[tuple[Callable[[pa.DataType], bool], frozenset[type]]] = [
    (pa.types.is_boolean, frozenset({bool})),
    (pa.types.is_integer, frozenset({int})),
    (pa.types.is_floating, frozenset({float, int})),
    (pa.types.is_decimal, frozenset({Decimal, int})),
    (pa.types.is_string, frozenset({str})),
    (pa.types.is_binary, frozenset({bytes})),
    (pa.types.is_timestamp, frozenset({datetime})),
    (pa.types.is_date, frozenset({date})),
    (pa.types.is_time, frozenset({time})),
    (pa.types.is_duration, frozenset({timedelta})),
    (pa.types.is_list, frozenset({list})),
    (pa.types.is_struct, frozenset({dict})),
]


def _plain(value: Decimal) -> str | None:
    return format(value, "f") if value.is_finite() else None


def _as_json(value: Any) -> str:
    return _json.encode(value).decode()


_TEXT: dict[type, Callable[[Any], str | None]] = {
    Decimal: _plain,
    UUID: str,
    dict: _as_json,
    list: _as_json,
    time: time.isoformat,
    **dict.fromkeys((IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network), str),
}


def _text_forms(type_: pa.DataType, declared: bool) -> dict[type, Callable[[Any], str | None]]:
    """Find the kinds that become text: many for a declared type, only ids if the first rows decided."""
    if not pa.types.is_string(type_):
        return {}
    return _TEXT if declared else {UUID: str}


def _converted(
    values: Sequence[Any], accepted: frozenset[type], text_forms: dict[type, Callable[[Any], str | None]]
) -> list[Any]:
    """Convert values whose form is not that of the column: numerics without a precision, documents, LOBs."""
    subclasses = (*(accepted - {date}), NoneType)  # a datetime is a date with more in it
    converted = []
    for position, value in enumerate(values):
        kind = type(value)
        if kind.__module__.startswith("oracledb") and hasattr(value, "read"):
            value = value.read()
        elif kind in text_forms:
            value = text_forms[kind](value)
        fits = type(value) in accepted or (isinstance(value, subclasses) and not isinstance(value, bool))
        if not fits:
            raise Misfit(position, value)
        converted.append(value)
    return converted


def _make_lists(values: Sequence[list[Any] | None], type_: pa.DataType) -> pa.Array:
    items = make_array([item for value in values for item in value or ()], type_.value_type)
    offsets = [0, *accumulate(len(value or ()) for value in values)]
    missing = pa.array([value is None for value in values])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, type=type_, mask=missing)


def _is_finite(value: Any) -> bool:
    return not isinstance(value, Decimal) or value.is_finite()


def _finite(value: Any) -> Any:
    """Make special decimals null, as they are in JSON."""
    return value if _is_finite(value) else None


def _check_zones(values: Sequence[Any], *, aware: bool) -> None:
    if {value.tzinfo is not None for value in values if value is not None} <= {aware}:
        return
    for position, value in enumerate(values):
        if value is not None and (value.tzinfo is not None) is not aware:
            raise Misfit(position, value)


def _raise_for_kind(values: Sequence[Any], kinds: set[type]) -> None:
    for position, value in enumerate(values):
        if type(value) not in kinds:
            raise Misfit(position, value)


def _blame(values: Sequence[Any], type_: pa.DataType) -> None:
    """Raise for the first of *values* that does not fit alone."""
    for position, value in enumerate(values):
        try:
            pa.array([value], type_)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError) as error:
            raise Misfit(position, value) from error
