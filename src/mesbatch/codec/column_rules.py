"""Conversions of a column's values before they are JSON: decided once per column, never value by value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from types import NoneType
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec

from mesbatch.batch import Column, Row

DecimalForm = Literal["number", "string"]

DOUBLE_DIGITS = 15  # every decimal number of 15 digits survives a double (IEEE 754 binary64)

_NUMERIC = frozenset({"numeric", "decimal", "number"})
_DOCUMENTS = frozenset({"json", "jsonb"})
_WITH_ZONES = frozenset({"timestamptz", "timetz", "timestamp with time zone", "time with time zone"})
_WITHOUT_DECIMALS = frozenset(
    """
    bool boolean bigint int int2 int4 int8 integer smallint binary_double binary_float double float float4 float8 real
    bpchar char clob long nchar nclob nvarchar nvarchar2 text varchar varchar2 blob bytea raw rowid uuid
    date datetime interval interval_ds time timestamp timestamp_ltz timestamp_tz timestamptz timetz
    """.split()  # noqa: SIM905  (a word a line would fill a screen)
)
_LAST_ODD_YEAR = 1972  # until when a time zone's offset was no whole minute somewhere: 0:44:30 in Monrovia
_MINUTE = timedelta(minutes=1)
_PLAIN = frozenset({NoneType, bool, int, float, str, bytes, date, time, timedelta, UUID})


class ColumnRule(NamedTuple):
    """A conversion for the column at *position*, for rows in which not all of its values pass as they are."""

    position: int
    all_pass: Callable[[list[Any]], bool]
    convert: Callable[[Any], Any]


def decimal_form(column: Column) -> DecimalForm | None:
    """Find the form of *column*'s Decimals in JSON; None where its declared type has none.

    A number is what every client can hold in a double, at most 15 declared digits; what Oracle gives for its
    expressions and averages, a NUMBER without a precision; and what was a number in a document. It has all its digits.

    >>> decimal_form(Column("QTY", "numeric", precision=12, scale=3)), decimal_form(Column("QTY", "numeric"))
    ('number', 'string')
    """
    if column.type in _WITHOUT_DECIMALS:
        return None
    if is_document(column):
        return "number"
    short = column.precision is not None and column.precision <= DOUBLE_DIGITS
    return "number" if column.type in _NUMERIC and (short or _is_oracle_number(column)) else "string"


def find_rules(columns: Sequence[Column], *, numbers: bool, blank_in_datetimes: bool) -> list[ColumnRule]:
    """Find the rules for *columns*, for an encoder that writes Decimals as *numbers*, or else as strings."""
    rules = []
    for position, column in enumerate(columns):
        form = decimal_form(column)
        if numbers and form == "string":
            rules.append(ColumnRule(position, _has_no_decimals, _everywhere(write_decimal)))
        elif numbers and form == "number" and not is_document(column):
            rules.append(ColumnRule(position, _is_finite, _finite))
        if _base(column) in _WITH_ZONES:
            rules.append(ColumnRule(position, _has_whole_offsets, _everywhere(_with_whole_offset)))
        if blank_in_datetimes and _may_hold_datetimes(column):
            rules.append(ColumnRule(position, _has_no_datetimes, _everywhere(_write_with_blank)))
    return rules


def rules_in_need(rules: Iterable[ColumnRule], rows: Sequence[Row]) -> list[ColumnRule]:
    """Choose the *rules* whose columns have values to convert in *rows*: mostly none, at 0.05 us a row and rule."""
    return [rule for rule in rules if not rule.all_pass([row[rule.position] for row in rows])]


def convert_rows(rows: Iterable[Row], rules: Iterable[ColumnRule]) -> list[Row]:
    """Copy *rows* with *rules* applied to every value of their columns."""
    converted = []
    for row in rows:
        values = list(row)
        for position, _, convert in rules:
            values[position] = convert(values[position])
        converted.append(tuple(values))
    return converted


def write_decimal(value: Any) -> Any:
    """Write a Decimal as text; NaN and the infinities have no place in JSON and become null."""
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else None
    return value


def write_other(value: Any) -> Any:
    """Write a value that the encoder does not know itself: the addresses of PostgreSQL's inet and cidr are text.

    Raises:
        TypeError: it is none of these.
    """
    if type(value).__module__ == "ipaddress":
        return write_address(value)
    raise TypeError(f"{type(value).__module__}.{type(value).__qualname__} has no form in JSON")


def write_address(value: Any) -> str:
    """Write an address or network as PostgreSQL does: Python shows an IPv4 address within IPv6 in hexadecimal.

    >>> from ipaddress import IPv6Address
    >>> write_address(IPv6Address("::ffff:10.0.0.1"))
    '::ffff:10.0.0.1'
    """
    address, slash, bits = str(value).partition("/")
    mapped = getattr(getattr(value, "ip", value), "ipv4_mapped", None)
    return f"::ffff:{mapped}{slash}{bits}" if mapped is not None else f"{address}{slash}{bits}"


def _is_oracle_number(column: Column) -> bool:
    return column.type == "number" and column.precision is None


def _base(column: Column) -> str:
    """Give the type of *column*'s values, or of those in its arrays."""
    return (column.type or "").rstrip("[]")


