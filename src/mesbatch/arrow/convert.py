"""A converter of rows and record batches of any origin to record batches of one schema, with every value checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Never

import pyarrow as pa
import pyarrow.compute as pc

from mesbatch.arrow.forms import scalar_kinds, takes_values
from mesbatch.arrow.types import arrow_type, as_code
from mesbatch.arrow.values import Misfit, fitting_type, infer_type, make_array
from mesbatch.batch import Column, Row
from mesbatch.errors import ColumnNameError, SchemaChanged, UnencodableValue

# Numerics that are no numbers, as ADBC and PostgreSQL write them; they become null, as in JSON.
SPECIAL = pa.array(["nan", "inf", "-inf", "NaN", "Infinity", "-Infinity"])


@dataclass(frozen=True)
class Field:
    """One column of the result: *base* is the type of its values, *wanted* that which the caller declared."""

    name: str
    base: pa.DataType | None
    wanted: pa.DataType | None
    declared: bool  # by the database or the caller, rather than by the first batch
    as_text: str  # an expression of SQL

    @property
    def type(self) -> pa.DataType:
        return self.wanted or self.base or pa.null()


class Converter:
    """A maker of record batches; types that nobody declared are decided by the first rows.

    *schema* names some or all of the columns with their types. Holds nothing between calls.

    Raises:
        ColumnNameError: *schema* has a column that the result has not.
        SchemaChanged: a value does not fit its column's type. The row in the message is counted from 1 over all calls.
        UnencodableValue: a value has no Arrow type.
    """

    def __init__(self, columns: Sequence[Column], dialect: str = "", schema: Any = None) -> None:
        names = [column.name for column in columns]
        wanted = _as_types(schema)
        if unknown := sorted(wanted.keys() - set(names)):
            raise ColumnNameError(
                f"schema names column {', '.join(map(repr, unknown))}; the result has {', '.join(names)}"
            )
        self._set_fields([_field(column, dialect, wanted.get(column.name)) for column in columns])
        self._decided = False
        self._rows = 0

    def _set_fields(self, fields: list[Field]) -> None:
        self._fields = fields
        # The schema of all batches; columns without a decision are of the null type.
        self.schema = pa.schema([(field.name, field.type) for field in fields])

    def from_rows(self, rows: Sequence[Row]) -> pa.RecordBatch:
        """Make a record batch of *rows*."""
        values = list(zip(*rows)) or [()] * len(self._fields)
        if len(values) != len(self._fields):
            raise SchemaChanged(f"a row has {len(values):,} values for {len(self._fields):,} columns")
        if not self._decided:
            self._decide(values)
        arrays = [self._array(field, column) for field, column in zip(self._fields, values)]
        self._rows += len(rows)
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def prepare(self, given: pa.Schema) -> pa.Schema:
        """Take the types of the record batches to come, unless the caller declared others; give their new schema."""
        self._decided = True
        self._set_fields([_field_of(field, its) for field, its in zip(self._fields, given)])
        return self.schema

    def from_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Give *batch*, which has the schema that `prepare` was told, the types of this converter's schema."""
        if not batch.schema.equals(self.schema, check_metadata=True):
            arrays = [self._cast(field, column) for field, column in zip(self._fields, batch.columns)]
            batch = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        self._rows += batch.num_rows
        return batch

    def skip(self, rows: int) -> None:
        """Count *rows* that came before on another way."""
        self._rows += rows

    def _decide(self, values: Sequence[Sequence[Any]]) -> None:
        """Decide the types that nobody declared, by the first rows."""
        self._decided = True
        self._set_fields(
            [
                field if field.base or field.wanted else replace(field, base=self._infer(field, column))
                for field, column in zip(self._fields, values)
            ]
        )

    def _infer(self, field: Field, values: Sequence[Any]) -> pa.DataType:
        try:
            return infer_type(values)
        except Misfit as misfit:
            self._refuse(field, misfit)

    def _array(self, field: Field, values: Sequence[Any]) -> pa.Array:
        try:
            if field.wanted is not None and takes_values(field.wanted):
                return make_array(values, field.wanted, asked=True)
            array = make_array(values, field.base or infer_type(values), declared=field.declared)
        except Misfit as misfit:
            self._refuse(field, misfit)
        except UnicodeEncodeError:
            self._refuse(field, _first_lone_surrogate(values))
        return array if array.type == field.type else self._cast(field, array)

    def _cast(self, field: Field, array: pa.Array) -> pa.Array:
        if array.type == field.type:
            return array
        try:
            return _cast(array, field.type)
        except _CAST_ERRORS as error:
            position = _first_misfit(array, field.type)
            shown = array[position]
            raise SchemaChanged(
                f"{self._place(field, position)}: {shown!s:.60} of type {array.type} does not fit {field.type} "
                f"({error}): {_way_out(field, shown)}"
            ) from error

    def _refuse(self, field: Field, misfit: Misfit) -> Never:
        place, value = self._place(field, misfit.position), misfit.value
        if field.base is None and field.wanted is None and type(value) not in scalar_kinds() | _NESTED:
            raise UnencodableValue(
                f"{place}: a {type(value).__name__} without an Arrow type: {value!r:.60}; read it as text, "
                f"{field.as_text}"
            ) from None
        if field.wanted is not None:
            reason = "which schema= declares"
        elif field.declared:
            reason = "the column's declared type"
        else:
            reason = "which the first batch decided, as nothing else told its type"
        raise SchemaChanged(
            f"{place}: {value!r:.60} does not fit {field.wanted or field.base or 'the rows before it'}, {reason}: "
            f"{_way_out(field, value)}"
        ) from misfit

    def _place(self, field: Field, position: int) -> str:
        return f"column {field.name!r} of row {self._rows + position + 1:,}"


