"""A converter of rows and record batches of any origin to record batches of one schema, with every value checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Never

import pyarrow as pa
import pyarrow.compute as pc

from mesbatch.arrow.types import arrow_type
from mesbatch.arrow.values import Misfit, infer_type, make_array
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
            array = make_array(values, field.base or infer_type(values), declared=field.declared)
        except Misfit as misfit:
            self._refuse(field, misfit)
        except UnicodeEncodeError as error:
            raise UnencodableValue(f"column {field.name!r} holds a text that is no valid Unicode: {error}") from error
        return array if array.type == field.type else self._cast(field, array)

    def _cast(self, field: Field, array: pa.Array) -> pa.Array:
        if array.type == field.type:
            return array
        storage = array.storage if isinstance(array.type, pa.BaseExtensionType) else array
        aware = [pa.types.is_timestamp(type_) and type_.tz is not None for type_ in (storage.type, field.type)]
        try:
            if pa.types.is_timestamp(storage.type) and pa.types.is_timestamp(field.type) and aware[0] != aware[1]:
                raise pa.ArrowInvalid("a time zone is neither made up nor thrown away")
            if is_numeric(array.type):
                storage = pc.if_else(pc.is_in(storage, SPECIAL), None, storage)
            return storage.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            rows = f"rows {self._rows + 1:,} to {self._rows + len(array):,}"
            raise SchemaChanged(
                f"column {field.name!r}, {rows}: a {array.type} does not fit {field.type}: {error}"
            ) from error

    def _refuse(self, field: Field, misfit: Misfit) -> Never:
        place = f"column {field.name!r} of row {self._rows + misfit.position + 1:,}"
        kind = type(misfit.value)
        if field.base is None and field.wanted is None and kind not in _KNOWN:
            raise UnencodableValue(f"{place}: a {kind.__name__} without an Arrow type: {misfit.value!r:.60}") from None
        if field.declared:
            raise SchemaChanged(
                f"{place}: {misfit.value!r:.60} does not fit {field.base or field.type}, the column's declared type"
            ) from misfit
        raise SchemaChanged(
            f"{place}: {misfit.value!r:.60} does not fit {field.base or 'the rows before it'}, which the first batch "
            "decided since the database declares no type: declare it, schema={" + repr(field.name) + ": ...}"
        ) from misfit


_KNOWN = {bool, int, float, str, bytes, list, dict, tuple}


def is_numeric(type_: pa.DataType) -> bool:
    """Tell whether *type_* is PostgreSQL's numeric as ADBC gives it: text."""
    return isinstance(type_, pa.OpaqueType) and bool(type_.type_name == "numeric")


def _as_types(schema: Any) -> dict[str, pa.DataType]:
    if schema is None:
        return {}
    if not isinstance(schema, Mapping):
        schema = {field.name: field.type for field in pa.schema(schema)}
    return {name: pa.field(name, type_).type for name, type_ in schema.items()}


def _field(column: Column, dialect: str, wanted: pa.DataType | None) -> Field:
    base = arrow_type(column, dialect)
    return Field(column.name, base, wanted, bool(base or wanted))


def _field_of(field: Field, given: pa.Field) -> Field:
    """Take the type of the batches, except for PostgreSQL's numeric, which ADBC gives as text, with its precision."""
    return field if is_numeric(given.type) else replace(field, base=given.type, declared=True)