def is_document(column: Column) -> bool:
    """Tell whether the values of *column* are JSON documents, or arrays of them."""
    return _base(column) in _DOCUMENTS


def _may_hold_datetimes(column: Column) -> bool:
    return column.type is None or "date" in column.type or "time" in column.type


def _has_no_decimals(values: list[Any]) -> bool:
    kinds = set(map(type, values))
    return kinds <= _PLAIN or kinds <= _PLAIN | {datetime}


def _has_no_datetimes(values: list[Any]) -> bool:
    kinds = set(map(type, values))
    return kinds <= _PLAIN or kinds <= _PLAIN | {Decimal}


def _is_finite(values: list[Any]) -> bool:
    try:
        return all(map(Decimal.is_finite, values))
    except TypeError:  # not all of them are Decimals
        return all(value.is_finite() for value in values if isinstance(value, Decimal))


def _finite(value: Any) -> Any:
    return None if isinstance(value, Decimal) and not value.is_finite() else value


def _has_whole_offsets(values: list[Any]) -> bool:
    """Tell if the offsets from UTC are whole minutes: the encoder would round others, and move the instant."""
    if list in map(type, values):
        return False
    moments = [value for value in values if isinstance(value, datetime | time)]
    zones: set[tzinfo | None] = {moment.tzinfo for moment in moments}
    fixed = [zone.utcoffset(None) for zone in zones if zone is not None]  # None of a region, whose offset changes
    if None not in fixed:
        return not any(map(_is_odd, fixed))
    return not any(map(_is_odd, fixed)) and all(_has_year_after(moment, _LAST_ODD_YEAR) for moment in moments)


def _has_year_after(moment: datetime | time, year: int) -> bool:
    return isinstance(moment, datetime) and moment.year > year


def _is_odd(offset: timedelta | None) -> bool:
    return offset is not None and bool(offset % _MINUTE)


def _with_whole_offset(value: Any) -> Any:
    """Move a datetime to UTC, and make a time text, where their offset is no whole minute."""
    if not isinstance(value, datetime | time) or not _is_odd(value.utcoffset()):
        return value
    return value.astimezone(UTC) if isinstance(value, datetime) else value.isoformat()


def _write_with_blank(value: Any) -> Any:
    return msgspec.to_builtins(value).replace("T", " ") if isinstance(value, datetime) else value


def _everywhere(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Apply *convert* to a value, or to the values in it: databases have arrays and composite types."""

    def apply(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: apply(item) for name, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return list(map(apply, value))
        return convert(value)

    return apply
