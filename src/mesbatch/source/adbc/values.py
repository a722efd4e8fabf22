"""Record batches as tuples of Python values, each of them the value that Arrow has, or refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

from mesbatch.batch import Column, Row
from mesbatch.errors import UnencodableValue
from mesbatch.source.documents import read_any_document, read_document

_types = pa.types
_MICROS = {
    pa.time64("ns"): pa.time64("us"),
    pa.duration("ns"): pa.duration("us"),
}
# What PostgreSQL writes as text, as its own driver gives it.
_READ_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "numeric": Decimal,
    "json": read_any_document,
    "jsonb": read_document,
    "uuid": UUID,
}
_REFUSALS = (pa.ArrowInvalid, OverflowError, ValueError)


def as_tuples(
    batch: pa.RecordBatch, columns: tuple[Column, ...], first_row: int, way_out: Callable[[Column], str]
) -> list[Row]:
    """Make the rows of *batch*, the first of which is the *first_row*-th of all.

    Raises:
        UnencodableValue: Python has no such value, as a nanosecond or a year before the first; *way_out* is advised.
    """
    values = []
    for column, array in zip(columns, batch.columns):
        try:
            values.append(_python_values(array, column))
        except _REFUSALS as error:
            position = _first_refused(array, column)
            shown = f"{_shown(array[position])} of type {array.type}"
            raise UnencodableValue(
                f"column {column.name!r} of row {first_row + position:,}: {shown} has no form in Python ({error}): "
                f"{way_out(column)}"
            ) from error
    return list(zip(*values)) or [()] * batch.num_rows


def _python_values(array: pa.Array, column: Column) -> list[Any]:
    if array.type == pa.month_day_nano_interval():
        return [None if value is None else _as_timedelta(value) for value in array.to_pylist()]
    convert = _READ_FROM_TEXT.get(column.type or "")
    if convert is not None:
        texts = array.storage if isinstance(array.type, pa.BaseExtensionType) else array
        return [None if text is None else convert(text) for text in texts.to_pylist()]
    plain = _in_micros(array.type)
    values: list[Any] = (array if plain == array.type else array.cast(plain)).to_pylist()
    return values


def _as_timedelta(value: Any) -> timedelta:
    if value.months or value.nanoseconds % 1_000:
        raise ValueError("a timedelta has no months and no nanoseconds")
    return timedelta(days=value.days, microseconds=value.nanoseconds // 1_000)


def _in_micros(type_: pa.DataType) -> pa.DataType:
    """Give *type_* with microseconds in place of nanoseconds, which Python's own types have not."""
    if _types.is_timestamp(type_) and type_.unit == "ns":
        return pa.timestamp("us", type_.tz)
    if _types.is_list(type_) or _types.is_large_list(type_):
        make = pa.list_ if _types.is_list(type_) else pa.large_list
        return make(_in_micros(type_.value_type))
    if _types.is_struct(type_):
        return pa.struct([(field.name, _in_micros(field.type)) for field in type_])
    if _types.is_map(type_):
        return pa.map_(_in_micros(type_.key_type), _in_micros(type_.item_type))
    return _MICROS.get(type_, type_)


def _first_refused(array: pa.Array, column: Column) -> int:
    for position in range(len(array)):
        try:
            _python_values(array.slice(position, 1), column)
        except _REFUSALS:
            return position
    raise RuntimeError(f"column {column.name!r} could not be read, and each of its values can")


def _shown(scalar: pa.Scalar) -> str:
    """Shorten a value's text to its beginning."""
    try:
        return str(scalar)[:60]
    except (*_REFUSALS, TypeError):
        return "a value beyond Python's"
