"""PostgreSQL's types, their extremes, and how its texts are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.values.kinds import (
    ADDRESS,
    BOOLEAN,
    DATE,
    DECIMAL,
    DOUBLE,
    INSTANT,
    INTEGER,
    JSON,
    NETWORK,
    SINGLE,
    TEXT,
    TIME,
    TIME_WITH_ZONE,
    TIMESTAMP,
    UUIDS,
    bytes_kind,
    duration,
    list_of,
    split_braces,
)
from tests.values.law import Database, Type
from tests.values.times import read_interval

SETUP = """
create type mood as enum ('sad', 'ok', 'with "quotes", and \\');
create type point2 as (a int, b text);
create domain price as numeric(6, 2);
create domain label as text check (length(value) < 20);
"""
BYTEA = bytes_kind(lambda text: bytes.fromhex(text.removeprefix("\\x")))
INTERVAL = duration(read_interval)
ZONE = "Asia/Shanghai"  # whose offset was no whole minute before 1901
WIDE = "1" + "0" * 999
AWARE = ("2024-02-29 12:00:00+00", "1900-01-01 00:00:00+00", "0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00")


def _lists(kind: Any) -> Any:
    return list_of(kind, split_braces)


# fmt: off
TYPES: Sequence[Type] = (
    Type("boolean", ["true", "false", None], BOOLEAN),
    Type("smallint", ["0", "-32768", "32767", None], INTEGER),
    Type("integer", ["0", "-2147483648", "2147483647", None], INTEGER),
    Type("bigint", ["0", "-9223372036854775808", "9223372036854775807", "9007199254740993", None], INTEGER),
    Type("oid", ["0", "1", "2147483648", "4294967295", None], INTEGER),
    Type("xid8", ["18446744073709551615", None], TEXT),
    Type("real", ["0", "-0", "0.1", "3.4028235e38", "1e-45", "16777217", "NaN", "Infinity", "-Infinity", None],
        SINGLE),
    Type(
        "double precision",
        ["0", "-0", "0.1", "1.7976931348623157e308", "5e-324", "9007199254740993", "NaN", "Infinity", "-Infinity",
        None],
        DOUBLE,
    ),
    Type(
        "numeric",
        ["0", "-0.0", "0.10", "1e400", "1e-400", WIDE, "-" + WIDE + ".5", "NaN", "Infinity", "-Infinity", None],
        DECIMAL,
    ),
    Type("numeric(12,3)", ["0", "1379.417", "-999999999.999", "1.5", "NaN", None], DECIMAL),
    Type("numeric(38,0)", ["9" * 38, "-" + "9" * 38, "0", None], DECIMAL),
    Type("numeric(50,10)", ["9" * 40 + "." + "9" * 10, "0.1", None], DECIMAL, {"duckdb": None, "polars": None}),
    Type("numeric(1000)", ["9" * 1000, "1", None], DECIMAL),
    Type("numeric(5,-2)", ["12345", "-1234567", None], DECIMAL),
    Type("numeric(2,5)", ["0.00012", None], DECIMAL),
    Type("money", ["0", "92233720368547758.07", "-92233720368547758.08", None], TEXT),
    Type("text", ["", " a ", "é\U0001f600", "line\nbreak\r\ttab", 'quote"\\', "NULL", "\ufeff\u2028", "x" * 9000,
        None], TEXT),
    Type("varchar(10)", ["", "abc  ", None], TEXT),
    Type("char(5)", ["", "abc", "abcde", None], TEXT),
    Type('"char"', ["a", "", None], TEXT),
    Type("name", ["a", "x" * 63, None], TEXT),
    Type("bytea", ["", "\\x00", "\\xff00ff", "\\x5c78", None], BYTEA),
    Type("date", ["2024-02-29", "0001-01-01", "9999-12-31", "infinity", "-infinity", "4713-01-01 BC",
        "0044-03-15 BC", "10000-01-01", "5874897-12-31", None], DATE),
    Type("time", ["00:00:00", "23:59:59.999999", "24:00:00", None], TIME),
    Type("timetz", ["00:00:00+00", "12:00:00+01", "23:59:59.999999-15:59", "12:00:00+15:59:59", "24:00:00+00", None],
        TIME_WITH_ZONE),
    Type("timestamp", ["2024-02-29 12:00:00", "1969-12-31 23:59:59.999999", "0001-01-01",
        "9999-12-31 23:59:59.999999", "infinity", "-infinity", "4713-01-01 BC", "10000-01-01",
        "294276-12-31 23:59:59.999999", None], TIMESTAMP),
    Type("timestamptz", [*AWARE, "2024-06-01 12:00:00+08", "infinity", "-infinity", "4713-01-02 BC",
        "294276-12-31 23:59:59.999999+00", None], INSTANT),
    Type("interval", ["0", "1 day", "-1 day -02:03:04.5", "0.000001 s", "36:00:00", "1 mon", "-1 year 2 days",
        "178000000 years", "3000000 days", "9223372036854775807 us", None], INTERVAL),
    Type("uuid", ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", None], UUIDS),
    Type("json", ["null", "true", "5", "1.50", '"x"', "[]", "{}", '{"b":1,  "a":"\\ud83d\\ude00"}', '{"a":1,"a":2}',
        '{"a": 1e400}', '{"x": 0.1000000000000000055511151231257827}', '{"a":\n[1,\n2.0]}', '"\\u0000"', '"\\ud83d"',
        "12345678901234567890123", None], JSON),
    Type("jsonb", ["null", "false", "5", "1.50", '"x"', "[1.10, 1e400]", '{"b": {"c": [null, 1.0, -0.0]}, "a": "é"}',
        '{"price": 12345678901234.123456789}', "1" * 5000, None], JSON),
    Type("jsonpath", ['$."a"[*]', None], TEXT),
    Type("inet", ["10.0.0.1", "10.0.0.1/8", "::1", "2001:db8::/32", "::ffff:1.2.3.4", None], ADDRESS),
    Type("cidr", ["10.0.0.0/8", "10.1.2.3/32", "2001:db8::/32", None], NETWORK),
    Type("macaddr", ["08:00:2b:01:02:03", None], TEXT),
    Type("macaddr8", ["08:00:2b:01:02:03:04:05", None], TEXT),
    Type("bit(3)", ["101", None], TEXT),
    Type("varbit", ["", "1", "0" * 70, None], TEXT),
    Type("xml", ["<a>é</a>", "", "text", None], TEXT),
    Type("tsvector", ["'a':1A 'b c':2", "", None], TEXT),
    Type("tsquery", ["a & !b", None], TEXT),
    Type("point", ["(1,2.5)", "(Infinity,NaN)", None], TEXT),
    Type("line", ["{1,2,3}", None], TEXT),
    Type("box", ["(1,1),(0,0)", None], TEXT),
    Type("path", ["[(0,0),(1,1)]", "((0,0),(1,1))", None], TEXT),
    Type("polygon", ["((0,0),(1,1),(1,0))", None], TEXT),
    Type("circle", ["<(0,0),1>", None], TEXT),
    Type("int4range", ["empty", "[1,10)", "(,5)", "(,)", None], TEXT),
    Type("numrange", ["[1.10,2.20]", "(,NaN]", None], TEXT),
    Type("tsrange", ['["2024-01-01 00:00:00",infinity)', None], TEXT),
    Type("tstzrange", ["[2024-01-01 00:00:00+00,)", None], TEXT),
    Type("daterange", ["[2024-01-01,infinity)", "[4713-01-01 BC,2000-01-01)", None], TEXT),
    Type("int4multirange", ["{}", "{[1,3),[5,)}", None], TEXT),
    Type("datemultirange", ["{[2024-01-01,2024-02-01)}", None], TEXT),
    Type("mood", ["sad", 'with "quotes", and \\', None], TEXT),
    Type("point2", ["(1,b)", '(,"a ""b"", \\\\")', "(,)", None], TEXT),
    Type("price", ["1234.50", "-0.01", None], DECIMAL),
    Type("label", ["a", "", None], TEXT),
    Type("hstore", ['"a"=>"1", "b"=>NULL', "", None], TEXT),
    Type("citext", ["Ab", None], TEXT),
    Type("pg_lsn", ["FFFFFFFF/FFFFFFFF", None], TEXT),
    Type("tid", ["(0,1)", None], TEXT),
    Type("regclass", ["pg_class", None], TEXT),
    Type("int2vector", ["1 2 3", "", None], TEXT),
    Type("oidvector", ["1 4294967295", None], TEXT),
    Type("int[]", ["{}", "{1,NULL,-2147483648}", "{{1,2},{3,4}}", "{{{1}},{{2}}}", "[5:6]={1,2}", "[0:1]={1,2}",
        "[-1:0][2:3]={{1,2},{3,4}}", None], _lists(INTEGER)),
    Type("bigint[]", ["{9223372036854775807}", "{{1},{2}}", None], _lists(INTEGER)),
    Type("oid[]", ["{4294967295,0}", None], _lists(INTEGER)),
    Type("real[]", ["{0.1,NaN,Infinity}", None], _lists(SINGLE)),
    Type("float8[]", ["{0.1,-0}", "{{1e308},{NaN}}", None], _lists(DOUBLE)),
    Type("numeric[]", ["{1.10,1e400}", "{NaN}", "{{1},{2.50}}", None], _lists(DECIMAL)),
    Type("numeric(12,3)[]", ["{1.5,-999999999.999}", None], _lists(DECIMAL)),
    Type("bool[]", ["{t,f,NULL}", "{{true},{false}}", None], _lists(BOOLEAN)),
    Type("text[]", ['{a,"b c","",NULL,"NULL","a\\"b\\\\","{}"}', "{{a,b},{c,d}}", None], _lists(TEXT)),
    Type("char(3)[]", ["{a,abc}", None], _lists(TEXT)),
    Type("name[]", ["{a}", None], _lists(TEXT)),
    Type("bytea[]", ['{"\\\\x01","\\\\x"}', None], _lists(BYTEA)),
    Type("date[]", ["{2024-02-29,NULL}", "{infinity}", '{"0044-03-15 BC"}', None], _lists(DATE)),
    Type("time[]", ["{23:59:59.999999}", "{24:00:00}", None], _lists(TIME)),
    Type("timetz[]", ["{12:00:00+01}", None], _lists(TIME_WITH_ZONE)),
    Type("timestamp[]", ['{"2024-01-01 00:00:00"}', '{infinity,"2024-01-01 00:00:00"}', None], _lists(TIMESTAMP)),
    Type("timestamptz[]", ['{"2024-01-01 00:00:00+00"}', "{-infinity}", None], _lists(INSTANT)),
    Type("interval[]", ['{"1 day","-01:00:00"}', '{"1 mon"}', None], _lists(INTERVAL)),
    Type("uuid[]", ["{00000000-0000-0000-0000-000000000000}", None], _lists(UUIDS)),
    Type("json[]", ['{"1.50","{\\"a\\": 1e400}"}', None], _lists(JSON)),
    Type("jsonb[]", ['{"1.50","{\\"a\\": [0.10]}"}', None], _lists(JSON)),
    Type("inet[]", ["{10.0.0.1,::1}", None], _lists(ADDRESS)),
    Type("bit(1)[]", ["{1,0}", None], _lists(TEXT)),
    Type("int4range[]", ['{"[1,2)",empty}', None], _lists(TEXT)),
    Type("mood[]", ["{sad,ok}", None], TEXT),
    Type("point2[]", ['{"(1,b)"}', None], TEXT),
    Type("money[]", ["{$1.00}", None], _lists(TEXT)),
    Type("xml[]", ["{<a/>}", None], _lists(TEXT)),
)
# fmt: on


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def select(type_: Type, positions: Sequence[int]) -> str:
    """Write the literals at *positions* as a statement."""
    rows = ", ".join(f"({n}, {_literal(type_.literals[n])}::{type_.name})" for n in positions)
    return f"select n, v from (values {rows}) as t(n, v) order by n"


def database(admin: Any) -> Database:
    """Give the types, with the texts that the server of the psycopg connection *admin* has for them."""

    def own_texts(type_: Type) -> list[str | None]:
        # By its output function: a cast to text strips char(n), and shows the mask of every inet.
        literals = [f"{_literal(text)}::{type_.name}" for text in type_.literals]
        shown = ", ".join(
            f"case when ({v}) is not distinct from null then null else format('%s', {v}) end" for v in literals
        )
        return list(admin.execute(f"select {shown}").fetchone())

    return Database("PostgreSQL", TYPES, select, own_texts)
