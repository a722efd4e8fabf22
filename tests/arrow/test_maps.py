"""Maps of a database, and dictionaries without a declared type: no value gets members that it did not have."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import SchemaChanged

pa = pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
duckdb = pytest.importorskip("duckdb", reason="no duckdb")

from mesbatch.arrow.convert import Converter  # noqa: E402
from mesbatch.batch import Column  # noqa: E402

MAPS = [
    ("map(['k' || (i % 3)], [i])", pa.map_(pa.string(), pa.int64()), lambda i: [(f"k{i % 3}", i)]),
    ("map([i, -1 - i], ['a', null])", pa.map_(pa.int64(), pa.string()), lambda i: [(i, "a"), (-1 - i, None)]),
    ("case when i % 2 = 0 then map([1::int], [[i]]) end", pa.map_(pa.int32(), pa.list_(pa.int64())),
     lambda i: None if i % 2 else [(1, [i])]),
    ("map(['a, (b'], [map([date '2024-01-02'], [1.5::decimal(9, 2)])])",
     pa.map_(pa.string(), pa.map_(pa.date32(), pa.decimal128(9, 2))),
     lambda i: [("a, (b", [(date(2024, 1, 2), Decimal("1.50"))])]),
    ("[map(['x' || i], [1::tinyint])]", pa.list_(pa.map_(pa.string(), pa.int8())), lambda i: [[(f"x{i}", 1)]]),
    ("map([]::varchar[], []::bigint[])", pa.map_(pa.string(), pa.int64()), lambda i: []),
    ("map(['a']::enum('a', 'b, (')[], [1::bigint])", pa.map_(pa.string(), pa.int64()), lambda i: [("a", 1)]),
]  # fmt: skip


def read(sql, **options):
    with duckdb.connect() as connection, read_sql_iter(sql, connection, **options) as reader:
        return pa.Table.from_batches(reader.arrow())


@pytest.mark.parametrize(("expression", "type_", "value"), MAPS)
def test_a_map_of_duckdb_is_a_map(expression, type_, value):
    table = read(f"select {expression} as v from range(1500) t(i)", batch_size=500)
    assert table.schema.field("v").type == type_
    assert table.column("v").to_pylist() == list(map(value, range(1500)))


def test_a_map_of_duckdb_is_a_map_in_parquet(tmp_path):
    import pyarrow.parquet as pq
    from click.testing import CliRunner

    from mesbatch.cli import main

    with duckdb.connect(str(tmp_path / "m.duck")) as connection:
        connection.execute("create table m as select map(['k' || (i % 3)], [i]) as v from range(6) t(i)")
    out = tmp_path / "m.parquet"
    arguments = ["export", "--url", f"duckdb:///{tmp_path}/m.duck", "--sql", "select v from m", "--out", str(out)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert pq.read_table(out).column("v").to_pylist() == [[(f"k{i % 3}", i)] for i in range(6)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a": 1}, {"a": 2, "b": 3}), ({"a": 1, "b": 2}, {"a": 3}), ({"a": {"x": 1}}, {"a": {"y": 1}}),
        ([{"a": 1}], [{"b": 1}]),
    ],
)  # fmt: skip
def test_a_dictionary_with_other_members_than_those_before_is_refused(first, second):
    with pytest.raises(SchemaChanged, match=r"column 'v' of row [12]: .* read it as text"):
        Converter([Column("v")]).from_rows([(first,), (second,)])
    converter = Converter([Column("v")])
    converter.from_rows([(first,), (None,)])
    with pytest.raises(SchemaChanged, match=r"column 'v' of row 3: .* read it as text"):
        converter.from_rows([(second,)])


def test_a_map_that_is_no_map_of_scalars_is_refused_where_its_keys_differ():
    """Its keys are members of a structure: DuckDB gives them so, and nothing tells that it is a map."""
    sql = "select map(['k' || i], [{'a': i}]) as v from range(3) t(i)"
    with pytest.raises(SchemaChanged, match=r"column 'v' of row 1: .* read it as text"):
        read(sql)
    assert read(sql.replace(" as v", "::varchar as v")).num_rows == 3
