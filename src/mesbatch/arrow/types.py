"""Arrow types of columns, by what the database declares about them and never by their first rows."""

from __future__ import annotations

import re

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
    "oid": pa.int64(),  # which goes beyond 2^31
    "float4": pa.float32(),
    "float8": pa.float64(),
    "bytea": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": TIMESTAMP,
    "timestamptz": AWARE,
    "interval": pa.duration("us"),
}
_ORACLE_TEXTS = (
    *("char", "nchar", "varchar", "nvarchar", "clob", "nclob", "long", "long nvarchar"),
    *("rowid", "urowid", "json", "xmltype"),
)
ORACLE = {
    "binary_integer": pa.int64(),
    "binary_float": pa.float32(),
    "binary_double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.timestamp("s"),
    "timestamp": TIMESTAMP,
    "timestamp_tz": TIMESTAMP,  # the driver gives the clock of its zone, without the zone
    "timestamp_ltz": TIMESTAMP,
    "interval_ds": pa.duration("us"),
    "raw": pa.binary(),
    "long raw": pa.binary(),
    "blob": pa.binary(),
    **dict.fromkeys(_ORACLE_TEXTS, pa.string()),
}
DUCKDB = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "utinyint": pa.uint8(),
    "usmallint": pa.uint16(),
    "uinteger": pa.uint32(),
    "ubigint": pa.uint64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "blob": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    **dict.fromkeys(("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"), TIMESTAMP),
    "timestamp with time zone": AWARE,
    "interval": pa.duration("us"),
    # Longer than any decimal that Parquet's readers know, or without a type of their own.
    **dict.fromkeys(
        ("hugeint", "uhugeint", "bignum", "varchar", "json", "uuid", "bit", "time with time zone"), pa.string()
    ),
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
        case "duckdb":
            return _duckdb_type(column)
        case "mysql":
            return _mysql_type(column)
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


def read_type(text: str) -> pa.DataType:
    """Find the type that Arrow calls *text*.

    Raises:
        ValueError: there is none, or none that a command line can name.

    >>> read_type("decimal128(38, 10)"), read_type("timestamp[us]")
    (Decimal128Type(decimal128(38, 10)), TimestampType(timestamp[us]))
    """
    if (decimal := _DECIMAL.fullmatch(text)) is not None:
        make = pa.decimal128 if decimal[1] == "128" else pa.decimal256
        return make(int(decimal[2]), int(decimal[3] or 0))
    if (item := _LIST.fullmatch(text)) is not None:
        return pa.list_(read_type(item[1]))
    if (zoned := _ZONED.fullmatch(text)) is not None:
        return pa.timestamp(zoned[1], zoned[2])
    try:
        return pa.type_for_alias(text)
    except ValueError:
        raise ValueError(
            f"no type {text!r}; there are int64, float64, string, binary, bool, date32, timestamp[us], "
            "timestamp[us, UTC], decimal128(38, 10), decimal256(76, 20), list<int64> and others of Arrow's"
        ) from None


def as_code(type_: pa.DataType) -> str:
    """Write *type_* as in Python, for a message that names a way out.

    >>> as_code(pa.list_(pa.timestamp("us", tz="UTC")))
    "pa.list_(pa.timestamp('us', 'UTC'))"
    """
    if pa.types.is_list(type_):
        return f"pa.list_({as_code(type_.value_type)})"
    if pa.types.is_timestamp(type_):
        return f"pa.timestamp({type_.unit!r})" if type_.tz is None else f"pa.timestamp({type_.unit!r}, {type_.tz!r})"
    if pa.types.is_time(type_) or pa.types.is_duration(type_):
        name = "duration" if pa.types.is_duration(type_) else f"time{type_.bit_width}"
        return f"pa.{name}({type_.unit!r})"
    if pa.types.is_decimal(type_):
        return f"pa.{type_}"
    return f"pa.{_NAMES.get(type_, str(type_))}()"


_NAMES = {pa.bool_(): "bool_", pa.float64(): "float64", pa.float32(): "float32", pa.date32(): "date32"}


def _mysql_type(column: Column) -> pa.DataType | None:
    """Find the type of numbers that are wider than what their values would tell."""
    if column.type == "decimal" and (column.precision or 0) > LARGEST_DECIMAL128:
        return decimal_type(column.precision or 0, column.scale or 0)
    return pa.uint64() if column.type == "bigint unsigned" else None


def _duckdb_type(column: Column) -> pa.DataType | None:
    """By its name; a structure, a union and what contains them are left to their values."""
    name = column.type or ""
    if name == "decimal":
        return decimal_type(column.precision or 18, column.scale or 0)
    if (array := _DUCKDB_ARRAY.fullmatch(name)) is not None:
        item = _duckdb_type(Column(column.name, array[1]))
        return None if item is None else pa.list_(item)
    if (members := _DUCKDB_MAP.fullmatch(name)) is not None:
        # A structure or a list as a key is none that Python's dictionaries take: DuckDB gives another value then.
        key, item = (_duckdb_type(Column(column.name, member)) for member in members.groups())
        return None if key is None or item is None or pa.types.is_nested(key) else pa.map_(key, item)
    if (decimal := _DUCKDB_DECIMAL.fullmatch(name)) is not None:
        return decimal_type(int(decimal[1]), int(decimal[2]))
    return pa.string() if _DUCKDB_ENUM.fullmatch(name) else DUCKDB.get(name)


_DECIMAL = re.compile(r"decimal(128|256)\((\d+)(?:, *(\d+))?\)")
_LIST = re.compile(r"list<(?:item: )?(.+)>")
_ZONED = re.compile(r"timestamp\[(s|ms|us|ns), *(?:tz=)?([\w/+:-]+)\]")
_DUCKDB_ARRAY = re.compile(r"(.+)\[\d*\]", re.DOTALL)
_ENUM = r"enum\((?:'(?:[^']|'')*'(?:, )?)*\)"
_DUCKDB_ENUM = re.compile(_ENUM)
_DUCKDB_MAP = re.compile(rf"map\(((?:{_ENUM}|decimal\(\d+,\d+\)|[^(),'])+), (.+)\)", re.DOTALL)
_DUCKDB_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")


def _postgres_type(column: Column) -> pa.DataType:
    """Find PostgreSQL's: types that Arrow does not have are text, as is numeric without a precision."""
    name = column.type or "text"
    if name.endswith("[]"):
        return pa.list_(_postgres_type(Column(column.name, name[:-2])))
    if name == "numeric" and column.precision is not None:
        return decimal_type(column.precision, column.scale or 0)
    return POSTGRES.get(name, pa.string())


def _oracle_type(column: Column) -> pa.DataType | None:
    """By precision and scale; a NUMBER without precision may hold anything from 1E-130 to 9.99E125."""
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
