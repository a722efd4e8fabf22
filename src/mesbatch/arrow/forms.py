"""Kinds of Python values that an Arrow type takes: as they are, and in another form that loses nothing.

A column that the database declared as text takes numerics, documents, ids and addresses, whose text is the database's
own. One that the caller declares, ``schema=``, takes more: any scalar as text or as bytes, decimals as doubles, floats
as decimals. A whole number must be exact; a fraction becomes the nearest double, which is what a double is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa

from mesbatch.codec.column_rules import write_address, write_other

Form = Callable[[Any], Any]  # raises ValueError for a value that has none

_json = msgspec.json.Encoder(decimal_format="number", enc_hook=write_other)
_ADDRESSES = (IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network)
_types = pa.types


def accepted_kinds(type_: pa.DataType) -> frozenset[type]:
    """Give the kinds of values that pyarrow makes *type_* of without a loss, or with an error."""
    return next((kinds for is_type, kinds in _ACCEPTED if is_type(type_)), frozenset())


def forms_for(type_: pa.DataType, *, declared: bool, asked: bool, nested: bool = False) -> Mapping[type, Form]:
    """Give the forms of other kinds of values in a column of *type_*.

    *declared* by the database or the caller, rather than by the first rows, and *asked* for by the caller; *nested* in
    a list, where a list is one dimension more, and no document.
    """
    if asked:
        return next((forms for is_type, forms in _ASKED if is_type(type_)), {})
    if is_text(type_):
        return {**_IDS, **(_TEXT if declared else {}), **(_DOCUMENTS if declared and not nested else {})}
    return _SEQUENCES if _types.is_list(type_) else {}


def is_text(type_: pa.DataType) -> bool:
    return bool(_types.is_string(type_) or _types.is_large_string(type_) or _types.is_string_view(type_))


def is_bytes(type_: pa.DataType) -> bool:
    return bool(_types.is_binary(type_) or _types.is_large_binary(type_) or _types.is_binary_view(type_))


def takes_values(type_: pa.DataType) -> bool:
    """Tell if values of other kinds have a form in *type_*, so that a column of it is made of them directly."""
    if _types.is_list(type_):
        return takes_values(type_.value_type)
    return any(is_type(type_) for is_type, _ in _ASKED)


def scalar_kinds() -> frozenset[type]:
    """Give the kinds of values that can be read as text by declaring it."""
    return frozenset({str, *_ANY_AS_TEXT} - {dict, list, tuple})


_ACCEPTED: list[tuple[Callable[[pa.DataType], bool], frozenset[type]]] = [
    (_types.is_boolean, frozenset({bool})),
    (_types.is_integer, frozenset({int})),
    (_types.is_floating, frozenset({float, int})),
    (_types.is_decimal, frozenset({Decimal, int})),
    (is_text, frozenset({str})),
    (is_bytes, frozenset({bytes})),
    (_types.is_timestamp, frozenset({datetime})),
    (_types.is_date, frozenset({date})),
    (_types.is_time, frozenset({time})),
    (_types.is_duration, frozenset({timedelta})),
    (_types.is_list, frozenset({list})),
    (_types.is_struct, frozenset({dict})),
    (_types.is_map, frozenset({dict})),
]


def _plain(value: Decimal) -> str | None:
    return format(value, "f") if value.is_finite() else None


def _as_json(value: Any) -> str:
    return _json.encode(value).decode()


def _as_iso(value: Any) -> str:
    """Write a date, time or duration as in JSON."""
    return str(msgspec.to_builtins(value))


def _as_iso_interval(value: Any) -> str:
    """Write an interval of months, days and nanoseconds, each with its own sign."""
    seconds, nanos = divmod(abs(value.nanoseconds), 10**9)
    sign = "-" if value.nanoseconds < 0 else ""
    return f"P{value.months}M{value.days}DT{sign}{seconds}.{nanos:09}S"


def _nearest(value: Decimal) -> float:
    """Give the double next to *value*, which is *value* itself where that is a whole number."""
    double = float(value)
    if value.is_finite() and (
        double in (float("inf"), float("-inf")) or (value == value.to_integral_value() and Decimal(double) != value)
    ):
        raise ValueError(f"{value} is no double")
    return double


def _whole(value: float | Decimal) -> int:
    if value != value or value in (float("inf"), float("-inf")) or value != int(value):
        raise ValueError(f"{value} is no whole number")
    return int(value)


def _exact_decimal(value: float) -> Decimal:
    """Give the shortest decimal that is read as the double *value*."""
    return Decimal(repr(value))


def _encoded(form: Form) -> Form:
    def encode(value: Any) -> bytes | None:
        text = form(value)
        return None if text is None else text.encode()

    return encode


_IDS: Mapping[type, Form] = {UUID: str}
_DOCUMENTS: Mapping[type, Form] = {dict: _as_json, list: _as_json}
_TEXT: Mapping[type, Form] = {Decimal: _plain, time: time.isoformat, **dict.fromkeys(_ADDRESSES, write_address)}
_SEQUENCES: Mapping[type, Form] = {tuple: list}
_ANY_AS_TEXT: Mapping[type, Form] = {
    **_IDS,
    **_DOCUMENTS,
    **_TEXT,
    int: str,
    float: repr,
    bool: lambda value: "true" if value else "false",
    tuple: _as_json,
    pa.MonthDayNano: _as_iso_interval,
    **dict.fromkeys((date, datetime, timedelta), _as_iso),
}
_ASKED: list[tuple[Callable[[pa.DataType], bool], Mapping[type, Form]]] = [
    (is_text, _ANY_AS_TEXT),
    (is_bytes, {str: str.encode, **{kind: _encoded(form) for kind, form in _ANY_AS_TEXT.items()}}),
    (_types.is_integer, {float: _whole, Decimal: _whole}),
    (_types.is_floating, {Decimal: _nearest}),
    (_types.is_decimal, {float: _exact_decimal}),
    (_types.is_boolean, {}),
    (_types.is_list, _SEQUENCES),
]
