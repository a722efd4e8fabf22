from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import InvalidKey, NotSplittable, StatementError

POSTGRES = ["auto", "in-list", "array", "look-up", "temporary-table"]
KEYS = {
    "text": ["a", "b", "c", "zz"],
    "varchar(9)": ["a", "b", "c", "zz"],
    "char(9)": ["a", "b ", "c", "zz"],
    "name": ["a", "b", "c", "z" * 70],
    "smallint": [1, 2, 3, 2**40],
    "int": [1, 2, 3, 2**40],
    "bigint": [1, 2, 3, -(2**63)],
    "numeric": [Decimal("1.5"), Decimal(2), Decimal("3.25"), Decimal("1e40")],
    "double precision": [0.1, 0.30000000000000004, 1e300, -5.5],
    "real": [0.5, 0.25, 1.5, 0.1],
    "date": [date(2026, 2, 25), date(1, 1, 1), date(9999, 12, 31), date(2000, 1, 1)],
    "uuid": [UUID(int=n) for n in (1, 2, 2**127, 5)],
    "bytea": [b"a", b"b\0", b"\xff", b"zz"],
}


@pytest.mark.parametrize("strategy", POSTGRES)
@pytest.mark.parametrize("key_type", KEYS)
def test_keys_of_every_type_find_their_rows_in_postgres(postgres, key_type, strategy):
    keys = KEYS[key_type]
    postgres.execute(f"create table t (k {key_type}, n int)")
    postgres.cursor().executemany("insert into t values (%s, %s)", [(key, n) for key in keys[:3] for n in (1, 2)])
    with read_sql_iter("select k, n from t where k in (:keys)", postgres, keys=keys, strategy=strategy) as reader:
        rows = [row for batch in reader for row in batch.rows]
    found = [row[0].rstrip(" ") if isinstance(row[0], str) else row[0] for row in rows]
    expected = [key.rstrip(" ") if isinstance(key, str) else key for key in keys[:3]]
    assert found == sorted(expected * 2)
    assert reader.manifest.keys_read == 4


@pytest.mark.parametrize("strategy", ["auto", "in-list"])
def test_keys_of_an_enum_find_their_rows(postgres, strategy):
    postgres.execute("create type mood as enum ('fine', 'glad')")
    postgres.execute("create table t (k mood)")
    postgres.execute("insert into t values ('fine'), ('glad'), ('glad')")
    with read_sql_iter(
        "select k from t where k in (:keys)", postgres, keys=["glad", "fine"], strategy=strategy
    ) as reader:
        assert [row for batch in reader for row in batch.rows] == [("fine",), ("glad",), ("glad",)]


SQLITE_KEYS = {
    "text": ["a", "b", "ä", "zz"],
    "integer": [1, 2, -(2**63), 2**62],
    "real": [0.1, 0.30000000000000004, 1.7976931348623157e308, 5e-324],
    "blob": [b"a", b"\xff", b"\0", b"zz"],
}


@pytest.mark.parametrize("strategy", ["auto", "in-list", "array", "temporary-table"])
@pytest.mark.parametrize("key_type", SQLITE_KEYS)
def test_keys_of_every_type_find_their_rows_in_sqlite(key_type, strategy):
    keys = SQLITE_KEYS[key_type]
    with closing(sqlite3.connect(":memory:")) as con:
        con.execute(f"create table t (k {key_type}, n int)")
        con.executemany("insert into t values (?, ?)", [(key, n) for key in keys[:3] for n in (1, 2)])
        reader = read_sql_iter("select k, n from t where k in (:keys)", con, keys=keys, strategy=strategy)
        if key_type == "blob" and strategy in ("array", "temporary-table"):
            with pytest.raises(InvalidKey, match="use strategy 'in-list'"):
                list(reader)
        else:
            assert [row[0] for batch in reader for row in batch.rows] == sorted(keys[:3] * 2)


@pytest.mark.parametrize("strategy", ["array", "look-up", "temporary-table"])
def test_a_strategy_that_a_database_does_not_have_is_refused(tmp_path, strategy):
    from tests.rig.faulty import Faults

    with closing(sqlite3.connect(tmp_path / "t.db")) as con:
        con.execute("create table t (k int)")
    faults = Faults(tmp_path / "t.db", plain=True)
    with pytest.raises(StatementError, match=strategy):
        list(
            read_sql_iter("select k from t where k in (:keys)", faults, keys=[1], strategy=strategy, paramstyle="qmark")
        )
    assert faults.alive == 0


