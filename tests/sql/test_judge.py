"""An output is the key only if the text proves it; a statement is cut only if all its clauses are known."""

from __future__ import annotations

import pytest

from mesbatch.errors import StatementError
from mesbatch.sql.judge import judge

PROVED = [  # statement, columns of its result, the key's positions
    ("select lot, qty from h where lot in (:keys)", "lot qty", [0]),
    ("select qty, LOT from h where lot in (:keys)", "qty LOT", [1]),
    ("select h.lot, qty from h where lot in (:keys)", "lot qty", [0]),
    ("select lot, qty from h where h.lot in (:keys)", "lot qty", [0]),
    ("select history.lot from mes.history where mes.history.lot in (:keys)", "lot", [0]),
    ('select "Lot" from h where "Lot" in (:keys)', "Lot", [0]),
    ("select lot, lot as again, qty from h where lot in (:keys)", "lot again qty", [0, 1]),
    ("select rowid, qty from h where rowid in (:keys)", "id qty", [0]),
    ("select oid, * from h where h.oid in (:keys)", "oid lot qty", []),
    # under another name, in every quoting
    ("select lot as l, nxt as lot from h where lot in (:keys)", "l lot", [0]),
    ('select lot as "nxt", nxt as "lot" from h where lot in (:keys)', "nxt lot", [0]),
    ("select lot 'l' from h where lot in (:keys)", "l", []),  # a constant of type lot, for PostgreSQL
    ("select lot as 'l' from h where lot in (:keys)", "l", [0]),
    ("select nxt lot, lot nxt from h where lot in (:keys)", "lot nxt", [1]),
    ("select nxt as [lot], lot as `l` from h where lot in (:keys)", "lot l", [1]),
    # joins
    ("select h.lot, p.lot as parent from h join p on p.id = h.pid where h.lot in (:keys)", "lot parent", [0]),
    ("select lot, name from h join p on p.id = h.pid where h.lot in (:keys)", "lot name", [0]),
    ("select h.lot, name from h join p on p.id = h.pid where lot in (:keys)", "lot name", [0]),
    ("select h.lot from p left join h on p.id = h.pid where h.lot in (:keys)", "lot", [0]),
    ("select h.lot, p.lot from h full join p using (lot) where h.lot in (:keys)", "lot lot", [0]),
    ("select lot, qty from h full join p using (lot) where lot in (:keys)", "lot qty", [0]),
    ("select h.lot, p.name from h, p where h.lot in (:keys) and p.id = h.pid", "lot name", [0]),
    ("select h.lot from (h join p using (id)) where h.lot in (:keys)", "lot", [0]),
    ("select x.lot from mes.history as x cross join p where x.lot in (:keys)", "lot", [0]),
    # stars
    ("select * from h where lot in (:keys)", "id LOT qty", [1]),
    ("select * from h join p on p.id = h.pid where h.lot in (:keys)", "id lot pid id name", [1]),
    ("select h.*, p.name from h join p on p.id = h.pid where h.lot in (:keys)", "id lot pid name", [1]),
    ("select h.*, p.name from h join p using (id) where h.lot in (:keys)", "id lot name", [1]),
    ("select p.*, h.* from h join p on p.id = h.pid where h.lot in (:keys)", "name id lot", [2]),
    ("select p.*, h.qty from h join p on p.id = h.pid where lot in (:keys)", "id lot qty", [1]),
    ("select * from h join p using (lot) where lot in (:keys)", "lot qty", [0]),
    ("select * from h natural join p where lot in (:keys)", "lot qty", [0]),
    ("select h.*, count(*) over (partition by lot) from h where lot in (:keys)", "id lot count", [1]),
    # derived tables
    ("select * from (select nxt, lot from h where lot in (:keys)) d", "nxt lot", [1]),
    ("select lot from (select * from (select lot from h where lot in (:keys)) d, p) e", "lot", [0]),
    ("select d.l, x from (select lot as l, x from h where lot in (:keys)) d", "l x", [0]),
    ('select d."L" from (select lot as "L", x from h where lot in (:keys)) d', "L", [0]),
    ("select l as lot, lot as l from (select lot as l, nxt as lot from h where lot in (:keys)) d", "lot l", [0]),
    ("select lot from (select * from h join p on p.id = h.pid where h.lot in (:keys)) d", "lot", [0]),
    ("select * from (select h.*, p.name from h join p using (id) where h.lot in (:keys)) d", "id lot name", [1]),
    ("select d.*, p.name from (select * from h where lot in (:keys)) d left join p on p.id = d.id", "lot id name", [0]),
    (
        "select lot from (select lot, n from (select lot, count(*) n from h where lot in (:keys) group by lot) a) b",
        "lot",
        [0],
    ),
    (
        "select l, r from (select l, row_number() over (partition by l order by x) r from h where l in (:keys)) d",
        "l r",
        [0],
    ),
]
WITHS = [
    ("with d as (select qty, lot from h where lot in (:keys)) select * from d", "qty lot", [1]),
    (
        "with d as (select qty, lot as l from h where lot in (:keys)) select x.l, qty from d x join p on p.l = x.l",
        "l qty",
        [0],
    ),
    ("with d (l, lot) as (select lot, nxt from h where lot in (:keys)) select lot, l from d", "lot l", [1]),
    ("with d (l) as (select lot, nxt from h where lot in (:keys)) select nxt, l from d", "nxt l", [1]),
    ("with d as materialized (select lot from h where lot in (:keys)) select lot from d", "lot", [0]),
    ("with d as not materialized (select lot from h where lot in (:keys)) select lot from d", "lot", [0]),
    ("with a as (select lot from h where lot in (:keys)), b as (select lot as l from a) select l from b", "l", [0]),
    (
        "with v as (select max(x) m from p limit 1), d as (select l from h where l in (:keys)) select l, m from d, v",
        "l m",
        [0],
    ),
    (
        "with d as (select lot from h where lot in (:keys)), v as (select 1 as x) select d.lot from d cross join v",
        "lot",
        [0],
    ),
    ("with d as (select lot from h where lot in (:keys)) select lot from (select lot, 1 as x from d) e", "lot", [0]),
    ("select lot from (with d as (select lot from h where lot in (:keys)) select * from d) e", "lot", [0]),
    (
        "with d as (with e as (select lot from h where lot in (:keys)) select lot from e) select d.lot from d",
        "lot",
        [0],
    ),
    ("with d as (select lot from h where lot in (:keys)) select d, lot from d", "d lot", [1]),
    (
        """
        with ranked as (
            select CONTAINERID, EQUIPMENTID, SPEC, TRACKIN, TRACKOUT,
                   row_number() over (partition by CONTAINERID, EQUIPMENTID, SPEC, TRACKIN order by TRACKOUT desc) rn
              from history where CONTAINERID in (:keys) and EQUIPMENTID is not null)
        select r.CONTAINERID, c.NAME, r.TRACKIN from ranked r left join containers c on c.ID = r.CONTAINERID
         where rn = 1 order by TRACKIN
        """,
        "CONTAINERID NAME TRACKIN",
        [0],
    ),
]
UNPROVED = [  # they may be cut, and no output of theirs is the key
    (
        "select coalesce(p.lot, h.lot) as lot, h.qty from h left join p on p.id = h.pid where h.lot in (:keys)",
        "lot qty",
    ),
    ("select nxt as cid, n from moves where cid in (:keys)", "cid n"),
    ("select p.lot, h.qty from h join p on p.id = h.pid where h.lot in (:keys)", "lot qty"),
    ("select nxt 'lot' from h where lot in (:keys)", "lot"),
    ("select nxt [lot] from h where lot in (:keys)", "lot"),
    ("select qty from h where lot in (:keys)", "qty"),
    ("select upper(lot) as lot from h where lot in (:keys)", "lot"),
    ("select lot collate nocase from h where lot in (:keys)", "lot"),
    ("select (lot) from h where lot in (:keys)", "lot"),
    ("select upper(lot) as lot from h where upper(lot) in (:keys)", "lot"),
    ('select "lot" from h where lot in (:keys)', "lot"),  # two columns, for Oracle
    ('select "LOT" from h where lot in (:keys)', "LOT"),  # two columns, for PostgreSQL
    ("select É from h where é in (:keys)", "É"),  # two columns, for SQLite
    ("select s.lot from h where lot in (:keys)", "lot"),  # s may be a column with fields
    ("select lot from h where s.lot in (:keys)", "lot"),
    ("select H.lot from h join p H on H.id = h.id where h.lot in (:keys)", "lot"),  # two tables, for MySQL
    ("select h.rowid from h join p on p.id = h.id where rowid in (:keys)", "rowid"),
    ("select lot from h join p H on H.id = h.id where h.lot in (:keys)", "lot"),
    ("select other.h.lot from mes.h where lot in (:keys)", "lot"),
    ('select h.lot from mes.t "h" where lot in (:keys)', "lot"),
    ("select lot from h partition (p1) x where h.lot in (:keys)", "lot"),
    # joins that merge two columns into one
    ("select lot from h full join p using (lot) where h.lot in (:keys)", "lot"),
    ("select p.lot from h join p using (lot) where lot in (:keys)", "lot"),
    ("select * from h join p using (lot) where h.lot in (:keys)", "lot qty"),
    ("select h.* from h full join p using (id, lot) where h.lot in (:keys)", "id lot"),
    ("select * from h natural left join p where h.lot in (:keys)", "lot qty"),
    ("select lot from (h natural join p) where h.lot in (:keys)", "lot"),
    # stars
    ("select p.*, h.qty from h join p on p.id = h.pid where h.lot in (:keys)", "id lot qty"),
    ("select p.*, nxt as lot from h join p on p.id = h.pid where lot in (:keys)", "id lot"),
    ("select * from h join p on p.id = h.pid where h.lot in (:keys)", "id lot pid id lot"),
    ("select * from p join h on p.id = h.pid where h.lot in (:keys)", "id lot id:1 LOT:1"),
    ("select * from p join h on p.id = h.pid where h.lot in (:keys)", "id lot id_1 LOT_1"),
    ("select * from h where lot in (:keys)", "lot LOT"),
    ("select * from h where rowid in (:keys)", "rowid qty"),
    ("select h.*, nxt as lot from h where lot in (:keys)", "id lot"),
    ("select * replace (nxt as lot) from h where lot in (:keys)", "id lot"),
    ("select * from h where lot in (:keys)", None),
    ("select unnest(s), lot from h where lot in (:keys)", "lot x lot"),
    # derived tables
    ("select lot from (select nxt as lot, lot as l from h where lot in (:keys)) d", "lot"),
    ("select lot from (select (p.lot), h.lot from h, p where h.lot in (:keys)) d", "lot"),
    ("select lot from (select case when 1 = 1 then 1 else p.lot end, h.lot from h, p where h.lot in (:keys)) d", "lot"),
    ('select lot from (select nxt as "LOT", lot from h where lot in (:keys)) d', "lot"),
    ("select lot from (select nxt 'LOT', lot from h where lot in (:keys)) d", "lot"),
    ("select lot from (select p.*, h.* from h, p where h.lot in (:keys)) d", "lot"),
    ("select lot from (select lot, nxt from h where lot in (:keys)) d (nxt, lot)", "lot"),
    ("select p.lot from (select lot from h where lot in (:keys)) d join p on p.lot = d.lot", "lot"),
    ("select lot from (select lot from h where lot in (:keys)) d join p using (lot)", "lot"),
    ("select * from (select lot from h where lot in (:keys)) d natural join p", "lot id"),
    ("select p.* from (select lot from h where lot in (:keys)) d join p on p.id = d.lot", "id lot"),
    ("select d.* from (select p.lot, h.lot from h, p where h.lot in (:keys)) d", "lot lot:1"),
    ("select int4 from (select a::int, lot as int4 from h where lot in (:keys)) d", "int4"),
    ('select "a b" from (select a||b, lot as "a b" from h where lot in (:keys)) d', "a b"),
    ("select * from (select p.* from h join p on p.id = h.id where lot in (:keys)) d, e", "id lot"),
    ("select lot from (select * from (select p.* from h, p where lot in (:keys)) c, e) d", "lot"),
    ("select lot from (select unnest(s), lot from h where lot in (:keys)) d", "lot"),
    # WITHs
    ("with d (l, lot) as (select h.*, lot as x from h where lot in (:keys)) select l from d", "l"),
    ("with d (lot, l) as (select nxt, lot from h where lot in (:keys)) select lot from d", "lot"),
    ("with d (l, lot) as (select * from h where lot in (:keys)) select l from d", "l"),
    ("with d as (select nxt as lot from h where lot in (:keys)) select * from d", "lot"),
]
REFUSED = [  # statement, words of the reason
    ("select k from t where k in (:keys) order by id using > limit 3", "id using"),
    ("select k from t where k in (:keys) order by id + limit 3", "LIMIT is not the same"),
    ("select k from t where k in (:keys) order by by limit 3", "LIMIT is not the same"),
    ("select k from t where k in (:keys) order by by offset 3", "OFFSET is not the same"),
    ("select k from t where k in (:keys) order by - by fetch first 3 rows only", "FETCH is not the same"),
    ("select k from t where k in (:keys) and a = any limit 3", "LIMIT is not the same"),
    ("select k from t where k in (:keys) and 5 ! limit 3", "LIMIT is not the same"),
    ("select k from t where k in (:keys) and a = t.by limit :n", "LIMIT is not the same"),
    ("select k from t where k in (:keys) group by k, by limit (3)", "LIMIT is not the same"),
    ("select k from t where k in (:keys) limit all", "LIMIT is not the same"),
    ("select k from t where k in (:keys) order by t.as limit 3", "LIMIT is not the same"),
    ("select k from t where k in (:keys) limit - 1", "LIMIT is not the same"),
    ("select k from t where k in (:keys) order by id desc limit ?", "LIMIT is not the same"),
    ("select k from t where k in (:keys) order by as for update", "as for"),
    # a word of ORDER BY that may begin a clause
    ("select k from t where k in (:keys) order by id rows 5", "id rows"),
    ("select k from t where k in (:keys) order by id desc rows 1 to 5", "desc rows"),
    ("select k from t where k in (:keys) order by id nulls first optimize", "first optimize"),
    ("select k from t where k in (:keys) order by by settings a = 1", "by settings"),
    ("select k from t where k in (:keys) order by id 5", "id 5"),
    ("select k from t where k in (:keys) window w as (partition by k) sample 5", "w as"),
    ("select k from t where k in (:keys) group by k settings a = 1", "k settings"),
    ("with d as (select k from t where k in (:keys)) select k from d rows 5", "what follows the derived table"),
    ("with d as (select k from t where k in (:keys)) select k from d join u on u.a = d.a rows 5", "a rows"),
    ("with d as (select k from t where k in (:keys)) select k from d join u using (a) sample 5", "sample 5"),
    ("select k from (select k from t where k in (:keys)) d positional join u", "positional"),
    # before the outputs
    ("select first 5 k from t where k in (:keys)", "FIRST is not the same"),
    ("select skip 2 first 5 k from t where k in (:keys)", "SKIP is not the same"),
    ("select limit 2 5 k from t where k in (:keys)", "not a SELECT whose clauses are known"),
    ("select first (:n) k, count(*) from t where k in (:keys) group by k", "FIRST is not the same"),
    ("select first (5) * from t where k in (:keys)", "FIRST is not the same"),
    ("select top :n k from t where k in (:keys)", "TOP is not the same"),
    ("select middle 5 k from t where k in (:keys)", "MIDDLE is not the same"),
    ("select last 5 k from t where k in (:keys)", "last 5"),
    ("select distinctrow a from t where k in (:keys)", "DISTINCT without the column of the keys"),
    # an aggregate without parentheses
    ("select t.count from t where k in (:keys)", "'t.count'"),
    ('select (t)."count" from t where k in (:keys)', "count"),
    ("select k from t where k in (:keys) order by t.array_agg", "'t.array_agg'"),
    ("select (select t.count) from t where k in (:keys)", "'t.count'"),
    ("select x.count from (select k, a from t where k in (:keys)) x", "'x.count'"),
    ("select x.count from (select k, coalesce(count, 0) from t where k in (:keys)) x", "'x.count'"),
    # a name that means an output first
    ("select distinct on (k) a as k from t where k in (:keys)", "DISTINCT without the column of the keys"),
    ("select distinct on (k) u.*, t.a from t, u where t.k in (:keys)", "DISTINCT without the column of the keys"),
    ("select t.a, u.k, count(*) from t, u where t.k in (:keys) group by t.a, k", "GROUP BY lacks"),
    ('select k, count(*) from (select a as "K", k from t where k in (:keys)) x group by k', "GROUP BY lacks"),
    ("select k, count(*) from (select a as 'k', k from t where k in (:keys)) x group by k", "GROUP BY lacks"),
    ('select k, count(*) from (select a "k", k from t where k in (:keys)) x group by k', "GROUP BY lacks"),
    ("select sum(a) over w from t where k in (:keys) window W as (), w as (partition by k)", "a window over"),
    # WITHs
    ("with d as (select k from t where k in (:keys)) select d.k from d, d e", "is used 2 times"),
    ("with d as (select k from t where k in (:keys)) select 1 from u", "is used 0 times"),
    ("with d as (select k from t where k in (:keys)) select k, (select count(*) from D) from d", "is used 2 times"),
    ("with d as (select k from t where k in (:keys)) select k from d where k in d", "is used 2 times"),
    ("with d as (select k from t where k in (:keys)) select k in d from d", "is used 2 times"),
    (
        """with d as (select k from t where k in (:keys)) select k from d where 1 in (select 1 from "d")""",
        "is used 2 times",
    ),
    (
        "with d as (select k from t where k in (:keys)) select k from d where 1 in (select 1 from 'd')",
        "is used 2 times",
    ),
    ("with d as (select k from d where k in (:keys)) select k from d", "is used 2 times"),
    ("with d as (select k from t where k in (:keys)) select k from d where 1 in (select 1 union table d)", "is used 2"),
    ("with d as (select k from t where k in (:keys)) select k, (select 1 from e, D x) from d", "is used 2 times"),
    ("with d as (select k from t where k in (:keys)) select k from d left join (e cross join d) on 1 = 1", "is used 2"),
    (
        "with d as (select k from t where k in (:keys)) select * from (with d as (select 1) select * from d) e",
        "is used 2",
    ),
    ("with e as (select k from d), d as (select k from t where k in (:keys)) select k from e", "not used behind it"),
    ("with d as (select k from d where k in (:keys)) select 1 from u", "not used behind it"),
    ("select * from (with d as (select k from t where k in (:keys)) select 1) x, d", "not used behind it"),
    ("with recursive d as (select k from t where k in (:keys)) select k from d", "WITH RECURSIVE"),
    (
        "with d as (select k from t where k in (:keys)) search depth first by k set n select k from d",
        "what follows the WITH",
    ),
    ("with d as (select k from t where k in (:keys)) values (1)", "what follows the WITH"),
    ("with d as ((select k from t where k in (:keys))) select k from d", "how this WITH is written"),
    ("with d as (select k from t where k in (:keys)) select u.k from u, d", "not in a derived table at its beginning"),
    (
        "with d as (select k from t where k in (:keys)) select k from u where exists (select 1 from d)",
        "a subquery of WHERE",
    ),
    ("with d as (select k from t where k in (:keys)) select (select k from d) from u", "the keys stand in SELECT"),
    ("with d as (select k from t where k in (:keys)) select k from d (a)", "what this source gives"),
    ("with d as (select k from t where k in (:keys)) select k from d limit 3", "LIMIT is not the same"),
    ("with d as (select k from t where k in (:keys) limit 3) select k from d", "LIMIT is not the same"),
    ("with d as (select k from t where k in (:keys)) select distinct 1 from d", "DISTINCT without"),
    ("with d as (select k, a from t where k in (:keys)) select rank() over (order by a) from d", "a window over"),
    (
        "with d as (select k from t where k in (:keys)) select k from d union all select k from u",
        "UNION is not the same",
    ),
    (
        "with d as (select k from t where k in (:keys)) select u.k from d right join u on u.k = d.k",
        "rows that belong to no key",
    ),
    (
        "with d as (select k from t where k in (:keys)), e as (select k, count(*) c from d group by a) select k from e",
        "lacks",
    ),
    # texts that databases read in different ways
    (r"select k from t where k in (:keys) and a = 'x\' and b = ' limit 3 -- '", "where this string ends"),
    (r"select k, e'it\'s' from t where k in (:keys)", "where this string ends"),
    ("select q'[it's]' from t where k in (:keys)", "where this string ends"),
    ("select $$it's$$ from t where k in (:keys)", "where this string ends"),
    ("select k from t where k in (:keys) and a = 1 # limit 3", "what follows"),
    ("select k /*! , count(*) */ from t where k in (:keys)", "where this comment ends"),
    ("select [it's], k from t where k in (:keys)", "where this name ends"),
    (r'select a as U&"\006b" from t where k in (:keys)', "what follows"),
    ("select k from t where k in (:keys) and a || b = 'x'", "OR in MySQL"),
    # another answer each time
    ("select k from t tablesample (10) where k in (:keys)", "answers differently each time"),
    ("select k from t sample (10) where k in (:keys)", "answers differently each time"),
    ("select k, @n := @n + 1 from t where k in (:keys)", "answers differently each time"),
]
NAMES_NOT_CLAUSES = [
    "select k, t.limit, a as offset, fetch from t where k in (:keys) order by limit",
    "select limit, offset from t where k in (:keys) and limit > 3 order by t.offset desc, limit nulls last",
    "select k from t limit where k in (:keys) and limit.a is not distinct from limit.b",
    "select minus, except, k from t where k in (:keys)",
    "select k from t where k in (:keys) order by case when a > 1 then b else c end desc nulls last, d collate nocase",
    "select k from t where k in (:keys) order by a at time zone 'UTC', b is null, c between 1 and 2, upper(d) desc",
    "select first(a), k from t where k in (:keys) group by k",
    "select first, skip from t where k in (:keys)",
    "select first_value(a) respect nulls over (partition by k order by b) from t where k in (:keys)",
    "select nth_value(a, 2) from last over (partition by k) from t where k in (:keys)",
    "select u.count(a) from t u where k in (:keys) group by k",
    "select x.k, x.count from (select k, count(*) as count from t where k in (:keys) group by k) x",
    "select x.n, x.max from (select k as n, a as max from t where k in (:keys)) x",
    "select k, doc #>> '{a}', doc ? 'b' from t where k in (:keys)",
    "select k, a::timestamp with time zone, b::double precision x, interval '1' day from t where k in (:keys)",
    "select k, interval '1' day i, a mod 2, a div 2 from t where k in (:keys)",
    "select k, not a n, a is null, (a || b) c, case a when 1 then 2 end d from t where k in (:keys) and (a || b) = 'x'",
]


