from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import InvalidKey, KeyMismatch, StatementError

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
        list(read_sql_iter("select k from t where k in (:keys)", faults, keys=[1], strategy=strategy))
    assert faults.alive == 0


@pytest.mark.parametrize("order", ["key", "any"])
@pytest.mark.parametrize("strategy", ["in-list", "array", "temporary-table"])
def test_a_column_that_takes_two_keys_for_one_is_noticed_in_the_order_of_keys(order, strategy):
    with closing(sqlite3.connect(":memory:")) as con:
        con.execute("create table t (k text collate nocase)")
        con.execute("insert into t values ('A'), ('a'), ('b')")
        reader = read_sql_iter(
            "select k from t where k in (:keys)", con, keys=["a", "b"], strategy=strategy, order=order
        )
        if order == "key":
            with pytest.raises(KeyMismatch, match="case or collation"):
                list(reader)
        else:
            assert sorted(row for batch in reader for row in batch.rows) == [("A",), ("a",), ("b",)]