def _cast(array: pa.Array, type_: pa.DataType) -> pa.Array:
    storage = array.storage if isinstance(array.type, pa.BaseExtensionType) else array
    if (
        pa.types.is_timestamp(storage.type)
        and pa.types.is_timestamp(type_)
        and (storage.type.tz is None) != (type_.tz is None)
    ):
        raise pa.ArrowInvalid("a time zone is neither made up nor thrown away")
    if is_numeric(array.type):
        storage = pc.if_else(pc.is_in(storage, SPECIAL), None, storage)
    try:
        return storage.cast(type_)
    except pa.ArrowNotImplementedError:
        if not takes_values(type_):
            raise
        return make_array(array.to_pylist(), type_, asked=True)


def _first_misfit(array: pa.Array, type_: pa.DataType) -> int:
    """Find the position of the first value of *array*, one at least, that does not fit *type_*."""
    start, stop = 0, len(array)
    while stop - start > 1:
        middle = (start + stop) // 2
        try:
            _cast(array.slice(start, middle - start), type_)
            start = middle
        except _CAST_ERRORS:
            stop = middle
    return start


def _first_lone_surrogate(values: Sequence[Any]) -> Misfit:
    for position, value in enumerate(values):
        try:
            str(value).encode()
        except UnicodeEncodeError:
            return Misfit(position, value)
    return Misfit(0, values[0])


def _way_out(field: Field, value: Any) -> str:
    """Advise a declaration under which *value* fits the column, or a statement that gives it as text."""
    type_ = fitting_type(field.wanted or field.base, value)
    if type_ is None or type_ == field.wanted:
        return f"read it as text, {field.as_text}"
    return f"declare it, schema={{{field.name!r}: {as_code(type_)}}}"


_CAST_ERRORS = (pa.ArrowInvalid, pa.ArrowNotImplementedError, Misfit)
_NESTED = {list, dict, tuple, bytes}


def is_numeric(type_: pa.DataType) -> bool:
    """Tell if *field* is PostgreSQL's numeric as ADBC gives it: text."""
    return isinstance(type_, pa.OpaqueType) and bool(type_.type_name == "numeric")


def declares_otherwise(columns: Sequence[Column], dialect: str, schema: Any) -> bool:
    """Tell if *schema* names one of *columns* with another type than the database declares."""
    wanted = _as_types(schema)
    return any(wanted.get(column.name) not in (None, arrow_type(column, dialect)) for column in columns)


def _as_types(schema: Any) -> dict[str, pa.DataType]:
    if schema is None:
        return {}
    if not isinstance(schema, Mapping):
        schema = {field.name: field.type for field in pa.schema(schema)}
    return {name: pa.field(name, type_).type for name, type_ in schema.items()}


def _field(column: Column, dialect: str, wanted: pa.DataType | None) -> Field:
    base = arrow_type(column, dialect)
    return Field(column.name, base, wanted, bool(base or wanted), column.as_text)


def _field_of(field: Field, given: pa.Field) -> Field:
    """Take the type of the batches, except for PostgreSQL's numeric, which ADBC gives as text, with its precision."""
    return field if is_numeric(given.type) else replace(field, base=given.type, declared=True)