@pytest.mark.parametrize(("sql", "columns", "positions"), [*PROVED, *WITHS])
def test_an_output_that_the_text_proves_to_be_the_filters_column_is_the_key(sql, columns, positions):
    judgement = judge(sql, columns.split(" "))
    assert list(judgement.key_outputs) == positions
    assert (judgement.unproved is None) == bool(positions)
    assert judgement.refusal is None


@pytest.mark.parametrize(("sql", "columns"), UNPROVED)
def test_an_output_that_only_has_the_name_is_no_key(sql, columns):
    judgement = judge(sql, ["a b"] if columns == "a b" else columns and columns.split(" "))
    assert judgement.key_outputs == ()
    assert judgement.unproved
    assert judgement.refusal is None


@pytest.mark.parametrize(("sql", "words"), REFUSED)
def test_a_clause_that_is_not_known_is_refused(sql, words):
    judgement = judge(sql, ["k"])
    assert judgement.refusal is not None
    assert words in judgement.refusal


@pytest.mark.parametrize("sql", NAMES_NOT_CLAUSES)
def test_a_name_that_looks_like_a_clause_is_none(sql):
    assert judge(sql, None).refusal is None


@pytest.mark.parametrize(
    "item", ["* exclude (lot), nxt as lot", "columns('l.*')", "* replace (nxt as lot)", "h.* like 'l%'"]
)
def test_a_star_that_changes_its_columns_proves_nothing(item):
    assert judge(f"select {item} from h where lot in (:keys)", ["lot"]).key_outputs == ()


