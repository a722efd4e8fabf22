"""A column's Python values as one Arrow array of a given type, or an error; never something near that type."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate
from types import NoneType
from typing import Any
from uuid import UUID

import pyarrow as pa

from mesbatch.arrow.forms import Form, accepted_kinds, forms_for, scalar_kinds
from mesbatch.arrow.types import AWARE, LARGEST_DECIMAL128, LARGEST_DECIMAL256, TIMESTAMP

SPARE_DIGITS = 10  # after the point, in a declaration that is advised: averages differ in their length


class Misfit(Exception):
    """A value, at *position*, that does not fit the column's type."""

    def __init__(self, position: int, value: Any) -> None:
        super().__init__(position, value)
        self.position, self.value = position, value


def make_array(values: Sequence[Any], type_: pa.DataType, *, declared: bool = True, asked: bool = False) -> pa.Array:
    """Make an array of *type_*, which the database *declared* or the caller *asked* for.

    pyarrow alone would cut 2.5 to 2 for an integer column, a datetime to its day, and forget time zones: so the kinds
    of values are looked at first, which costs 25 ns a value. What the caller asked for takes values of other kinds that
    lose nothing in it: see `mesbatch.arrow.forms`.

    Raises:
        Misfit: a value is of another kind, or too large or too fine for the type.
        UnicodeEncodeError: a text holds half a surrogate pair.
    """
    if pa.types.is_decimal(type_) and (asked or not declared):
        _check_scales(values, type_)
    return _make(values, type_, forms_for(type_, declared=declared, asked=asked), asked=asked)


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
        return _infer_decimal(values)
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


def decimal_digits(value: Decimal) -> tuple[int, int]:
    """Digits of *value* before the point, and after it."""
    _, digits, exponent = value.as_tuple()
    after = max(0, -int(exponent))
    return max(0, len(digits) + int(exponent)), after


def fitting_type(type_: pa.DataType | None, value: Any) -> pa.DataType | None:
    """Find a type for a column of *type_* that holds *value*, too; None where only its text does."""
    if isinstance(value, bytes):
        return pa.binary()
    if isinstance(value, Decimal) and value.is_finite() and (type_ is None or pa.types.is_decimal(type_)):
        before, after = decimal_digits(value)
        if max(before + after, 1) <= LARGEST_DECIMAL256 - SPARE_DIGITS:
            return pa.decimal256(LARGEST_DECIMAL256, min(after + SPARE_DIGITS, LARGEST_DECIMAL256 - before))
    return pa.string() if type(value) in scalar_kinds() else None


def _infer_decimal(values: Sequence[Decimal | None]) -> pa.DataType:
    before = after = 0
    for position, value in enumerate(values):
        if value is not None and value.is_finite():
            its_before, its_after = decimal_digits(value)
            before, after = max(before, its_before), max(after, its_after)
            if before + after > LARGEST_DECIMAL128:
                raise Misfit(position, value)
    return pa.decimal128(LARGEST_DECIMAL128, after)


def _make(values: Sequence[Any], type_: pa.DataType, forms: Mapping[type, Form], *, asked: bool) -> pa.Array:
    kinds = set(map(type, values))
    kinds.discard(NoneType)
    accepted = accepted_kinds(type_)
    if not kinds <= accepted:
        values = _converted(values, accepted, forms)
    if pa.types.is_list(type_):
        return _make_lists(values, type_, asked=asked)
    if pa.types.is_map(type_):
        return _make_maps(values, type_, asked=asked)
    if pa.types.is_timestamp(type_) or pa.types.is_time(type_):
        _check_zones(values, aware=pa.types.is_timestamp(type_) and type_.tz is not None)
    try:
        array = pa.array(values, type_)
    except UnicodeEncodeError:
        raise
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError):
        if Decimal in kinds and pa.types.is_decimal(type_) and not all(map(_is_finite, values)):
            return _make(list(map(_finite, values)), type_, forms, asked=asked)
        _blame(values, type_)
        raise
    if dict in kinds:
        _check_members(values, array)
    if asked and type_ in (pa.float32(), pa.float16()):
        _check_floats(values, array)
    return array


