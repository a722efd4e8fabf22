"""Columns of a result: their types, from SQLite's declarations, and their description for the driver."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.oracle.primitives import lblob, ub
from tests.oracle.protocol import TEXTS, UTF8, Message, Type

_BY_NAME = {
    "DATE": (Type.DATE, 7),
    "BINARY_DOUBLE": (Type.BINARY_DOUBLE, 8),
    "DOUBLE": (Type.BINARY_DOUBLE, 8),
    "REAL": (Type.BINARY_DOUBLE, 8),
    "FLOAT": (Type.BINARY_DOUBLE, 8),
    "CLOB": (Type.CLOB, 4_000),  # a size of 0 would mean that every value is NULL
    "BLOB": (Type.BLOB, 4_000),
    "ANYDATA": (Type.ANYDATA, 4_000),
}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
_TEXT_NAMES = {"VARCHAR2", "VARCHAR", "NVARCHAR2", "TEXT", "CHAR"}


@dataclass
class Column:
    """One column; *size* counts bytes, *chars* characters. *fetch_as* is the type that the client has defined."""

    name: str
    type: Type
    size: int
    precision: int = 0
    scale: int = 0
    chars: int = 0

    def __post_init__(self) -> None:
        self.fetch_as = self.type


def make_column(name: str, declared: str | None, sample: Any) -> Column:
    """Make a column as *declared*; an expression, whose type SQLite does not know, has that of its first value."""
    base, _, arguments = (declared or "").upper().partition("(")
    base = base.strip()
    sizes = arguments.split(")")[0]
    first, _, second = (part.strip() for part in sizes.partition(","))
    if base in _BY_NAME:
        return Column(name, *_BY_NAME[base])
    if base in {"NUMBER", "NUMERIC", "DECIMAL"}:
        return Column(name, Type.NUMBER, 22, int(first or 0), int(second or 0) if first else -127)
    if base in {"INTEGER", "INT", "SMALLINT"}:
        return Column(name, Type.NUMBER, 22, 38, 0)
    words = set(base.split())
    if words & _TEXT_NAMES:
        kind = Type.CHAR if "CHAR" in words else Type.VARCHAR
        chars = int(first or (1 if kind is Type.CHAR else 4_000))
        return Column(name, kind, min(4 * chars, 32_767) if "CHARS" in words else chars, chars=chars)
    if base == "RAW":
        return Column(name, Type.RAW, int(first or 2_000))
    if base.startswith("TIMESTAMP"):
        zoned = "WITH TIME ZONE" in (declared or "").upper()
        return Column(name, Type.TIMESTAMP_TZ if zoned else Type.TIMESTAMP, 13 if zoned else 11, 0, int(first or 6))
    return _by_sample(name, sample)


def describe(columns: Sequence[Column], field_version: int) -> bytes:
    """The message that tells the driver about *columns*, without its first byte."""
    out = [ub(0), ub(len(columns))]
    if columns:
        out.append(b"\1")
    for position, column in enumerate(columns, 1):
        is_text = column.type in TEXTS
        out += (bytes((column.type, 0, column.precision & 0xFF, column.scale & 0xFF)), ub(column.size), *[ub(0)] * 4)
        out += (ub(UTF8 if is_text else 0), bytes((int(is_text),)), ub(column.chars))
        out.append(ub(0) if field_version >= 8 else b"")
        out += (b"\1\0", lblob(column.name), ub(0), ub(0), ub(position), ub(0))
        out.append(ub(0) * 2 if field_version >= 17 else b"")  # schema and name of a domain
        out.append(ub(0) if field_version >= 20 else b"")  # annotations
        out.append(b"\0\0\0" if field_version >= 24 else b"")  # vector
    return b"".join((*out, bytes(6)))  # date, four flags and a key, all empty


def describe_message(columns: Sequence[Column], field_version: int) -> bytes:
    return bytes((Message.DESCRIBE, 0)) + describe(columns, field_version)


def _by_sample(name: str, sample: Any) -> Column:
    if isinstance(sample, int | float):
        return Column(name, Type.NUMBER, 22, 0, -127)
    if isinstance(sample, bytes):
        return Column(name, Type.RAW, 2_000)
    if isinstance(sample, str) and _MOMENT.fullmatch(sample):
        return Column(name, Type.DATE, 7)
    return Column(name, Type.VARCHAR, 4_000, chars=4_000)
