from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from mesbatch import read_sql_iter
from mesbatch.batch import Column
from mesbatch.errors import DatabaseBusy, DatabaseTimeout

psycopg = pytest.importorskip("psycopg")


@pytest.mark.parametrize("owned", [False, True], ids=["the caller's", "a URL"])
@pytest.mark.parametrize("rows", [0, 1, 250])
def test_the_columns_carry_what_postgres_declares(postgres, postgres_schema_url, owned, rows):
    sql = f"select n::numeric(12, 3) as q, 'a'::varchar(16) as v, n from generate_series(1, {rows}) n"
    with read_sql_iter(sql, postgres_schema_url if owned else postgres) as reader:
        assert reader.description == (
            Column("q", "numeric", None, 12, 3), Column("v", "varchar", 16), Column("n", "int4", 4),
        ) or reader.columns == ("q", "v", "n")  # fmt: skip
        found = [row for batch in reader for row in batch.rows]
    assert found == [(Decimal(n), "a", n) for n in range(1, rows + 1)]


def test_types_without_a_loader_of_their_own_come_as_text(postgres, postgres_schema_url):
    sql = "select '1.50'::numeric::money as m, 'a fat cat'::tsvector as t, '<a/>'::xml as x, '{1,2}'::int[] as a"
    for con in (postgres, postgres_schema_url):
        (row,) = (row for batch in read_sql_iter(sql, con) for row in batch.rows)
        assert row == ("$1.50", "'a' 'cat' 'fat'", "<a/>", [1, 2])


@pytest.mark.parametrize(
    "sql", ["show work_mem", "values (1), (2)", "explain select 1", "table t", "(select 1)", "select"]
)
def test_every_statement_that_returns_rows_is_read(postgres, postgres_schema_url, sql):
    postgres.execute("create table t as select 1 as n")
    postgres.commit()
    expected = postgres.execute(sql).fetchall()
    for con in (postgres_schema_url, postgres):
        assert [row for batch in read_sql_iter(sql, con) for row in batch.rows] == expected


def test_a_lock_that_is_not_given_is_busy(postgres, postgres_schema_url):
    postgres.execute("create table t (n int)")
    postgres.commit()
    postgres.execute("lock table t")
    with psycopg.connect(postgres_schema_url) as con:
        con.execute("set lock_timeout = 50")
        with pytest.raises(DatabaseBusy, match="lock timeout"):
            list(read_sql_iter("select * from t", con))


def test_the_servers_own_time_limit_is_a_timeout(postgres_schema_url):
    with psycopg.connect(postgres_schema_url) as con:
        con.execute("set statement_timeout = 50")
        with pytest.raises(DatabaseTimeout, match="statement timeout"):
            list(read_sql_iter("select pg_sleep(20)", con))


def test_two_readers_share_the_callers_connection(postgres):
    first = read_sql_iter("select n from generate_series(1, 300) n", postgres, batch_size=100)
    second = read_sql_iter("select -n from generate_series(1, 300) n", postgres, batch_size=100)
    with first, second:
        rows = [(a.num_rows, b.num_rows) for a, b in zip(first, second)]
    assert rows == [(100, 100)] * 3


@pytest.mark.parametrize("condition", ["id::text in (:keys)", "id = 1 and id::text in (:keys)"])
def test_keys_of_a_cast_are_read_without_asking_the_planner_for_a_column_that_is_none(postgres, condition):
    postgres.execute("create table lots as select n as id, n::text as k from generate_series(1, 9) n")
    with read_sql_iter(f"select id, k from lots where {condition}", postgres, keys=["1"], key="k") as reader:
        assert [row for batch in reader for row in batch.rows] == [(1, "1")]


@pytest.mark.parametrize("strategy", ["in-list", "array", "look-up", "temporary-table"])
def test_moments_of_the_hour_that_comes_twice_are_keys_of_their_own(postgres, strategy):
    postgres.execute("set time zone 'Europe/Berlin'")
    postgres.execute("create table t (at timestamptz, n int)")
    postgres.execute(
        "insert into t select '2025-10-26 00:00Z'::timestamptz + n * interval '10 min', n from generate_series(0, 12) n"
    )
    berlin = ZoneInfo("Europe/Berlin")
    keys = [datetime(2025, 10, 26, 2, minute, fold=fold, tzinfo=berlin) for minute, fold in [(30, 1), (30, 0), (10, 1)]]
    with read_sql_iter("select * from t where at in (:keys)", postgres, keys=keys, strategy=strategy) as reader:
        assert [n for batch in reader for _, n in batch.rows] == [3, 7, 9]
