"""`schema=` is a way out on every way: what the caller declares is what comes, without a loss, or an error."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import ColumnNameError, ExportError, SchemaChanged
from mesbatch.export import export

pa = pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
import pyarrow.parquet as pq  # noqa: E402

AVERAGE = Decimal("393599.2121039109334855837853268626891236")


def by_arrow(sql: str, con: Any, schema: Any, directory: Any) -> list[Any]:
    table = pa.table(read_sql_iter(sql, con).arrow(schema))
    assert table.schema.field("v").type == pa.schema(schema.items()).field("v").type
    return table["v"].to_pylist()


def by_parquet(sql: str, con: Any, schema: Any, directory: Any) -> list[Any]:
    export(sql, con, directory / "x.parquet", schema=schema, force=True)
    return pq.read_table(directory / "x.parquet")["v"].to_pylist()


@pytest.fixture(params=["sqlite3", "apsw", "URL"])
def mixed(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Callable[[str], Any]]:
    """Makes a table whose column v holds what is given, and gives what it is read from."""
    path = tmp_path / "mixed.db"
    opened = []

    def make(literals: str, declared: str = "integer") -> Any:
        with closing(sqlite3.connect(path)) as con, con:
            con.execute(f"create table t (v {declared})")
            con.execute(f"insert into t values {literals}")
        match request.param:
            case "sqlite3":
                opened.append(sqlite3.connect(path))
            case "apsw":
                apsw = pytest.importorskip("apsw", reason="no apsw: it is not installed")
                opened.append(apsw.Connection(str(path)))
            case _:
                return f"sqlite:///{path}"
        return opened[-1]

    yield make
    for con in opened:
        con.close()


@pytest.mark.parametrize("read", [by_arrow, by_parquet])
@pytest.mark.parametrize(
    ("literals", "type_", "expected"),
    [
        ("(1), (0.99), (null)", pa.float64(), [1.0, 0.99, None]),
        ("(1), ('N/A'), (2.5), (null)", pa.string(), ["1", "N/A", "2.5", None]),
        ("(0.1 + 0.2), (9007199254740993)", pa.string(), ["0.30000000000000004", "9007199254740993"]),
        ("(1), ('N/A')", pa.large_string(), ["1", "N/A"]),
        ("(1), (0.5)", pa.decimal128(20, 2), [Decimal("1.00"), Decimal("0.50")]),
        ("(1), (0.1)", pa.decimal256(76, 20), [Decimal("1.") + 0, Decimal("0.1")]),
        ("(x'00ff'), ('abc'), (5)", pa.binary(), [b"\x00\xff", b"abc", b"5"]),
        ("(1), (0)", pa.int8(), [1, 0]),
    ],
)
def test_what_is_declared_otherwise_comes_as_the_caller_declares_it(mixed, tmp_path, read, literals, type_, expected):
    assert read("select v from t", mixed(literals), {"v": type_}, tmp_path) == expected


@pytest.mark.parametrize(
    ("literals", "type_"),
    [
        ("(1), ('N/A')", pa.float64()),
        ("(1), (9007199254740993)", pa.float64()),
        ("(1), (0.125)", pa.decimal128(20, 2)),
        ("(1), (x'00')", pa.string()),
        ("(1), (300)", pa.int8()),
        ("(1), (0.1)", pa.float32()),
        ("(1), (0.5)", pa.int64()),
    ],
)
def test_what_would_lose_something_is_an_error_that_names_row_and_a_way_out(mixed, tmp_path, literals, type_):
    con = mixed(literals, "")
    with pytest.raises(SchemaChanged, match=r"column 'v' of row 2: .*(schema=\{'v': pa\.\w+|CAST\(\"v\" AS VARCHAR\))"):
        by_arrow("select v from t", con, {"v": type_}, tmp_path)


@pytest.mark.parametrize("read", [by_arrow, by_parquet])
@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        ("1.50::numeric(12,3)", pa.float64(), [1.5]),
        ("1.50::numeric(12,3)", pa.string(), ["1.500"]),
        ("1.50::numeric", pa.decimal128(38, 10), [Decimal("1.5")]),
        ("7::int8", pa.string(), ["7"]),
        ("'2024-02-29'::date", pa.string(), ["2024-02-29"]),
        ("'{{1,2},{3,4}}'::int[]", pa.list_(pa.list_(pa.int32())), [[[1, 2], [3, 4]]]),
        ("'{1.5}'::numeric[]", pa.list_(pa.float64()), [[1.5]]),
        ("5::int4", pa.int32(), [5]),
    ],
)
def test_postgresql_gives_what_is_declared_by_connection_and_by_url(
    postgres, postgres_schema_url, tmp_path, read, value, type_, expected
):
    for con in (postgres, postgres_schema_url):
        assert read(f"select {value} as v", con, {"v": type_}, tmp_path) == expected


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (pa.float64(), [float(AVERAGE), 12.5]),
        (pa.decimal256(50, 36), [AVERAGE, Decimal("12.5")]),
        (pa.string(), [str(AVERAGE), "12.5"]),
    ],
)
def test_averages_of_oracle_fit_what_is_advised(oracle, tmp_path, type_, expected):
    oracle.make_table("averages", "v number", [(AVERAGE,), (Decimal("12.5"),)])
    sql = 'select v as "v" from averages'
    assert by_arrow(sql, oracle.connect, {"v": type_}, tmp_path) == expected
    with pytest.raises(SchemaChanged, match=r"schema=\{'v': pa\.decimal256\(76, 44\)\}"):
        pa.table(read_sql_iter(sql, oracle.connect).arrow())


def test_a_later_average_that_the_first_batch_did_not_foresee_is_an_error(oracle):
    rows = [(Decimal("12.5"),)] * 3_000 + [(Decimal("0.3333333333333333333333333333333333333333"),)]
    oracle.make_table("late_averages", "v number", rows)
    with pytest.raises(SchemaChanged, match=r"column 'V' of row 3,001: .* does not fit decimal128"):
        list(read_sql_iter("select v from late_averages", oracle.connect, max_bytes=100_000).arrow())


def test_members_that_a_struct_has_not_are_no_loss_in_silence():
    class Documents:
        def batches(self) -> Iterator[Any]:
            yield ("v",), [({"a": 1},)]
            yield ("v",), [({"a": 1, "b": 2},)]

    with pytest.raises(SchemaChanged, match=r"column 'v' of row 2: .*does not fit struct<a: int64>"):
        list(read_sql_iter("documents", Documents()).arrow())


def test_a_schema_for_ndjson_and_one_for_no_column_are_refused(tmp_path):
    with closing(sqlite3.connect(":memory:")) as con:
        with pytest.raises(ExportError, match="ndjson has none"):
            export("select 1 as v", con, tmp_path / "x.ndjson", schema={"v": pa.int64()})
        with pytest.raises(ColumnNameError, match="schema names column 'w'"):
            export("select 1 as v", con, tmp_path / "x.parquet", schema={"w": pa.int64()})


def test_an_export_goes_on_only_with_the_schema_that_it_was_begun_with(tmp_path):
    with closing(sqlite3.connect(":memory:")) as con:
        export("select 1 as v", con, f"{tmp_path}/parts/", format="parquet", schema={"v": pa.string()})
        with pytest.raises(ExportError, match="begun with another statement"):
            export("select 1 as v", con, f"{tmp_path}/parts/", format="parquet", resume=True)
