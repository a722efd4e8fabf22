"""A statement is cut by key only if all its clauses are known; a name that looks like a clause is none."""

from __future__ import annotations

import pytest

from mesbatch.sql.judge import judge

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
    ("select distinct on from t where k in (:keys)", "DISTINCT without the column of the keys"),
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
    ("with d as (select k from t where k in (:keys)), e as", "how this WITH is written"),
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


@pytest.mark.parametrize(("sql", "words"), REFUSED)
def test_a_clause_that_is_not_known_is_refused(sql, words):
    judgement = judge(sql, ["k"])
    assert judgement.refusal is not None
    assert words in judgement.refusal


@pytest.mark.parametrize("sql", NAMES_NOT_CLAUSES)
def test_a_name_that_looks_like_a_clause_is_none(sql):
    assert judge(sql, None).refusal is None