def _converted(values: Sequence[Any], accepted: frozenset[type], forms: Mapping[type, Form]) -> list[Any]:
    """Values that a column has in another form: numerics without a precision, documents, LOBs, what was asked for."""
    subclasses = (*(accepted - {date}), NoneType)  # a datetime is a date with more in it
    converted = []
    for position, value in enumerate(values):
        kind = type(value)
        form = forms.get(kind)
        try:
            if kind.__module__.startswith("oracledb") and hasattr(value, "read"):
                value = value.read()
            elif form is not None and kind not in accepted:
                value = form(value)
        except ValueError as error:
            raise Misfit(position, value) from error
        fits = type(value) in accepted or (isinstance(value, subclasses) and not isinstance(value, bool))
        if not fits:
            raise Misfit(position, value)
        converted.append(value)
    return converted


def _make_lists(values: Sequence[list[Any] | None], type_: pa.DataType, *, asked: bool) -> pa.Array:
    offsets, (items,) = _make_items(values, [(type_.value_type, values)], asked=asked)
    return pa.ListArray.from_arrays(offsets, items, type=type_, mask=_missing(values))


def _make_maps(values: Sequence[dict[Any, Any] | None], type_: pa.DataType, *, asked: bool) -> pa.Array:
    items = [None if value is None else value.values() for value in values]
    offsets, members = _make_items(values, [(type_.key_type, values), (type_.item_type, items)], asked=asked)
    return pa.MapArray.from_arrays(offsets, *members, type=type_, mask=_missing(values))


def _make_items(
    values: Sequence[Any], members: Sequence[tuple[pa.DataType, Sequence[Any]]], *, asked: bool
) -> tuple[pa.Array, list[pa.Array]]:
    """Make the items of nested *values* one array for each of *members*, a type and what it has of each value.

    With them come the offsets at which the values begin.
    """
    offsets = [0, *accumulate(len(value or ()) for value in values)]
    arrays = []
    for type_, parts in members:
        forms = forms_for(type_, declared=True, asked=asked, nested=True)
        try:
            arrays.append(_make([item for part in parts for item in part or ()], type_, forms, asked=asked))
        except Misfit as misfit:
            row = bisect_right(offsets, misfit.position) - 1
            raise Misfit(row, values[row]) from misfit
    return pa.array(offsets, pa.int32()), arrays


def _missing(values: Sequence[Any]) -> pa.Array:
    return pa.array([value is None for value in values])


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


def _check_members(values: Sequence[Any], array: pa.Array) -> None:
    """Refuse a dictionary with other members than the type's: pyarrow would leave some out, and make others up."""
    for position, (value, made) in enumerate(zip(values, array.to_pylist())):
        if not _holds(made, value):
            raise Misfit(position, value)


def _holds(made: Any, value: Any) -> bool:
    if isinstance(value, dict) and isinstance(made, dict):
        return value.keys() == made.keys() and all(_holds(made[name], item) for name, item in value.items())
    if isinstance(value, list | tuple) and isinstance(made, list | tuple):
        return len(made) == len(value) and all(map(_holds, made, value))
    return True


def _check_scales(values: Sequence[Any], type_: pa.DataType) -> None:
    """Refuse a Decimal that pyarrow would turn into any number: it rescales by a table that ends at the type's digits.

    What the database declares has the scale that it declares.
    """
    most = LARGEST_DECIMAL128 if pa.types.is_decimal128(type_) else LARGEST_DECIMAL256
    for position, value in enumerate(values):
        if isinstance(value, Decimal) and value.is_finite() and abs(type_.scale + value.as_tuple().exponent) > most:
            raise Misfit(position, value)


def _check_floats(values: Sequence[Any], array: pa.Array) -> None:
    """Refuse a double that pyarrow would round to a float of 32 or 16 bits."""
    for position, (value, made) in enumerate(zip(values, array.cast(pa.float64()).to_pylist())):
        if value is not None and value == value and made != value:
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
