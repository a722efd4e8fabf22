"""PostgreSQL through ADBC: which types it gives as they are, and how the others are asked for.

What is not proved for a type does not come by ADBC: it flattens arrays of arrays, and gives money as an integer, oid
with a sign, and as bytes whatever it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from mesbatch.arrow.convert import is_numeric
from mesbatch.arrow.types import arrow_type
from mesbatch.batch import Column, quoted
from mesbatch.errors import UnencodableValue

PROVED = frozenset(
    {"bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar", "name", "bytea", "date", "time",
     "timestamp", "timestamptz"}
)  # fmt: skip
UNNAMED = "unnamed"
# A cast to text would show the mask of every address.
OUTPUTS = {"inet": "textin(inet_out({}))", "oid": "{}::int8"}


@dataclass(frozen=True)
class Plan:
    """The way to read a statement: as *sql*, whose batches have the types of *schema* and come from *columns*."""

    sql: str
    columns: tuple[Column, ...]
    schema: pa.Schema


def describe_field(field: pa.Field) -> Column:
    """Describe a column as PostgreSQL does, by what ADBC tells of its type."""
    metadata = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    name = metadata.get("POSTGRESQL:type")
    if name is not None and name.startswith("_"):  # an array's type has its element's name
        name = f"{name[1:]}[]"
    modifier = int(metadata.get("POSTGRESQL:typmod", -1)) - 4  # of numeric(p, s): p in the upper bits, s in 11 lower
    if name != "numeric" or modifier < 0:
        return Column(field.name, name)
    return Column(field.name, name, None, modifier >> 16, (modifier & 0x7FF ^ 0x400) - 0x400)


def unproved(columns: Sequence[Column]) -> Column | None:
    """Find the first of *columns* that ADBC cannot be asked for as it is, such as an array."""
    return next((column for column in columns if _is_unproved(column)), None)


def plan(sql: str, given: pa.Schema) -> Plan:
    """Write the statement that gives the rows of *sql*, whose schema by ADBC is *given*, with their own values.

    Numerics come as text, which the server writes faster than ADBC: 0.45 us each, a quarter of a row of 14 columns.

    Raises:
        UnencodableValue: a column can only come as text.
    """
    columns = tuple(map(describe_field, given))
    if (column := unproved(columns)) is not None:
        raise UnencodableValue(
            f"column {column.name!r} is of type {column.type}, which ADBC does not give as it is: read it as text, "
            f"{column.as_text}, or the database by its URL"
        )
    outputs = [_output(column) for column in columns]
    if not any(outputs):
        return Plan(sql, columns, given)
    names = [f"c{number}" for number in range(len(columns))]  # positions: names may repeat
    terms = [f"{(output or '{}').format(name)} AS {quoted(column.name)}"
             for output, name, column in zip(outputs, names, columns)]  # fmt: skip
    wrapped = f"SELECT {', '.join(terms)} FROM (\n{sql}\n) AS mesbatch_rows({', '.join(names)})"
    return Plan(wrapped, columns, pa.schema([_field(field, column) for field, column in zip(given, columns)]))


def _field(given: pa.Field, column: Column) -> pa.Field:
    """Make the field that the wrapped statement gives; numerics keep the type that tells their text from others."""
    if is_numeric(given.type) or column.type in PROVED:
        return given
    return pa.field(given.name, pa.int64() if column.type == "oid" else pa.string())


def _output(column: Column) -> str:
    """Write the expression that gives *column* where it does not come as it is."""
    if column.type in PROVED:
        return ""
    return OUTPUTS.get(column.type or "", "{}::text")


def _is_unproved(column: Column) -> bool:
    if column.type in PROVED or column.type in {"numeric", "oid"}:
        return False
    name = column.type or UNNAMED  # ADBC calls ranges and their arrays so
    return name.endswith("[]") or name.startswith(UNNAMED) or arrow_type(column, "postgres") != pa.string()
