"""A statement reads, has its keys in one place, and is ordered somewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import bindparam, column, select, table
from sqlalchemy.dialects import oracle, postgresql, sqlite

from mesbatch.errors import StatementError
from mesbatch.sql.query import check_reads, find_keys, find_order_by

READING = [
    "select 1",
    "SELECT * FROM t WHERE a = 'insert into x; delete from y'",
    "with x as (select 1) select * from x",
    "with recursive x(n) as (select 1 union all select n + 1 from x) select * from x",
    "values (1), (2)",
    "table lots",
    "(select 1) union (select 2)",
    "pragma table_info(lots)",
    "show work_mem",
    "explain select 1",
    "explain query plan select 1",
    "explain (analyze, buffers) with x as (select 1) select * from x",
    "select * from t for update",
    "select * from t for no key update of t",
    "select t.into, a as into from t",
    "select update_time, count(update) from t",
    "select /*+ index(h) */ * from h",
    "select a[1] from t where b = $$;$$",
    "select q'[;]' from dual",
]
REFUSED = [
    "",
    "  -- nothing\n /* at all */ ;",
    ";",
    "select 1; select 2",
    "select 1; delete from t",
    "insert into t values (1)",
    "insert into t values (1) returning id",
    "update t set a = 1 returning a",
    "delete from t",
    "merge into t using u on (1 = 1) when matched then update set a = 1",
    "with x as (insert into t values (1) returning a) select * from x",
    "with x as (update t set a = 1 returning a) select * from x",
    "with x as materialized (delete from t returning a) select * from x",
    "with x as (with y as (select 1) delete from t returning a) select * from x",
    "with x as (select 1) insert into t select * from x",
    "with x as (select 1) update t set a = 1",
    "with x as (select 1) delete from t",
    "select * into copy from t",
    "explain analyze delete from t",
    "explain (analyze) insert into t values (1)",
    "explain plan for select 1",
    "explain",
    "begin",
    "create table t (a)",
    "drop table t",
    "call f()",
    "copy t to stdout",
    "select 'abc",
    'select "abc',
    "select 1 /* open",
    "select (1",
    "select 1)",
]


@pytest.mark.parametrize("sql", READING)
def test_a_statement_that_reads_passes_as_it_is(sql):
    assert check_reads(sql) == sql


@pytest.mark.parametrize("sql", REFUSED)
def test_a_statement_that_changes_or_is_none_or_two_is_refused(sql):
    with pytest.raises(StatementError):
        check_reads(sql)


@given(st.lists(st.sampled_from([";", " ", "\n", "-- done\n", "/* ; */"])).map("".join))
def test_what_follows_a_statement_without_meaning_is_trimmed(tail):
    assert check_reads(f"/* who */ select 1{tail}") == "/* who */ select 1"


@pytest.mark.parametrize(
    ("sql", "column", "negated"),
    [
        ("select * from t where k in (:keys)", "k", False),
        ("select * from t where k IN(:keys)", "k", False),
        ("select * from t where k in ( :KEYS )", "k", False),
        ("select * from t where k in /* these */ ( -- :keys\n :keys )", "k", False),
        ("select ':keys' from t where k in (:keys) -- :keys", "k", False),
        ("select a::keys from t where k in (:keys)", "k", False),
        ("select * from t where e.CONTAINERID in (:keys)", "CONTAINERID", False),
        ("select * from t where s.e.CONTAINERID in (:keys)", "CONTAINERID", False),
        ('select * from t where e."Container ""Id""" in (:keys)', 'Container "Id"', False),
        ("select * from t where [e].[Container Id] in (:keys)", "Container Id", False),
        ("select * from t where `k` in (:keys)", "k", False),
        ("select * from t where a = 1 and (k in (:keys))", "k", False),
        ("select * from t where k not in (:keys)", "k", True),
        ("select * from t where k NOT IN (:keys)", "k", True),
        ("select k in (:keys) from t", "k", False),
        ("select * from t where upper(k) in (:keys)", None, False),
        ("select * from t where a || k in (:keys)", None, False),
        ("select * from t where -k in (:keys)", None, False),
        ("select * from t where k::text in (:keys)", None, False),
        ("select * from t where k collate nocase in (:keys)", None, False),
        ("select * from t where (a, k) in (:keys)", None, False),
        ("select * from t where false = k in (:keys)", None, False),
        ("select * from t where k in (__[POSTCOMPILE_keys])", "k", False),
        ("select * from t where k in (__[POSTCOMPILE_keys~~CAST(~~REPL~~ AS INT)~~])", "k", False),
    ],
)
def test_the_keys_are_found_with_their_column(sql, column, negated):
    place = find_keys(sql)
    assert (place.column, place.negated) == (column, negated)
    assert sql.startswith(place.before)
    assert sql.endswith(place.after)
    hole = sql[len(place.before) : len(sql) - len(place.after)]
    assert hole[0] + hole[-1] == "()"
    assert "keys" in hole.lower()
    assert place.before.rstrip().removesuffix("/* these */").rstrip().lower().endswith("in")
    between = place.before[len(place.before_in) :].replace("/* these */", "").split()
    assert [word.lower() for word in between] == (["not", "in"] if negated else ["in"])


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select * from t", "no :keys"),
        ("select * from t where k = ':keys'", "no :keys outside a string"),
        ("select * from t -- in (:keys)", "no :keys outside a comment"),
        ('select * from t where k in (":keys")', "no :keys outside a quoted"),
        ("select a::keys from t", "no :keys"),
        ("select * from t where k in (:keys2)", "no :keys"),
        ("select * from t where k in (:keys) or j in (:keys)", ":keys 2 times"),
        ("select * from t where k = :keys", "k = :keys'"),
        ("select * from t where k in (:keys, 3)", "in (:keys, 3'"),
        ("select * from t where k in (3, :keys)", ":keys stands as"),
        ("select * from t where k in :keys", "k in :keys'"),
        ("select * from t where k in ((:keys))", ":keys stands as"),
        ("select * from t where k = any(:keys)", "any(:keys)"),
        ("select * from t where k in (:keys + 1)", ":keys stands as"),
        (":keys", ":keys stands as"),
        ("(:keys)", ":keys stands as"),
        ("in (:keys", ":keys stands as"),
    ],
)
def test_keys_in_the_wrong_place_are_refused_with_the_words_found(sql, words):
    with pytest.raises(StatementError) as caught:
        find_keys(sql)
    assert words in str(caught.value)
    assert "wanted: IN (:keys)" in str(caught.value)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect(), oracle.dialect()])
