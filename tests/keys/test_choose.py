from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import NotSplittable
from mesbatch.keys.choose import choose
from mesbatch.keys.collect import collect_keys
from mesbatch.keys.examine import examine
from mesbatch.source.connect import find_source
from mesbatch.sql.keyed import KeyedStatement

INDEXED = "select * from indexed where k in (:keys)"
BARE = "select * from bare where k in (:keys)"
COUNT = "select count(*) from indexed where k in (:keys)"


def chosen(con, sql, keys, name="auto", *, order="key", whole=False, key=None, parallel=1):
    session = find_source(con).open()
    statement = KeyedStatement.parse(sql, None, session.driver.paramstyle)
    query = examine(session, statement, key, splittable=False)
    try:
        return choose(session, query, collect_keys(keys), name, order, whole=whole, parallel=parallel)
    finally:
        session.close()


@pytest.fixture
def con():
    with closing(sqlite3.connect(":memory:")) as con:
        con.execute("create table indexed (n int, k int)")
        con.execute("create index i on indexed (k)")
        con.execute("create table bare (n int, k int)")
        yield con


@pytest.fixture
def pg(postgres):
    for table in ("indexed", "bare"):
        postgres.execute(f"create table {table} as select n, n % 5000 as k from generate_series(1, 50000) n")
    postgres.execute("create index on indexed (k)")
    postgres.execute("analyze indexed")
    postgres.execute("analyze bare")
    postgres.commit()
    return postgres


@pytest.mark.parametrize("sql", [INDEXED, BARE])
def test_sqlite_reads_a_sorted_list_on_the_callers_connection(con, sql):
    strategy, query = chosen(con, sql, range(5_000))
    assert (strategy.name, strategy.keys_per_part) == ("in-list", 1_000)
    assert (query.key.name, query.position) == ("k", 2)


@pytest.mark.parametrize(
    ("keys", "options", "expected"),
    [
        (range(1_001), {}, "temporary-table"),
        (range(1_000), {}, "in-list"),
        (range(5_000), {"order": "any"}, "in-list"),
        (range(5_000), {"parallel": 2}, "in-list"),
        ([key.to_bytes(2) for key in range(5_000)], {}, "in-list"),
    ],
)
def test_sqlite_joins_a_table_of_keys_on_a_connection_of_our_own(con, tmp_path, keys, options, expected):
    path = tmp_path / "keyed.db"
    con.execute("vacuum into ?", (str(path),))
    assert chosen(f"sqlite:///{path}", INDEXED, keys, **options)[0].name == expected


@pytest.mark.parametrize(
    ("sql", "keys", "expected"),
    [
        (INDEXED, 1, "look-up"), (INDEXED, 500, "look-up"), (INDEXED, 5_000, "temporary-table"),
        (BARE, 1, "look-up"), (BARE, 10, "temporary-table"), (BARE, 5_000, "temporary-table"),
    ],
)  # fmt: skip
def test_postgres_looks_up_where_an_index_helps(pg, postgres_schema_url, sql, keys, expected):
    strategy, _ = chosen(postgres_schema_url, sql, range(keys))
    assert strategy.name == expected


def test_all_keys_are_looked_up_where_texts_would_be_sorted(pg, postgres_schema_url):
    pg.execute("create table texts as select k::text, repeat('x', 80) as remark from indexed")
    pg.execute("create index on texts (k)")
    pg.execute("analyze texts")
    pg.execute("create table numbers as select k::int, remark from texts")
    pg.execute("create index on numbers (k)")
    pg.execute("analyze numbers")
    pg.commit()
    for table, key_type, expected in (("texts", str, "look-up"), ("numbers", int, "temporary-table")):
        keys = list(map(key_type, range(5_000)))
        assert chosen(postgres_schema_url, f"select * from {table} where k in (:keys)", keys)[0].name == expected


def test_few_keys_of_a_small_table_need_no_table_of_keys(pg, postgres_schema_url):
    pg.execute("create table small as select n as k from generate_series(1, 100) n")
    pg.execute("analyze small")
    pg.commit()
    assert chosen(postgres_schema_url, "select k from small where k in (:keys)", range(100))[0].name == "look-up"


@pytest.mark.parametrize("big", ["least", "greatest"])
def test_one_key_with_most_of_the_rows_does_not_speak_for_the_others(pg, postgres_schema_url, big):
    sign = 1 if big == "least" else -1
    pg.execute(f"create table skewed as select {sign} * greatest(n - 50000, 0) as k from generate_series(1, 51000) n")
    pg.execute("create index on skewed (k)")
    pg.execute("analyze skewed")
    pg.commit()
    keys = [sign * k for k in range(1_000)]
    assert chosen(postgres_schema_url, "select k from skewed where k in (:keys)", keys)[0].name == "look-up"


def test_no_temporary_table_is_made_on_the_callers_connection(pg):
    assert chosen(pg, BARE, range(5_000))[0].name == "array"


def test_one_statement_serves_all_keys_where_cutting_would_change_the_answer(con, pg, postgres_schema_url):
    for source, keys, expected in [
        (con, [1], "array"), (pg, [1], "array"), (postgres_schema_url, [1], "array"),
        (postgres_schema_url, iter([1]), "temporary-table"), (pg, iter([1]), "array"),
    ]:  # fmt: skip
        strategy, query = chosen(source, COUNT, keys)
        assert (strategy.name, strategy.keys_per_part, query.key) == (expected, None, None)


@pytest.mark.parametrize("name", ["in-list", "look-up"])
def test_a_strategy_that_cuts_refuses_what_cannot_be_cut(pg, name):
    with pytest.raises(NotSplittable, match="LIMIT"):
        chosen(pg, f"{INDEXED} order by n limit 3", [1], name)
    with pytest.raises(NotSplittable, match=r"count\(\*\)"):
        chosen(pg, COUNT, [1], name)


def test_the_caller_may_answer_for_a_statement_that_cannot_be_judged(con):
    con.create_function("secret", 1, lambda n: n)
    con.execute("insert into indexed values (1, 5)")
    sql = "select k, secret(n) from indexed where k in (:keys)"
    with pytest.raises(NotSplittable):
        list(read_sql_iter(sql, con, keys=[5], strategy="in-list"))
    rows = [
        row for batch in read_sql_iter(sql, con, keys=[5], strategy="in-list", splittable=True) for row in batch.rows
    ]
    assert rows == [(5, 1)]


def test_rows_in_any_order_need_no_sort_where_one_statement_has_them(pg):
    assert chosen(pg, BARE, range(5_000), "temporary-table", order="any")[1].key is None
    assert chosen(pg, BARE, range(5_000), "temporary-table", order="key")[1].key.name == "k"
    assert chosen(pg, BARE, range(5_000), "in-list", order="any")[1].key.name == "k"


def test_a_statement_whose_result_lacks_the_key_is_not_cut(con):
    strategy, query = chosen(con, "select n from indexed where k in (:keys)", [1])
    assert (strategy.name, query.key) == ("array", None)
    assert chosen(con, "select n, k as lot from indexed where k in (:keys)", [1], key="lot")[1].position == 2
