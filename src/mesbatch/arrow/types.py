"""The Arrow type of a column, by the declaration in the database and never by the first rows."""

from __future__ import annotations

import pyarrow as pa

from mesbatch.batch import Column

TIMESTAMP = pa.timestamp("us")  # as PostgreSQL stores it and Python's datetime holds it
AWARE = pa.timestamp("us", tz="UTC")
LARGEST_DECIMAL128, LARGEST_DECIMAL256 = 38, 76

POSTGRES = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "bytea": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": TIMESTAMP,
    "timestamptz": AWARE,
    "interval": pa.duration("us"),
}
ORACLE = {
    "binary_integer": pa.int64(),
    "binary_float": pa.float32(),
    "binary_double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.timestamp("s"),
    "timestamp": TIMESTAMP,
    "timestamp_tz": AWARE,
    "timestamp_ltz": TIMESTAMP,
    "interval_ds": pa.duration("us"),
    "raw": pa.binary(),
    "long_raw": pa.binary(),
    "blob": pa.binary(),
    **dict.fromkeys(("char", "nchar", "varchar", "nvarchar", "clob", "nclob", "long", "rowid", "urowid"), pa.string()),
}


def arrow_type(column: Column, dialect: str) -> pa.DataType | None:
    """Find the type of *column* in the database *dialect*; None if only its values can tell.

    >>> arrow_type(Column("QTY", "numeric", precision=12, scale=3), "postgres")
    Decimal128Type(decimal128(12, 3))
    """
    match dialect:
        case "postgres":
            return _postgres_type(column)
        case "oracle":
            return _oracle_type(column)
        case "sqlite":
            return _sqlite_type(column.type)
    return None


def decimal_type(precision: int, scale: int) -> pa.DataType:
    """Find the type for *precision* digits, *scale* of them after the point; text if no decimal has so many.

    A negative scale says that the last digits are zeros: there are as many digits more.

    >>> decimal_type(5, -2), decimal_type(100, 0)
    (Decimal128Type(decimal128(7, 0)), DataType(string))
    """
    digits = max(precision - min(scale, 0), scale, 1)
    if digits > LARGEST_DECIMAL256:
        return pa.string()
    make = pa.decimal128 if digits <= LARGEST_DECIMAL128 else pa.decimal256
    return make(digits, max(scale, 0))


def _postgres_type(column: Column) -> pa.DataType:
    """Find PostgreSQL's: types that Arrow does not have are text, as is numeric without a precision."""
    name = column.type or "text"
    if name.endswith("[]"):
        return pa.list_(_postgres_type(Column(column.name, name[:-2])))
    if name == "numeric" and column.precision is not None:
        return decimal_type(column.precision, column.scale or 0)
    return POSTGRES.get(name, pa.string())


def _oracle_type(column: Column) -> pa.DataType | None:
    """Find Oracle's: NUMBER without a precision has none, as it holds 1E-130 to 9.99E125, as int or float."""
    if column.type != "number":
        return ORACLE.get(column.type or "")
    if column.precision is None or column.scale is None:
        return None if column.precision is None else pa.float64()
    if column.scale < -LARGEST_DECIMAL128:  # FLOAT, whose precision counts binary digits
        return pa.float64()
    return pa.int64() if column.scale == 0 and column.precision <= 18 else decimal_type(column.precision, column.scale)


def _sqlite_type(declared: str | None) -> pa.DataType | None:
    """Find SQLite's, by https://www.sqlite.org/datatype3.html#determination_of_column_affinity, in that order.

    A column of NUMERIC affinity may hold integers, fractions and, if it is called DATE, text: its values decide,
    unless it is called a number.
    """
    if declared is None:
        return None
    for words, type_ in (
        (("int",), pa.int64()),
        (("char", "clob", "text"), pa.string()),
        (("blob",), pa.binary()),
        (("real", "floa", "doub", "numeric", "decimal", "number"), pa.float64()),
    ):
        if any(word in declared for word in words):
            return type_
    return None
