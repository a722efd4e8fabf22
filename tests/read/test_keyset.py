"""Reads without keys, ordered by a keyset: they can go on anywhere, and what does not ascend is an error."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch import read_sql_iter
from mesbatch.errors import KeyColumnError, KeysetBroken, StatementError


def rows_of(con, sql="select * from t", params=None, **options):
    with read_sql_iter(sql, con, params, **options) as reader:
        return [row for batch in reader for row in batch.rows]


def table(rows, columns="a, b, c"):
    con = sqlite3.connect(":memory:")
    con.execute(f"create table t ({columns})")
    con.executemany(f"insert into t values ({', '.join('?' * len(rows[0]))})", rows)
    return con


ROWS = st.lists(
    st.tuples(st.integers(-3, 3), st.text("ab%é", max_size=2), st.integers()), unique_by=lambda row: row[:2], min_size=1
).map(lambda rows: [(a, b, n) for n, (a, b, _) in enumerate(rows)])


@given(rows=ROWS, data=st.data())
def test_a_read_in_two_is_the_read_in_one(rows, data):
    whole = sorted(rows)
    cut = data.draw(st.integers(0, len(rows) - 1))
    with closing(table(rows)) as con:
        assert rows_of(con, keyset=["a", "b"]) == whole
        after = whole[cut][:2]
        assert rows_of(con, keyset=["a", "b"], after=after, batch_size=3) == whole[cut + 1 :]
        low = "select * from t where c >= ?"
        assert rows_of(con, low, (1,), keyset=["a", "b"], after=after) == [r for r in whole[cut + 1 :] if r[2] >= 1]
        named = "select * from t where c >= :low"
        assert rows_of(con, named, {"low": 1}, keyset=("a", "b"), after=after) == [
            r for r in whole[cut + 1 :] if r[2] >= 1
        ]


VALUES = {
    "bigint": [-(2**63), -1, 0, 7, 2**63 - 1],
    "date": [date(2026, 1, day) for day in range(1, 6)],
    "timestamp": [datetime(2026, 1, 1, 8, minute, second=1, microsecond=5) for minute in range(5)],
    "timestamptz": [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(5)],
    "uuid": [uuid.UUID(int=n << 64) for n in range(1, 6)],
    "numeric": [Decimal("1.50"), Decimal(2), Decimal("2.0000001"), Decimal("1E+3"), Decimal(10**30)],
    'text collate "C"': ["B", "a", "a ", "b", "é"],
}


@pytest.mark.parametrize("kind", VALUES)
def test_every_type_of_a_keyset_goes_on_in_postgres(postgres, postgres_schema_url, kind):
    values = VALUES[kind]
    postgres.execute(f"create table t (k {kind}, n int)")
    for n in (3, 1, 2):
        for value in values[::-1]:
            postgres.execute("insert into t values (%s, %s)", [value, n])
    postgres.commit()
    whole = [(value, n) for value in values for n in (1, 2, 3)]
    sql = "select k, n from t where 'a%' like 'a%' and n < 4"
    assert rows_of(postgres_schema_url, sql, keyset=["k", "n"]) == whole
    for cut, row in enumerate(whole):
        assert rows_of(postgres_schema_url, sql, keyset=["k", "n"], after=row) == whole[cut + 1 :]
        some = "select k, n from t where n < %(most)s"
        assert rows_of(postgres_schema_url, some, {"most": 3}, keyset=["k", "n"], after=row) == [
            row for row in whole[cut + 1 :] if row[1] < 3
        ]


@pytest.mark.parametrize(
    "sql", ["select * from t;", "select * from t -- all", "with x as (select * from t) select * from x"]
)
def test_a_statement_is_taken_as_it_is(sql):
    with closing(table([(2,), (1,)], "a")) as con:
        assert rows_of(con, sql, keyset=["a"], after=[1]) == [(2,)]


def test_one_column_may_be_named_by_itself():
    with closing(table([(2,), (1,)], "ab")) as con:
        assert rows_of(con, keyset="ab") == [(1,), (2,)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1,), (None,)], "the keyset column 'a' has NULL"),
        ([(1.5,)], "the keyset column 'a' has a float"),
        ([(b"x",)], "the keyset column 'a' has a bytes"),
        ([(1,), (1,)], "a row with a=1 comes after one with a=1: name columns that are unique together"),
        ([(1,), ("x",)], "the values of the keyset a have no order"),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 100])
def test_what_does_not_ascend_is_an_error(rows, message, batch_size):
    with closing(table(rows, "a")) as con, pytest.raises(KeysetBroken, match=message):
        rows_of(con, keyset=["a"], batch_size=batch_size)


def test_a_text_in_another_order_than_by_code_point_is_an_error():
    with closing(table([("a",), ("B",), ("c",)], "a text collate nocase")) as con:
        with pytest.raises(KeysetBroken, match=r"a row with a='B' comes after one with a='a': .*binary collation"):
            rows_of(con, keyset=["a"])
        assert rows_of(con, "select a collate binary as a from t", keyset=["a"]) == [("B",), ("a",), ("c",)]


def test_a_message_for_clients_has_no_values():
    with closing(table([(7,), (7,)], "a")) as con, pytest.raises(KeysetBroken) as caught:
        rows_of(con, keyset=["a"])
    assert "7" not in caught.value.for_client


def test_a_column_that_is_not_there_is_an_error():
    with closing(table([(1,)], "a")) as con:
        for sql in ("select * from t", "select * from t where a > 1"):
            with pytest.raises(KeyColumnError, match="b"):
                rows_of(con, sql, keyset=["b"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keyset": ["a"], "keys": [1], "sql": "select * from t where a in (:keys)"}, "keys or a keyset, not both"),
        ({"keyset": ["a", "a"]}, "each column once"),
        ({"keyset": ["a"], "after": [1, 2]}, "after has 2 values for the 1 columns"),
        ({"after": [1]}, "after has 1 values for the 0 columns"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with closing(table([(1,)], "a")) as con, pytest.raises(StatementError, match=message):
        rows_of(con, **options)


def test_arrow_batches_are_looked_at_too(postgres, postgres_schema_url):
    pytest.importorskip("pyarrow")
    postgres.execute("create table t (a int)")
    postgres.execute("insert into t values (2), (1), (1)")
    postgres.commit()
    with read_sql_iter("select a from t", postgres_schema_url, keyset=["a"]) as reader, pytest.raises(KeysetBroken):
        list(reader.arrow())
    with read_sql_iter("select distinct a from t", postgres_schema_url, keyset=["a"], after=[1]) as reader:
        assert [batch.num_rows for batch in reader.arrow()] == [1]


def test_values_that_the_database_takes_for_one_are_never_left_out():
    """``'a' > 'A'`` is false there, so a place between them would end the one or the other in silence."""
    columns = "a text collate nocase, b int"
    with closing(table([("A", 1), ("a", 2)], columns)) as con:
        assert rows_of(con, keyset=["b", "a"]) == [("A", 1), ("a", 2)]
        assert rows_of(con, "select a from t where b < 3 order by b", keyset=["a"], after=["A"]) == [("a",)]
        with pytest.raises(KeysetBroken):
            rows_of(con, keyset=["a"], after=["a"])
    with closing(table([("a", 1), ("A", 2)], columns)) as con, pytest.raises(KeysetBroken):
        rows_of(con, keyset=["a", "b"])


def test_a_null_behind_the_place_is_an_error_too(postgres, postgres_schema_url):
    postgres.execute("create table t (a int, b int)")
    postgres.execute("insert into t values (1, 1), (2, 1), (2, null), (null, 1)")
    postgres.commit()
    for keyset, after in ((["a"], [1]), (["a", "b"], [1, 1])):
        with pytest.raises(KeysetBroken, match="NULL"):
            rows_of(postgres_schema_url, "select * from t where b = 1 or a = 2", keyset=keyset, after=after)
    assert rows_of(postgres_schema_url, "select a from t where b = 1 and a > 0", keyset=["a"], after=[1]) == [(2,)]


def test_the_row_at_the_place_comes_once_and_its_double_is_an_error():
    with closing(table([(1,), (2,)], "a")) as con:
        assert rows_of(con, keyset=["a"], after=[1]) == [(2,)]
        assert rows_of(con, keyset=["a"], after=[2]) == []
        assert rows_of(con, keyset=["a"], after=[0]) == [(1,), (2,)], "it may be gone meanwhile"
        con.execute("insert into t values (1)")
        for batch_size in (1, 9):
            with pytest.raises(KeysetBroken, match="a=1 comes after one with a=1"):
                rows_of(con, keyset=["a"], after=[1], batch_size=batch_size)


@pytest.mark.parametrize(
    ("driver", "module"), [("pymysql", "pymysql"), ("mysqldb", "MySQLdb"), ("mysqlconnector", "mysql.connector")]
)
def test_mariadb_goes_on_after_any_row_of_a_binary_text(mariadb_server, driver, module):
    pymysql = pytest.importorskip("pymysql")
    pytest.importorskip(module)
    whole = [(day, text) for day in (date(2026, 1, 1), date(2026, 1, 2)) for text in ("A", "a", "b%", "é")]
    with closing(pymysql.connect(**mariadb_server.arguments, autocommit=True)) as admin, admin.cursor() as cursor:
        cursor.execute("drop table if exists keyset_orders")
        cursor.execute(
            "create table keyset_orders (day date, `order` varchar(8) character set utf8mb4 collate utf8mb4_bin, "
            "folded varchar(8) character set utf8mb4 collate utf8mb4_general_ci)"
        )
        cursor.executemany("insert into keyset_orders values (%s, %s, %s)", [(*row, row[1]) for row in whole[::-1]])
    url = mariadb_server.url.replace("mysql:", f"mysql+{driver}:")
    sql = "select day, `order` from keyset_orders where 'x' like 'x%'"
    assert rows_of(url, sql, keyset=["day", "order"]) == whole
    for cut, row in enumerate(whole):
        assert rows_of(url, sql, keyset=["day", "order"], after=row) == whole[cut + 1 :]
    with pytest.raises(KeysetBroken, match="binary collation"):
        rows_of(url, "select folded from keyset_orders", keyset=["folded"], after=["A"])


@pytest.mark.parametrize("after", [None, ("b", 1)])
def test_an_enum_that_is_sorted_by_place_and_compared_as_text_is_refused_in_duckdb(after):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as con:
        con.execute("create table t (k enum('b', 'a'), n int)")
        con.execute("insert into t values ('a', 1), ('b', 1), ('b', 2)")
        with pytest.raises(KeysetBroken, match="'K' is an enum or set"):
            rows_of(con, keyset=["K", "n"], after=after)
        rows = [("a", 1), ("b", 1), ("b", 2)]
        found = rows_of(con, "select k::varchar as k, n from t", keyset=["k", "n"], after=after)
        assert found == rows[2 if after else 0 :]


@pytest.mark.parametrize("kind", ["enum", "set"])
@pytest.mark.parametrize("driver", ["pymysql", "mysqldb", "mysqlconnector", "mariadbconnector"])
def test_an_enum_that_is_sorted_by_place_and_compared_as_text_is_refused_in_mariadb(mariadb_server, driver, kind):
    pymysql = pytest.importorskip("pymysql")
    pytest.importorskip(
        {"mysqldb": "MySQLdb", "mysqlconnector": "mysql", "mariadbconnector": "mariadb"}.get(driver, driver)
    )
    with closing(pymysql.connect(**mariadb_server.arguments, autocommit=True)) as admin, admin.cursor() as cursor:
        cursor.execute("drop table if exists keyset_enums")
        cursor.execute(f"create table keyset_enums (k {kind}('b', 'a'), n int)")
        cursor.execute("insert into keyset_enums values ('a', 1), ('b', 1), ('b', 2)")
    url = mariadb_server.url.replace("mysql:", f"mysql+{driver}:")
    for after in (None, ("b", 1)):
        with pytest.raises(KeysetBroken, match="'k' is an enum or set"):
            rows_of(url, "select * from keyset_enums", keyset=["k", "n"], after=after)
