"""SQLite's declared types, and in each of them values of the storage classes that it may hold."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.values.kinds import Kind, Way, bits
from tests.values.law import Database, Type

INTEGERS = ["0", "-9223372036854775808", "9223372036854775807", "9007199254740993"]
REALS = ["0.0", "-0.0", "0.1 + 0.2", "123456789.125", "1e300", "5e-324", "1e15", "9e999", "-9e999"]
TEXTS = ["''", "'abc'", "'é\U0001f600'", "'a' || char(0) || 'b'", "'12'", "' 1'", "char(65279)"]
BLOBS = ["x''", "x'00ff'", "x'616263'"]
NO_TEXT = ["cast(x'ff41' as text)", "cast(x'6162edA080' as text)"]  # a byte of latin-1, and half a surrogate pair


@dataclass(frozen=True)
class StorageClass(Kind):
    """Compares by SQLite's own ``typeof``, and lets a number of an Arrow column stand for itself in another class."""

    def same(self, way: Way, text: str | None, value: Any) -> bool:
        if text is None:
            return value is None
        storage, _, raw = text.partition(" ")
        match storage:
            case "integer":
                return _is_number(way, int(raw), value)
            case "real":
                return _is_real(way, float(raw), value)
            case "text":
                return _is_text(bytes.fromhex(raw), value, way)
        return value == bytes.fromhex(raw) if way != "json" else base64.b64decode(value) == bytes.fromhex(raw)


def _is_number(way: Way, number: int, value: Any) -> bool:
    if way == "arrow" and isinstance(value, str | bytes):
        return value in (str(number), str(number).encode())
    return type(value) in ({int, float, Decimal} if way == "arrow" else {int}) and value == number


def _is_real(way: Way, number: float, value: Any) -> bool:
    if way == "json" and number - number != 0:
        return value is None
    if way == "arrow" and isinstance(value, str | bytes):
        return bits(float(value)) == bits(number)
    return type(value) in {float, Decimal} and bits(float(value)) == bits(number)


def _is_text(raw: bytes, value: Any, way: Way) -> bool:
    """As it is; where it is no UTF-8, what ``replace`` and ``base64`` promise."""
    try:
        return value in {raw.decode(), raw}
    except UnicodeDecodeError:
        given = raw.decode(errors="replace"), base64.b64encode(raw).decode()
        return value in given or (isinstance(value, bytes) and value.decode() in given)


KIND = StorageClass(str, {})

# fmt: off
TYPES: Sequence[Type] = (
    Type("integer", [*INTEGERS, "0.99", "'n/a'", "null"], KIND),
    Type("bigint", [*INTEGERS, "x'00'", "null"], KIND),
    Type("boolean", ["0", "1", "null", "'yes'"], KIND),
    Type("real", [*REALS, "9007199254740993", "'n/a'", "null"], KIND),
    Type("double", ["0.1", "1e400", "null", "x'00'"], KIND),
    Type("text", [*TEXTS, "0.1 + 0.2", "7", *NO_TEXT, "x'00'", "null"], KIND),
    Type("varchar(10)", [*TEXTS, "null"], KIND),
    Type("numeric(12,3)", ["1379.417", "5", "9007199254740993", "0.1 + 0.2", "'n/a'", "null"], KIND),
    Type("decimal", ["1.5", "-2", "null"], KIND),
    Type("blob", [*BLOBS, "0.1 + 0.2", "42", "'abc'", "null"], KIND),
    Type("bytes", ["x'00ff'", "null"], KIND),
    Type("", [*INTEGERS, "0.5", "'text'", "x'00'", "null"], KIND),
    Type("date", ["'2024-02-29'", "20240229", "2460369.5", "null"], KIND),
    Type("datetime", ["'2024-02-29 12:00:00'", "1709208000", "null"], KIND),
    Type("json", ["""'{"a": 1.50}'""", "'5'", "null"], KIND),
    Type("other", ["null"], KIND),
)
# fmt: on
TEXT = """
case typeof(v) when 'null' then null when 'integer' then 'integer ' || v when 'real' then printf('real %!.17g', v)
else typeof(v) || ' ' || hex(v) end
"""


def load(connection: sqlite3.Connection) -> None:
    """Make a table for each type, its literals in their order."""
    for number, type_ in enumerate(TYPES):
        connection.execute(f"create table t{number} (n integer, v {type_.name})")
        rows = ", ".join(f"({n}, {literal})" for n, literal in enumerate(type_.literals))
        connection.execute(f"insert into t{number} values {rows}")
    connection.commit()


def select(type_: Type, positions: Sequence[int]) -> str:
    return f"select n, v from t{TYPES.index(type_)} where n in ({', '.join(map(str, positions))}) order by n"


def database(admin: sqlite3.Connection) -> Database:
    def own_texts(type_: Type) -> list[str | None]:
        return [text for (text,) in admin.execute(f"select {TEXT} from t{TYPES.index(type_)} order by n")]

    return Database("SQLite", TYPES, select, own_texts)
