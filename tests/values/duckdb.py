"""DuckDB's types, their extremes, and how its texts are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tests.values.kinds import (
    BOOLEAN,
    DATE,
    DECIMAL,
    DOUBLE,
    INSTANT,
    INTEGER,
    JSON_TEXT,
    SINGLE,
    TEXT,
    TIME,
    TIME_WITH_ZONE,
    TIMESTAMP,
    UUIDS,
    Kind,
    bytes_kind,
    duration,
    list_of,
)
from tests.values.law import Database, Type
from tests.values.times import read_interval


def _unescape(text: str) -> bytes:
    return re.sub(rb"\\x([0-9A-F]{2})", lambda m: bytes.fromhex(m[1].decode()), text.encode())


def _split_brackets(text: str) -> Any:
    """Split ``[1, NULL, [2]]`` of values that hold no commas and brackets."""
    depth, start, items = 0, 1, []
    for at, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if (char == "," and depth == 1) or (char == "]" and depth == 0):
            if item := text[start:at].strip():
                items.append(None if item == "NULL" else _split_brackets(item) if item[0] == "[" else item.strip("'"))
            start = at + 1
    return items


def _lists(kind: Kind) -> Kind:
    return list_of(kind, _split_brackets)


BLOB = bytes_kind(_unescape)
INTERVAL = duration(read_interval)

# fmt: off
TYPES: Sequence[Type] = (
    Type("BOOLEAN", ["true", "false", None], BOOLEAN),
    Type("TINYINT", ["-128", "127", None], INTEGER),
    Type("INTEGER", ["-2147483648", "2147483647", None], INTEGER),
    Type("BIGINT", ["-9223372036854775808", "9223372036854775807", None], INTEGER),
    Type("UBIGINT", ["0", "18446744073709551615", None], INTEGER),
    Type("HUGEINT", ["170141183460469231731687303715884105727", "-170141183460469231731687303715884105728", "1",
        None], INTEGER),
    Type("UHUGEINT", ["340282366920938463463374607431768211455", None], INTEGER),
    Type("BIGNUM", ["1" + "0" * 100, None], TEXT),
    Type("FLOAT", ["0.1", "-0.0", "3.4028235e38", "nan", "inf", None], SINGLE),
    Type("DOUBLE", ["0.1", "-0.0", "1.7976931348623157e308", "5e-324", "nan", "-inf", None], DOUBLE),
    Type("DECIMAL(4,1)", ["1.5", "-999.9", None], DECIMAL),
    Type("DECIMAL(38,10)", ["9999999999999999999999999999.9999999999", "0.1", None], DECIMAL),
    Type("VARCHAR", ["", "é\U0001f600", "a\0b", "NULL", None], TEXT),
    Type("BLOB", ["", "\\x00\\xFF", "abc", None], BLOB),
    Type("BIT", ["0", "0101", None], TEXT),
    Type("DATE", ["2024-02-29", "0001-01-01", "9999-12-31", "infinity", "-infinity", "0044-03-15 (BC)",
        "5881580-07-10", None], DATE),
    Type("TIME", ["00:00:00", "23:59:59.999999", "24:00:00", None], TIME),
    Type("TIME_NS", ["12:00:00.123456789", "12:00:00", None], TIME),
    Type("TIMETZ", ["12:00:00+01", "23:59:59.999999-15:59:59", "24:00:00+00", None], TIME_WITH_ZONE),
    Type("TIMESTAMP", ["2024-02-29 12:00:00", "9999-12-31 23:59:59.999999", "infinity", "-infinity",
        "290309-12-22 (BC) 00:00:00", "294247-01-10 04:00:54.775806", None], TIMESTAMP),
    Type("TIMESTAMP_S", ["2024-02-29 12:00:00", "infinity", None], TIMESTAMP),
    Type("TIMESTAMP_MS", ["2024-02-29 12:00:00.123", "infinity", None], TIMESTAMP),
    Type("TIMESTAMP_NS", ["2024-02-29 12:00:00.123456", "2024-02-29 12:00:00.123456789", "infinity", None],
        TIMESTAMP),
    Type("TIMESTAMPTZ", ["2024-06-01 12:00:00+08", "9999-12-31 23:59:59.999999+00", "infinity", "-infinity",
        "10000-01-01 00:00:00+00", None], INSTANT),
    Type("INTERVAL", ["1 day", "36 hours", "1 month", "-1 year", None], INTERVAL),
    Type("UUID", ["00000000-0000-0000-0000-000000000001", "ffffffff-ffff-ffff-ffff-ffffffffffff", None], UUIDS),
    Type("JSON", ['{"a": 1.50}', "null", '"x"', "5", None], JSON_TEXT),
    Type("ENUM('sad', 'ok')", ["sad", None], TEXT),
    Type("INTEGER[]", ["[]", "[1, NULL]", None], _lists(INTEGER)),
    Type("INTEGER[][]", ["[[1, 2], [], NULL]", None], _lists(INTEGER)),
    Type("INTEGER[2]", ["[1, 2]", None], _lists(INTEGER)),
    Type("DATE[]", ["[2024-01-01]", "[infinity]", None], _lists(DATE)),
    Type("DECIMAL(5,2)[]", ["[1.50]", None], _lists(DECIMAL)),
)
# fmt: on


def _literal(text: str | None) -> str:
    if text is None:
        return "NULL"
    return " || chr(0) || ".join("'" + part.replace("'", "''") + "'" for part in text.split("\0"))


def select(type_: Type, positions: Sequence[int]) -> str:
    rows = ", ".join(f"({n}, CAST({_literal(type_.literals[n])} AS {type_.name}))" for n in positions)
    return f"select n, v from (values {rows}) as t(n, v) order by n"


def database(connection: Any) -> Database:
    def own_texts(type_: Type) -> list[str | None]:
        sql = f"select v::varchar from ({select(type_, range(len(type_.literals)))})"
        return [text for (text,) in connection.cursor().execute(sql).fetchall()]

    return Database("DuckDB", TYPES, select, own_texts)
