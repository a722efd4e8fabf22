"""Oracle's types, their extremes, and the texts that stand for them, since the stand-in cannot write all of them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import oracledb

from tests.values.kinds import DOUBLE, TEXT, TIMESTAMP, Kind, bytes_kind
from tests.values.law import Database, Type
from tests.values.times import read_moment

AVERAGE = Decimal("393599.2121039109334855837853268626891236")
THIRD = Decimal("0.3333333333333333333333333333333333333333")
NUMBER = Kind(Decimal, {int: Decimal, Decimal: Decimal, float: lambda f: Decimal(repr(f)), str: Decimal})


def _moment(text: str) -> Any:
    """Read a date or a timestamp, as it was inserted or as TO_CHAR writes it, with a blank for our era."""
    return read_moment(text.strip() if ":" in text else f"{text} 00:00:00", aware=False)


DATE = Kind(_moment, {**TIMESTAMP.forms, str: _moment})
BYTES = bytes_kind(bytes.fromhex)


def _clock_of_zone(text: str) -> Any:
    """Drop the zone, and nothing else, as the driver does: no label may call the clock there UTC."""
    return read_moment(text[:-7], aware=False)


IN_A_ZONE = Kind(_clock_of_zone, TIMESTAMP.forms)


def _pairs(*values: Any) -> list[tuple[Any, str | None]]:
    return [(value, str(value)) for value in values] + [(None, None)]


def _moments(*texts: str, word: str = "timestamp") -> list[tuple[Any, str | None]]:
    return [(f"{word} '{text}'", text) for text in texts] + [(None, None)]


def _bytes(*values: bytes) -> list[tuple[Any, str | None]]:
    return [(value, value.hex()) for value in values] + [(None, None)]


# fmt: off
TYPES: Sequence[Type] = (
    Type("number(9)", _pairs(0, 999_999_999, -999_999_999), NUMBER),
    Type("number(18)", _pairs(10**18 - 1, -(10**18) + 1), NUMBER),
    Type("number(38)", _pairs(10**38 - 1, -(10**38) + 1, 9007199254740993), NUMBER),
    Type("number(12,3)", _pairs(Decimal("1379.417"), Decimal("-999999999.999"), 5), NUMBER),
    Type("number(38,10)", _pairs(Decimal("9" * 28 + "." + "9" * 10), Decimal("0.1")), NUMBER),
    Type("number(5,-2)", _pairs(1234500), NUMBER),
    Type("number", _pairs(0, 1, Decimal("12.5"), AVERAGE, THIRD, 9007199254740993, Decimal("1E+125"),
        Decimal("1E-130")), NUMBER),
    Type("number whole", _pairs(7, -3), NUMBER),
    Type("float", _pairs(0.5, 0.1), NUMBER),
    Type("binary_double", [(0.1, "0.1"), (1.7976931348623157e308, "1.7976931348623157e308"), (None, None)], DOUBLE),
    Type("varchar2(20)", _pairs("abc", " a ", "é\U0001f600", "a\0b"), TEXT),
    Type("nvarchar2(20)", _pairs("é"), TEXT),
    Type("char(5)", [("abc", "abc  "), (None, None)], TEXT),
    Type("date", _moments("2024-02-29", "0001-01-01", "9999-12-31", "-0044-03-15", word="date"), DATE, as_text=DATE),
    Type("timestamp(6)", _moments("2024-02-29 12:00:00.123456", "9999-12-31 23:59:59.999999"), TIMESTAMP),
    Type("timestamp(9)", _moments("2024-02-29 12:00:00.123456000", "2024-02-29 12:00:00.123456789"), DATE,
        as_text=DATE),
    Type("timestamp(6) with time zone", _moments("2024-06-01 19:00:00.123456 +08:00",
        "2024-06-01 06:00:00.123456 -05:00", "2024-06-01 11:00:00.123456 +00:00"), IN_A_ZONE),
    Type("raw(8)", _bytes(b"\0\xff", b"abc"), BYTES),
    Type("clob", _pairs("abc", "é" * 5000), TEXT),
    Type("blob", _bytes(b"\0\xff" * 3), BYTES),
)
# fmt: on


def load(connection: Any) -> None:
    """Make a table for each type, its literals in their order."""
    with connection.cursor() as cursor:
        for number, type_ in enumerate(TYPES):
            declared = type_.name.removesuffix(" whole")
            cursor.execute(f"create table values_{number} (n number(9), v {declared})")
            for n, (literal, _) in enumerate(type_.literals):
                if isinstance(literal, str) and literal.startswith(("timestamp '", "date '")):
                    cursor.execute(f"insert into values_{number} values ({n}, {literal})")
                    continue
                if declared == "binary_double":
                    cursor.setinputsizes(None, oracledb.DB_TYPE_BINARY_DOUBLE)
                cursor.execute(f"insert into values_{number} values (:1, :2)", [n, literal])
    connection.commit()


def select(type_: Type, positions: Sequence[int]) -> str:
    chosen = ", ".join(map(str, positions))
    return f'select n as "n", v as "v" from values_{TYPES.index(type_)} where n in ({chosen}) order by n'


def cast(sql: str, expression: str) -> str:
    return f'select "n", {expression} as "v" from ({sql}) order by "n"'


DATABASE = Database("Oracle", TYPES, select, lambda type_: [text for _, text in type_.literals], cast)