def test_a_statement_that_lists_its_outputs_needs_no_description():
    assert judge("select qty, lot from h where lot in (:keys)", None).key_outputs == (1,)


def test_a_result_with_more_columns_than_the_statement_lists_has_no_proved_key():
    judgement = judge("select a, lot from h where lot in (:keys)", ["a", "b", "lot"])
    assert judgement.key_outputs == ()
    assert judgement.unproved == "the statement lists 2 outputs and the result has 3 columns"


def test_the_reason_names_the_column_that_is_there_twice():
    judgement = judge("select * from h, p where h.lot in (:keys)", ["lot", "id", "lot"])
    assert judgement.unproved == "more than one column of the result could be 'LOT'"


def test_what_only_cutting_changes_leaves_the_key_proved():
    judgement = judge("select lot, rank() over (order by a) from h where lot in (:keys) limit 5", ["lot", "rank"])
    assert judgement.key_outputs == (0,)
    assert judgement.refusal == "LIMIT is not the same for a part of the keys: 'limit 5'"


def test_a_value_that_changes_when_it_is_read_again_is_no_key():
    sql = "select lot from (select random() as lot from h) d where lot in (:keys)"
    assert judge(sql, ["lot"]).key_outputs == ()


def test_an_aggregate_of_no_rows_has_no_key():
    assert judge("select lot, count(*) from h where lot in (:keys)", ["lot", "count"]).key_outputs == ()


def test_the_callers_oath_is_that_unknown_functions_look_at_one_row():
    sql = "select lot, mes.state_of(x) from h where lot in (:keys)"
    assert judge(sql, ["lot", "state"]).refusal == "not known to look at one row only: 'state_of(x)'"
    sworn = judge(sql, ["lot", "state"], splittable=True)
    assert (sworn.key_outputs, sworn.refusal) == ((0,), None)


def test_the_callers_oath_proves_no_key():
    sworn = judge("select p.lot from h, p where h.lot in (:keys) union select 1", ["lot"], splittable=True)
    assert (sworn.key_outputs, sworn.refusal) == ((), None)
    assert "UNION" in sworn.unproved


@pytest.mark.parametrize("sql", ["select k from t", "delete from t where k in (:keys)", "select 1 where k = :keys", ""])
def test_what_is_no_keyed_read_is_an_error(sql):
    with pytest.raises(StatementError):
        judge(sql, None)
