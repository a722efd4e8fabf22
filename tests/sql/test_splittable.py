"""Whatever passes gives the same rows in parts as in one piece, on real databases; what is refused may not."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from itertools import chain, count, islice
from random import Random

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from mesbatch.errors import NotSplittable, StatementError
from mesbatch.sql.judge import check_splittable
from mesbatch.sql.query import find_keys

pytestmark = pytest.mark.slow

KEYS = ["a", "b", "c", "d", "e", "nowhere", "only in u"]
T_ROWS = [(i, [*KEYS[:5], None][i * i % 11 % 6], i % 3 or None, i % 2, f"S{i % 4}") for i in range(48)]
U_ROWS = [(["a", "b", "b", "only in u", None][i % 5], i % 4 or None, i % 3) for i in range(17)]

SPLITTABLE = [
    "select * from t where k in (:keys)",
    "select a, b from t where k in (:keys) order by a",
    "select k from t where a > 1 and k in (:keys)",
    "select k from t where a between 1 and 2 and k in (:keys) and not b = 1",
    "select k from t where (k in (:keys))",
    "select k from t where ((a = 1 or b = 1) and (k in (:keys) and a is not null)) and s like 'S%'",
    "select k from t where case when a = 1 and b = 1 or a = 2 then 1 else 0 end = 1 and k in (:keys)",
    "select k from t where a in (1, 2) and k in (:keys) and s <> 'or' /* or */ -- or",
    "select k, id from t where exists (select 1 from u where u.k = t.k or u.a = 1 limit 1) and k in (:keys)",
    "select k from t where a = (select max(a) from u) and k in (:keys)",
    "select distinct k from t where k in (:keys)",
    "select distinct a, k as lot from t where k in (:keys)",
    "select distinct a, t.k lot from t where t.k in (:keys)",
    "select distinct * from t where k in (:keys)",
    "select distinct x.* from t x where x.k in (:keys)",
    "select distinct * from t join u on u.k = t.k where t.k in (:keys)",
    "select all k from t where k in (:keys)",
    "select k, count(*), sum(a) from t where k in (:keys) group by k",
    "select t.k, count(*) from t where k in (:keys) group by t.k",
    "select count(*) from t where t.k in (:keys) group by a, k having count(*) > 1",
    "select k as lot, max(a) from t where k in (:keys) group by 1",
    "select max(a), k from t where k in (:keys) group by 2, b",
    "select distinct k, count(*) from t where k in (:keys) group by k, a",
    "select k, count(*) as n from t where k in (:keys) group by k order by count(*) desc, k",
    "select k, sum(sum(a)) over (partition by k) from t where k in (:keys) group by k, b",
    "select k, rank() over (partition by k order by id) from t where k in (:keys)",
    "select sum(a) over (partition by b, k order by id rows 2 preceding) from t where k in (:keys)",
    "select sum(a) over w from t where k in (:keys) window w as (partition by k order by id)",
    "select sum(a) over (w order by id) from t where k in (:keys) window w as (partition by k)",
    "select sum(a) over v from t where k in (:keys) window w as (partition by k), v as (w order by id)",
    "select sum(a) filter (where b = 1) over (partition by k) from t where k in (:keys)",
    "select k, id from t where k in (:keys) order by rank() over (partition by k order by a)",
    "select upper(k), coalesce(a, 0), substr(s, 1, 1), cast(a as varchar(20)) from t where k in (:keys)",
    "select upper(s) from t where upper(k) in (:keys)",
    "select k, case when a in (1, 2) then 'x' else s end as c from t where k in (:keys)",
    "select k, (select count(*) from u where u.k = t.k) from t where k in (:keys)",
    "select k, (select max(u.a) from u where u.k = t.k) from t where k in (:keys)",
    "select k, (select u.a from u order by u.a limit 1) from t where k in (:keys)",
    "select t.k, u.a from t join u on u.k = t.k where t.k in (:keys)",
    "select t.k, u.a from t left join u on u.k = t.k where t.k in (:keys)",
    "select u.k, t.a from t left join u on u.k = t.k where u.k in (:keys)",
    "select k, count(*) from t left join u using (k) where k in (:keys) group by k",
    "select t.id, u.a from t, u where t.k in (:keys) and u.a = t.a",
    "select * from (select k, a from t where k in (:keys)) x",
    "select x.k, u.a from (select k, a from t where k in (:keys)) x left join u on u.k = x.k and u.a > 1",
    "select x.k, u.a from (select * from t where k in (:keys)) as x cross join u where x.a = 1 or u.a = 2",
    "select x.k, u.a, z.a from (select * from t where k in (:keys)) as x, u join u z on z.a = u.a where x.a = u.a",
    "select lot, count(*) from (select k as lot, a from t where k in (:keys)) x group by lot",
    "select x.lot, sum(n) from (select k lot, a, count(*) n from t where k in (:keys) group by k, a) x group by x.lot",
    "select distinct k from (select * from t where k in (:keys)) x",
    "select count(*) over (partition by k) from (select distinct k, a from t where k in (:keys)) x where a > 1",
    "select * from (select y.* from (select k, b from t where k in (:keys)) y) x",
    "with v as (select max(a) m from u limit 1) select t.k, v.m from t, v where t.k in (:keys)",
    "with recursive n(i) as (select 1 union select i % 3 + 1 from n) select k from t, n where i = a and k in (:keys)",
    "select * from (with v as (select 1 as one) select k, one from t, v where k in (:keys)) x",
    'select "k", "a" from "t" where "t"."k" in (:keys)',
    "select k from t where k in (__[POSTCOMPILE_keys]);",
    "select max from (select k, a as max from t where k in (:keys)) x",
]
SQLITE_ONLY = [
    "select distinct [k] from [t] where [k] in (:keys)",
    "select k, ifnull(a, 0), iif(a = 1, 2, 3) from t where k in (:keys)",
    "select u.k, t.k, u.a from t right join u using (k) where t.k in (:keys)",
    "select k, count(*) from t full join u using (k) where k in (:keys) group by k",
    "select k from t where a is 1 and k in (:keys) and s glob 'S*'",
    "select lot, n from (select k as lot, count(*) n from t where k in (:keys) group by k)",
]
POSTGRES_ONLY = [
    "select distinct on (k) k, id from t where k in (:keys) order by k, id",
    "select distinct on (a, t.k) id from t where t.k in (:keys) order by a, t.k, id",
    "select k::text, a::numeric(10, 2) from t where k::text in (:keys)",
    "select k, unnest(array[1, 2]) from t where k in (:keys) and a is distinct from 1",
    "select k, (array[a, b])[1] from t where k in (:keys) and s ~ 'S' and s not ilike 'x'",
    "select k, extract(year from date '2026-02-25'), date_trunc('day', now()) is null from t where k in (:keys)",
    "select k, count(*) filter (where a = 1), array_agg(a order by id) from t where k in (:keys) group by k",
    "select x.k, l.m from (select * from t where k in (:keys)) x, lateral (select max(u.a) m from u where u.k = x.k) l",
    "select k, nth_value(a, 1) over (partition by k order by id) from t where k in (:keys)",
    "select a is distinct from b as differs, k from t where k in (:keys)",
]
ORACLE_ONLY = [
    "select /*+ index(h) */ nvl(a, 0), trunc(d), to_char(d, 'YYYY') from h where h.CONTAINERID in (:keys)",
    "select unique CONTAINERID from h where CONTAINERID in (:keys) and d > sysdate - 7",
    "select h.k, u.a from h, u where h.k = u.k(+) and h.k in (:keys)",
    "select k, listagg(s, ',') within group (order by id) from h where k in (:keys) group by k",
    "select k, max(a) keep (dense_rank last order by d) from h where k in (:keys) group by k",
    "select k, max(a) keep (dense_rank last order by d) over (partition by k) from h where k in (:keys)",
    "select k, first_value(a) ignore nulls over (partition by k order by d) from h where k in (:keys)",
    "select k from (select k, rownum from u) h where k in (:keys)",
    "select k from h@mes where k in (:keys) and d between date '2026-01-01' and date '2026-02-01' + interval '1' day",
    "select x.k from (select k from h where k in (:keys)) x cross apply (select 1 from u where u.k = x.k) y",
]
DIFFERENT = [
    "select k from t where k not in (:keys)",
    "select k from t where not k in (:keys)",
    "select k from t where not (k in (:keys))",
    "select k from t where k in (:keys) or a = 1",
    "select k from t where a = 1 or (b = 1 and k in (:keys))",
    "select k from t where (k in (:keys)) = false",
    "select k from t where (k in (:keys)) is not true",
    "select k from t where case when k in (:keys) then 0 else 1 end = 1",
    "select k from t where k in (:keys) limit 5",
    "select k from t where k in (:keys) order by id limit 5 offset 1",
    "select * from (select k from t where k in (:keys) limit 3) x",
    "select * from (select k from t where k in (:keys)) x limit 3",
    "select count(*) from t where k in (:keys)",
    "select sum(a) + 1 from t where k in (:keys)",
    "select (select sum(t.a)) from t where k in (:keys)",
    "select (select sum(t.a) from u limit 1) from t where k in (:keys)",
    "select count(*) from (select k from t where k in (:keys)) x",
    "select distinct a from t where k in (:keys)",
    "select distinct k is null from t where k in (:keys)",
    "select distinct k || '' = k from t where k in (:keys)",
    "select distinct a as k from t where k in (:keys)",
    "select distinct a from (select a, k from t where k in (:keys)) x",
    "select a, count(*) from t where k in (:keys) group by a",
    "select b, count(*) from t where k in (:keys) group by 1",
    "select u.k, count(*) from t left join u using (k) where t.k in (:keys) group by u.k",
    "select u.k, count(*) from t left join u using (k) where k in (:keys) group by u.k",
    "select rank() over (order by id) from t where k in (:keys)",
    "select sum(a) over () from t where k in (:keys)",
    "select sum(a) over (partition by b) from t where k in (:keys)",
    "select sum(a) over w from t where k in (:keys) window w as (order by id)",
    "select count(*) over () from (select k from t where k in (:keys) group by k) x",
    "select k from t where k in (:keys) union all select k from u",
    "select k from u union all select k from t where k in (:keys)",
    "select k from t except select k from t where k in (:keys)",
    "select * from (select k from t where k in (:keys) union all select 'x') x",
    "select x.k, u.a from u left join (select k from t where k in (:keys)) x on x.k = u.k",
    "select u.k, t.a from u left join t on t.k = u.k and t.k in (:keys)",
    "select k from u where exists (select 1 from t where t.k in (:keys) and t.a = u.a)",
    "select a from u where a in (select a from t where k in (:keys))",
    "select k, (select count(*) from t where k in (:keys)) from u",
    "with x as (select k from t where k in (:keys)) select count(*) from x",
    "with x as (select k from t where k in (:keys)) select u.k from u left join x on x.k = u.k",
    "select u.k, x.k from u, (select k from t where k in (:keys)) x, (select 1) y group by u.k",
]
DIFFERENT_ON_SQLITE = [
    "select k from t where coalesce(k in (:keys), 0) = 1 - 1",
    "select k from t where case when a = 1 and k in (:keys) and b = 1 then 0 else 1 end = 1",
    "select u.*, t.k, count(*) from t, u where t.k in (:keys) and u.a = t.a group by 2",
    "select u.k from (select k from t where k in (:keys)) x right join u on u.k = x.k",
    "select u.k from (select k from t where k in (:keys)) x full join u on u.k = x.k",
    "select k from t where (k in (:keys)) is 0",
    "select distinct k isnull from t where k in (:keys)",
    "select min(a) from t where k in (:keys)",
    "select k as lot, a as k, count(*) from t where k in (:keys) group by a",
]
REFUSED = [
    "select 1 from t where k in (:keys) having count(*) > 0",
    "select k from t where false = k in (:keys)",
    "select 1 from t where k in (:keys) order by count(*)",
    "select k as lot, count(*) from t where k in (:keys) group by lot",
    "select *, count(*) from t where k in (:keys) group by 1",
    "select k, count(*) from t where k in (:keys) group by rollup (k)",
    "select k, count(*) from t where k in (:keys) group by grouping sets ((k), ())",
    "select k, count(*) from t where k in (:keys) group by k with rollup",
    'select "K", count(*) from t where "K" in (:keys) group by k',
    "select distinct upper(k) from t where upper(k) in (:keys)",
    "select distinct * from t where rowid in (:keys)",
    "select distinct k from (select * from u left join t on t.a = u.a where t.k in (:keys)) x",
    "select distinct k from (select t.k, u.k from t, u where t.k in (:keys)) x",
    "select distinct lot from (select k, a from t where k in (:keys)) x(lot, a)",
    "select my_function(k) from t where k in (:keys)",
    "select pkg.upper(k) from t where k in (:keys)",
    'select "max"(a) from t where k in (:keys)',
    "select max(a, b) from t where k in (:keys)",
    "select k, (select max(a) from u) from t where k in (:keys)",
    "select k, (select max((select u.a from u limit 1) + t.a)) from t where k in (:keys)",
    "select k, (select max(main.t.a)) from t where k in (:keys)",
    "select k, (select max(pkg.f(t.a))) from t where k in (:keys)",
    "select k, (select max(U.a)) from t u where k in (:keys)",
    "select k, (select count(*) filter (where t.a = 1)) from t where k in (:keys)",
    "select k, random() from t where k in (:keys)",
    "select k from t where k in (:keys) and random() > 0",
    'select k from t where k in (:keys) and "random"() > 0',
    "select k, gen_random_uuid() from t where k in (:keys)",
    "select k, seq.nextval from t where k in (:keys)",
    "select k, dbms_random.value from t where k in (:keys)",
    "select k from t where k in (:keys) fetch first 5 rows only",
    "select k from t where k in (:keys) offset 2 rows",
    "select top 5 k from t where k in (:keys)",
    "select distinct top (5) k from t where k in (:keys)",
    "select k from t where k in (:keys) and rownum <= 5",
    "select k, rownum from t where k in (:keys)",
    "select k from (select k from t where k in (:keys)) x where rownum <= 5",
    "select k from t where k in (:keys) for update",
    "select k from t where k in (:keys) start with a = 1 connect by prior a = b",
    "select k from t where k in (:keys) connect by level < 3",
    "select k from t where k in (:keys) qualify row_number() over (partition by a order by b) = 1",
    "select k from t where k in (:keys) model dimension by (k) measures (a) rules (a[any] = 1)",
    "select k from t where a = 1 and k in (:keys) and b = 2 model dimension by (k) measures (a) rules ()",
    "select k from t where k in (:keys) minus select k from u",
    "select k from (select k from t where k in (:keys)) pivot (count(*) for k in ('a'))",
    "select k from (select k from t where k in (:keys)) x pivot (count(*) for k in ('a'))",
    "select k from (select k from t where k in (:keys)) x, u where u.k = x.k(+)",
    "select k from (select k from t where k in (:keys)) right join u using (k)",
    "select k from (select k from t where k in (:keys)) tablesample (10)",
    "select k from ((select k from t where k in (:keys)) x join u using (k))",
    "select k from t join u on u.k in (:keys)",
    "select k from t group by k having k in (:keys)",
    "select k in (:keys) from t",
    "select k from t order by k in (:keys)",
    "select k from t where prior k in (:keys)",
    "select k from t where k collate nocase in (:keys)",
    "select k from t where cast(k collate nocase as text) in (:keys)",
    "select k from t where a = b in (:keys)",
    "select k from t where a between 1 and k in (:keys)",
    "select k from t where (a, k) in (:keys)",
    "select k from t where k in (:keys) xor a = 1",
    "select k from t where end > 1 and k in (:keys)",
    "select k from t /* a /* b */ where k in (:keys)",
    "select 'x' where 'x' in (:keys)",
    "(select k from t where k in (:keys))",
    "explain select k from t where k in (:keys)",
    "values ((select k from t where k in (:keys)))",
    "with x as (select 1) (select k from t where k in (:keys))",
]
RUNS_ON_SQLITE = [*SPLITTABLE, *SQLITE_ONLY]


@pytest.fixture(scope="module")
def con():
    with closing(sqlite3.connect(":memory:")) as con:
        _fill(con, "?")
        yield con


@pytest.fixture(scope="module")
def postgres(postgres_url):
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(postgres_url) as con:
        _fill(con.cursor(), "%s", "temporary")
        yield con
        con.rollback()


def _fill(cursor, mark, kind=""):
    cursor.execute(f"create {kind} table t (id integer, k text, a integer, b integer, s text)")
    cursor.execute(f"create {kind} table u (k text, a integer, x integer)")
    cursor.executemany(f"insert into t values ({', '.join([mark] * 5)})", T_ROWS)
    cursor.executemany(f"insert into u values ({', '.join([mark] * 3)})", U_ROWS)


def _read(con, sql, keys, mark="?"):
    place = find_keys(sql)
    text = f"{place.before}({', '.join([mark] * len(keys))}){place.after}"
    return Counter(tuple(map(repr, row)) for row in con.execute(text, keys).fetchall())


def _read_parts(con, sql, parts, mark="?"):
    return sum((_read(con, sql, part, mark) for part in parts if part), Counter())


def _passes(sql):
    try:
        check_splittable(sql, "k")
    except NotSplittable:
        return False
    return True


@st.composite
def partitions(draw):
    """Parts of some of the keys, in any order; some empty."""
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True, min_size=1))
    parts = [[] for _ in range(draw(st.integers(1, len(keys))))]
    for key in keys:
        draw(st.sampled_from(parts)).append(key)
    return parts


def _assert_parts_give_the_whole(con, sql, parts, mark="?"):
    keys = list(chain.from_iterable(parts))
    whole = _read(con, sql, keys, mark)
    assert _read_parts(con, sql, parts, mark) == whole
    assert _read_parts(con, sql, [[key] for key in keys], mark) == whole


@pytest.mark.parametrize("sql", [*SPLITTABLE, *SQLITE_ONLY, *POSTGRES_ONLY, *ORACLE_ONLY])
def test_what_keeps_its_meaning_in_parts_passes(sql):
    check_splittable(sql, "k")


@pytest.mark.parametrize("sql", [*DIFFERENT, *DIFFERENT_ON_SQLITE, *REFUSED])
def test_what_could_change_its_meaning_in_parts_is_refused(sql):
    with pytest.raises(NotSplittable, match=r"key 'k' .*: .*; use a strategy .* splittable=True"):
        check_splittable(sql, "k")


@pytest.mark.parametrize("sql", RUNS_ON_SQLITE)
@settings(max_examples=25)
@given(parts=partitions())
def test_the_parts_of_what_passes_give_the_whole_on_sqlite(con, sql, parts):
    _assert_parts_give_the_whole(con, sql, parts)


@pytest.mark.parametrize("sql", [*SPLITTABLE, *POSTGRES_ONLY])
@pytest.mark.parametrize("parts", [[KEYS], [KEYS[:3], KEYS[3:]], [KEYS[::2], KEYS[1::2]]])
def test_the_parts_of_what_passes_give_the_whole_on_postgresql(postgres, sql, parts):
    _assert_parts_give_the_whole(postgres, sql.replace("%", "%%"), parts, "%s")


@pytest.mark.parametrize("sql", [*DIFFERENT, *DIFFERENT_ON_SQLITE])
def test_the_parts_of_what_is_refused_do_differ_from_the_whole(con, sql):
    assert _read_parts(con, sql, [[key] for key in KEYS]) != _read(con, sql, KEYS)


# -- statements put together at random -------------------------------------------------------------

SOURCES = [
    ("t", ["k", "t.k"]),
    ("t y", ["k", "y.k"]),
    ("t join u using (k)", ["k", "t.k", "u.k"]),
    ("t left join u using (k)", ["k", "t.k", "u.k"]),
    ("u left join t using (k)", ["k", "t.k", "u.k"]),
    ("t right join u using (k)", ["k", "t.k", "u.k"]),
    ("u full join t using (k)", ["k", "t.k", "u.k"]),
    ("t, u", ["t.k", "u.k"]),
    ("t join u on u.x = t.b", ["t.k", "u.k"]),
    ("(t left join u using (k))", ["k", "t.k", "u.k"]),
    ("(select k, id, t.a, b, s from t left join u using (k)) y", ["k", "y.k"]),
]
ITEMS = [
    *("{r}", "{q}", "{r} as c", "{r} c", "{q} as c", "id", "b as k", "b", "id as c", "*", "upper(s)", "max({r}) as c"),
    *("count(*) as n", "sum(b)", "{r} || '' as k", "{r} isnull as c", "coalesce(b, 0) as n", "abs(id) % 3 as n"),
    *("sum(b) over () as n", "sum(id) over (partition by {r} order by id) as n", "count(*) over (partition by {q}, b)"),
    *("rank() over (order by id) as n", "max(id) over w as n", "(select count(*) from u z where z.k = {r}) as n"),
    *("(select max(z.x) from u z) as n", "(select sum(t.b)) as n", "(select sum(y.b)) as n", "(select sum(b)) as n"),
]
SAFE_ITEMS = [
    *("{r}", "{r} as c", "id", "b", "*", "upper(s) as n", "(select count(*) from u z where z.k = {r}) as n"),
    *("sum(id) over (partition by {r} order by id) as n", "max(id) over w as n"),
]
GROUPED_ITEMS = [
    "{r}",
    "{r} as c",
    "count(*) as n",
    "sum(b) as n",
    "max({q}) as k",
    "sum(count(*)) over (partition by {r})",
]
CONDITIONS = [
    *("{r} not in (:keys)", "not {r} in (:keys)", "({r} in (:keys) or id < 9)", "{r} || '' in (:keys)"),
    *(
        "case when {r} in (:keys) then 1 else 0 end = 1",
        "{r} in (:keys) = 1",
        "{r} in (:keys) is 0",
        "0 = {r} in (:keys)",
    ),
    *("1 between 0 and {r} in (:keys)", "({r} in (:keys)) is not null"),
]
SAFE_CONDITIONS = ["{r} in (:keys)", "({r} in (:keys) and id > 3)", "lower({r}) in (:keys)", "({r} in (:keys))"]
OTHER_CONDITIONS = [
    *("b = 1", "id between 3 and 30", "case when b = 1 and id > 4 then 1 else 0 end", "not id = 7", "s like 'S%'"),
    *("exists (select 1 from u z where z.k = {r} and z.a = 1)", "(b = 1 or id > 20)", "b in (select x from u)"),
]
GROUPS = ["{q}", "b", "1", "2", "c", "k", "b, {q}", "upper({r})"]
SAFE_GROUPS = ["", "", "", "{r}", "{r}, b"]
WINDOWS = ["w as (partition by {q} order by id)", "w as (order by id)", "w as (), v as (w)"]
SAFE_WINDOWS = ["w as (partition by {r})"]
TAILS = ["limit 3", "order by 1 limit 4", "order by count(*)", "union all select 1"]
SAFE_TAILS = ["", "order by 1"]
AROUND = [
    "select distinct n from ({}) d",
    "select distinct * from ({}) d",
    "select n, count(*) as c from ({}) d group by n",
    "select count(*) as n from ({}) d",
    "select u.k, count(*) as n from ({}) d left join u using (k) group by u.k",
    "select u.k, d.* from u left join ({}) d on d.k = u.k",
    "select u.k, d.* from ({}) d right join u on d.k = u.k",
    "select *, count(*) over (partition by n) from ({}) d",
    "select k, (select sum(d.n)) as n from ({}) d",
    "with d as ({}) select * from d",
]
SAFE_AROUND = [
    "select * from ({}) d",
    "select d.* from ({}) d where 1 = 1 or 2 = 3",
    "select distinct k from ({}) d",
    "select distinct c from ({})",
    "select k, count(*) as n from ({}) d group by k",
    "select d.c, count(*) as n from ({}) as d group by d.c",
    "select d.*, u.x from ({}) d left join u on u.x = 1",
    "select d.*, u.x from ({}) d join u on u.k = d.k",
    "select d.*, u.x as e from ({}) d, u",
    "select distinct d.k, u.x from ({}) d left join u using (k)",
    "select *, count(*) over (partition by k) from ({}) d",
    "select *, count(*) over (partition by c) from ({}) d",
    "select d.k, (select max(u.x) from u where u.k = d.k) as n from ({}) d",
    "with v as (select max(x) as m from u) select d.*, v.m from ({}) d, v",
]


def _compose(random):
    """A statement of parts that mostly keep its meaning: with equal chances nearly everything would be refused."""

    def pick(safe, others):
        return random.choice(others if random.random() < 0.2 else safe)

    source, columns = random.choice(SOURCES)
    group = pick(SAFE_GROUPS, GROUPS)
    items = [random.choice(GROUPED_ITEMS) if group else pick(SAFE_ITEMS, ITEMS) for _ in range(random.randint(1, 3))]
    terms = [pick(SAFE_CONDITIONS, CONDITIONS), *random.sample(OTHER_CONDITIONS, random.randint(0, 2))]
    random.shuffle(terms)
    sql = f"select {random.choice(['', 'distinct '])}{', '.join(items)} from {source}"
    sql += f" where {pick([' and '], [' or ']).join(terms)}"
    sql += f" group by {group}" if group else ""
    sql += f" window {pick(SAFE_WINDOWS, WINDOWS)}" if " over w" in sql else ""
    sql = f"{sql} {pick(SAFE_TAILS, TAILS)}".rstrip()
    sql = sql.replace("{r}", random.choice(columns)).replace("{q}", random.choice(columns))
    for _ in range(random.randint(0, 2)):
        sql = pick(SAFE_AROUND, AROUND).replace("{}", sql)
    return sql


def _compose_passing(con, random, size):
    """*size* statements that pass and run: about one in six that are composed."""
    composed = (_compose(random) for _ in count())
    return list(islice((sql for sql in composed if _passes(sql) and _runs(con, sql)), size))


def _runs(con, sql):
    try:
        _read(con, sql, KEYS)
    except sqlite3.OperationalError:  # put together to something that is no statement: no such column, ambiguous, ...
        return False
    return True


@given(random=st.randoms(use_true_random=True), parts=partitions())
def test_whatever_passes_gives_the_whole_in_parts(con, random, parts):
    for sql in _compose_passing(con, random, 3):
        _assert_parts_give_the_whole(con, sql, parts)
        _assert_parts_give_the_whole(con, sql, [KEYS[:3], KEYS[3:]])


def test_statements_put_together_at_random_do_pass_in_each_way(con):
    passing = _compose_passing(con, Random(0), 150)
    nested = [sql for sql in passing if ") d" in sql]
    for way in ("distinct", "group by", "over (partition"):
        assert any(way in sql for sql in nested)
    assert any("over w" in sql for sql in passing)


# -- beside the verdict ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select distinct a from t where k in (:keys)", "DISTINCT without the column of the keys: 'distinct a'"),
        ("select count(*) from t where k in (:keys)", "not known to look at one row only: 'count(*)'"),
        ("select k from t where k in (:keys) limit 5", "LIMIT is not the same for a part of the keys: 'limit 5'"),
        ("select k from t where k not in (:keys)", "what belongs to the others: 'k not in (:keys)'"),
        ("select k from t where k in (:keys) or a = 1", "OR stands beside the keys: 'k in (:keys) or a = 1'"),
        ("select sum(a) over () from t where k in (:keys)", "more than one key: 'over ()'"),
        ("with x as (select k from t where k in (:keys)) select 1 from x, x y", "the keys stand in a WITH"),
    ],
)
def test_a_refusal_names_its_reason_and_the_words(sql, words):
    with pytest.raises(NotSplittable) as caught:
        check_splittable(sql, "k")
    assert words in str(caught.value)


@pytest.mark.parametrize("sql", ["select k from t", "delete from t where k in (:keys)", "select 1 where k = :keys", ""])
def test_what_is_no_keyed_read_at_all_is_another_error(sql):
    with pytest.raises(StatementError) as caught:
        check_splittable(sql, "k")
    assert not isinstance(caught.value, NotSplittable)


WORDS = "select distinct from where ( ) in :keys (:keys) t k , . and or case end over as with group by * + 1"


@given(st.lists(st.sampled_from(WORDS.split(" "))))
def test_any_words_get_a_verdict_or_an_error_of_ours(words):
    try:
        check_splittable(f"select k from t where {' '.join(words)}", "k")
    except StatementError:
        event("refused")