COLLATIONS = {  # a column's declaration, its rows, the keys, and the rows that one plain statement gives
    "nocase": ("sqlite", "text collate nocase", ["A", "a", "b", "c"], ["a", "B"], ["A", "a", "b"]),
    "nocase, both spellings": ("sqlite", "text collate nocase", ["A", "a", "b"], ["A", "a"], ["A", "a"]),
    "rtrim": ("sqlite", "text collate rtrim", ["a", "a  ", "b"], ["a", "a "], ["a", "a  "]),
    "duckdb nocase": ("duckdb", "varchar collate nocase", ["A", "a", "b"], ["A", "a"], ["A", "a"]),
    "citext": ("postgres", "citext", ["A", "a", "b"], ["A", "a"], ["A", "a"]),
    "domain over citext": ("postgres", "ci_domain", ["A", "a", "b"], ["a"], ["A", "a"]),
    "nondeterministic": ("postgres", 'text collate "ci"', ["Abc", "abc", "b"], ["Abc", "abc"], ["Abc", "abc"]),
    "inet": ("postgres", "inet", ["10.0.0.1", "10.0.0.2"], ["10.0.0.1/32", "10.0.0.1"], ["10.0.0.1"]),
}


@pytest.fixture
def column_of(request, postgres):
    """A function that makes the table *t* with a column of a declaration, in a database, and gives a connection."""
    opened = []

    def make(database: str, declaration: str, rows: list[str]):
        if database == "postgres":
            con = postgres
            for prepare in (
                "create extension if not exists citext with schema public",
                "select set_config('search_path', current_schema || ', public', false)",  # its operators are there
                "create domain ci_domain as citext",
            ):
                con.execute(prepare)
            if '"ci"' in declaration:
                con.execute("create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
            con.execute(f"create table t (k {declaration}, n int)")
            con.cursor().executemany("insert into t values (%s, 1)", [(row,) for row in rows])
            con.commit()
            return con
        con = pytest.importorskip("duckdb").connect() if database == "duckdb" else sqlite3.connect(":memory:")
        opened.append(con)
        con.execute(f"create table t (k {declaration}, n int)")
        con.executemany("insert into t values (?, 1)", [(row,) for row in rows])
        return con

    yield make
    for con in opened:
        con.close()


@pytest.mark.parametrize("order", ["key", "any"])
@pytest.mark.parametrize("strategy", ["auto", "in-list", "array", "temporary-table"])
@pytest.mark.parametrize("case", COLLATIONS)
def test_keys_that_are_equal_to_the_database_give_each_row_once(column_of, case, strategy, order):
    database, declaration, rows, keys, expected = COLLATIONS[case]
    con = column_of(database, declaration, rows)
    with read_sql_iter("select k from t where k in (:keys)", con, keys=keys, strategy=strategy, order=order) as reader:
        assert sorted(str(key) for batch in reader for (key,) in batch.rows) == expected
        assert reader.key_column is None
    assert reader.manifest.complete
    assert reader.manifest.parts_planned == 1
    assert "otherwise than by code point" in reader.manifest.one_statement


@pytest.mark.parametrize("strategy", ["auto", "array", "temporary-table"])
@pytest.mark.parametrize("column", ["k", "n"])
def test_keys_that_are_equal_to_an_index_give_each_row_once(column_of, strategy, column):
    """PostgreSQL makes the keys distinct before it looks them up, under their own collation and not the column's."""
    lots = [f"lot {n}" for n in range(3_000)]
    con = column_of("postgres", 'text collate "ci"', lots)
    con.execute("create index on t (k)")
    con.execute("analyze t")
    keys = [key for lot in lots[:50] for key in (lot, lot.upper())]
    reader = read_sql_iter(f"select {column} from t where k in (:keys)", con, keys=keys, strategy=strategy)
    if column == "n" and strategy != "auto":  # nothing tells the collation of a column that is not in the result
        with pytest.raises(NotSplittable, match="name it with key="):
            next(reader)
    else:
        assert sum(batch.num_rows for batch in reader) == 50


@pytest.mark.parametrize("strategy", ["auto", "array", "temporary-table"])
@pytest.mark.parametrize(
    ("declaration", "rows", "keys"),
    [
        ("char(6)", ["ab"], ["ab   "]), ("varchar(6)", ["ab "], ["ab"]), ("citext", ["AB"], ["ab"]),
        ("ci_domain", ["AB"], ["ab"]),
        ("bit(3)", ["101"], ["101"]), ("uuid", [str(UUID(int=7))], [str(UUID(int=7))]),
        ("varchar(3)", ["abc"], ["abcd"]), ("oid", [5], [5]),
    ],
)  # fmt: skip
def test_a_statement_that_cannot_be_cut_compares_keys_as_its_column_does(column_of, declaration, rows, keys, strategy):
    """The type of an array and of a table is the filter's own, though the result does not show the column."""
    con = column_of("postgres", declaration, rows)
    plain = con.execute("select count(*) from t where k in (%s)", keys).fetchall()
    sql = "select count(*) from t where k in (:keys)"
    assert [row for batch in read_sql_iter(sql, con, keys=keys, strategy=strategy) for row in batch.rows] == plain


@pytest.mark.parametrize(("declaration", "row", "key"), [("name", "x" * 63, "x" * 70), ('"char"', "a", "ab")])
@pytest.mark.parametrize("strategy", ["auto", "array", "temporary-table"])
def test_a_key_that_is_longer_than_its_type_equals_no_row(column_of, declaration, row, key, strategy):
    """PostgreSQL itself would cut the key, and find a row of another one."""
    con = column_of("postgres", declaration, [row])
    sql = "select count(*) from t where k in (:keys)"
    assert [row for batch in read_sql_iter(sql, con, keys=[key], strategy=strategy) for row in batch.rows] == [(0,)]


def test_a_column_that_cannot_hold_such_keys_is_named_before_a_row_is_read(column_of):
    con = column_of("postgres", "text", [str(UUID(int=7))])
    for strategy in POSTGRES:
        reader = read_sql_iter("select k from t where k in (:keys)", con, keys=[UUID(int=7)], strategy=strategy)
        with pytest.raises(InvalidKey, match="type UUID and their column is text"):
            next(reader)
    with pytest.raises(InvalidKey, match="type int and their column holds text"):
        next(read_sql_iter("select k from t where k in (:keys)", column_of("sqlite", "text", ["1"]), keys=[1]))


def test_an_adbc_connection_has_no_temporary_tables(postgres_url):
    adbc = pytest.importorskip("adbc_driver_postgresql.dbapi", reason="no driver of adbc: the extra is not installed")
    with adbc.connect(postgres_url) as con:
        sql = "select relname::text k from pg_class where relname::text in (:keys)"
        with pytest.raises(StatementError, match="'temporary-table' is not known"):
            next(read_sql_iter(sql, con, keys=["pg_class"], strategy="temporary-table"))
        assert list(read_sql_iter(sql, con, keys=["pg_class"], strategy="array"))  # nothing was begun


@pytest.mark.parametrize("strategy", ["auto", "in-list", "array", "look-up"])
def test_uuids_are_keys_by_adbc(column_of, postgres_schema_url, strategy):
    """Arrow's lists have none."""
    adbc = pytest.importorskip("adbc_driver_postgresql.dbapi", reason="no driver of adbc: the extra is not installed")
    uuids = [UUID(int=n) for n in range(3)]
    column_of("postgres", "uuid", uuids).commit()
    with adbc.connect(postgres_schema_url) as con:
        reader = read_sql_iter("select k from t where k in (:keys)", con, keys=uuids[1:], strategy=strategy)
        assert [k for batch in reader for (k,) in batch.rows] == uuids[1:]


@pytest.mark.parametrize("indexed", [True, False])
def test_a_table_without_an_index_is_not_read_once_for_each_key_by_adbc(postgres, postgres_schema_url, indexed):
    adbc = pytest.importorskip("adbc_driver_postgresql.dbapi", reason="no driver of adbc: the extra is not installed")
    postgres.execute("create table t as select n::text as k from generate_series(1, 5000) n")
    postgres.execute("create index on t (k)" if indexed else "select 1")
    postgres.execute("analyze t")
    postgres.commit()
    with adbc.connect(postgres_schema_url) as con:
        keys = list(map(str, range(1, 1_001)))
        with read_sql_iter("select k from t where k in (:keys)", con, keys=keys) as reader:
            assert [k for batch in reader for (k,) in batch.rows] == sorted(keys)
        assert reader.manifest.strategy == ("look-up" if indexed else "array")


@pytest.mark.parametrize("kind", ["int8", "numeric", "float8"])
@pytest.mark.parametrize("strategy", ["auto", "in-list", "array"])
def test_whole_numbers_of_more_than_64_bits_are_keys_by_adbc(postgres_url, kind, strategy):
    """Arrow's integers have 64 bits."""
    adbc = pytest.importorskip("adbc_driver_postgresql.dbapi", reason="no driver of adbc: the extra is not installed")
    rows = [1, 2**62] if kind == "int8" else [1, 2**62, 2**63, -(2**70)]
    table = f"(values {', '.join(f'({row}::{kind})' for row in rows)}) t (k)"
    with adbc.connect(postgres_url) as con:
        for keys in ([2**63, 1], [-(2**70), 1, 2**62], [2**200]):
            expected = [row for row in rows if row in keys]
            with read_sql_iter(
                f"select k from {table} where k in (:keys)", con, keys=keys, strategy=strategy
            ) as reader:
                assert sorted(int(k) for batch in reader for (k,) in batch.rows) == sorted(expected)
            if strategy == "in-list":
                continue
            counting = f"select count(*) from {table} where k in (:keys)"
            with read_sql_iter(counting, con, keys=keys, strategy=strategy) as reader:
                assert [row for batch in reader for row in batch.rows] == [(len(expected),)]