def test_keys_are_found_in_what_sqlalchemy_compiles(dialect):
    lots = table("lots", column("k"), column("Lot Name"))
    keys = bindparam("keys", expanding=True)
    place = find_keys(str(select(lots).where(lots.c["Lot Name"].in_(keys), lots.c.k > 1).compile(dialect=dialect)))
    assert (place.column, place.negated) == ("Lot Name", False)
    place = find_keys(str(select(lots).where(lots.c.k.not_in(keys)).compile(dialect=dialect)))
    assert (place.column, place.negated) == ("k", True)


@pytest.mark.parametrize(
    ("sql", "terms", "rest"),
    [
        ("select a from t", None, ""),
        ("select a from t order by a", "a", ""),
        ("select a from t order by f(a, b) desc, c nulls last", "f(a, b) desc, c nulls last", ""),
        ("select a from t order by a limit 5 offset 2", "a", "limit 5 offset 2"),
        ("select a from t limit 5", None, "limit 5"),
        ("select a from t order by a fetch first 5 rows only", "a", "fetch first 5 rows only"),
        ("select a from t order by a for update", "a", "for update"),
        ("select max(a) over (order by b) from t", None, ""),
        ("select a from (select a from t order by b limit 1) x", None, ""),
        ("select listagg(a) within group (order by b) from t", None, ""),
        ("with x as (select 1 order by 1) select * from x order by /* how */ 2 -- so", "2", ""),
        ("select t.limit, a as offset, fetch from t order by limit", "limit", ""),
    ],
)
def test_the_order_of_the_outermost_select_is_found(sql, terms, rest):
    order = find_order_by(sql)
    assert (order.terms, order.after) == (terms, rest)
    assert order.is_one_select
    assert sql.startswith(order.before)
    assert order.is_limited == any(word in rest for word in ("limit", "fetch"))
    assert order.is_locking == ("for update" in rest)


def test_a_statement_around_its_order_is_the_statement_again():
    order = find_order_by(check_reads("select a\nfrom t -- here\norder by a, b limit 3;"))
    assert f"{order.before}order by {order.terms} {order.after}" == "select a\nfrom t -- here\norder by a, b limit 3"


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 union all select 2 order by 1",
        "select 1 except select 2",
        "select 1 minus select 2",
        "(select 1)",
        "values (1)",
        "table t",
        "pragma table_info(t)",
        "select a from t start with a = 1 connect by prior a = b order siblings by a",
    ],
)
def test_an_order_that_belongs_to_no_single_select_is_said_to(sql):
    assert not find_order_by(sql).is_one_select
