"""Any SELECT gives the answer that it gives in one piece, or is refused before a row is read."""

from __future__ import annotations

from collections import Counter

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import NotSplittable
from tests.rig.databases import STRATEGIES

pytestmark = pytest.mark.slow

ROWS = [(n, ["a", "b", "c", "d", None][n % 5], f"v{n * 7 % 4}") for n in range(60)]
KEYS = ["d", "a", "b", "b", "nowhere"]
UNSPLIT = ["'a'", "'b'", "'d'", "'nowhere'"]

SAFE = [
    "select * from t where k in (:keys)",
    "select * from t where k in (:keys) and n % 2 = 0",
    "select distinct k, v from t where k in (:keys)",
    "select k, count(*), sum(n) from t where k in (:keys) group by k",
    "select k, n, row_number() over (partition by k order by n) as r from t where k in (:keys)",
    "select * from (select k, max(n) as m from t where k in (:keys) group by k) x where m > 3",
    "select t.k, t.n, u.n as other from t join t u on u.k = t.k and u.n = t.n + 5 where t.k in (:keys)",
    "select k from t where k in (:keys) and exists (select 1 from t u where u.k = t.k and u.n > 57)",
    "with w as (select 1 as one) select t.k, n, one from t, w where t.k in (:keys)",
    "select k, n as k2 from t where (k in (:keys)) -- the end",
    "select k, ':keys' as text from t where k in (:keys) /* not in (:keys) */;",
    "with w as (select k, n, v from t where k in (:keys)) select k, n from w where n > 7",
    "with w (lot, m) as (select k, max(n) from t where k in (:keys) group by k) select m, lot as k from w",
    (
        "with w as (select k, n, row_number() over (partition by k, v order by n desc) rn from t where k in (:keys)), "
        "one as (select n from t where n = 5) select w.k, w.n from w left join one on one.n = w.n where rn = 1"
    ),
    "with w as (select * from t where k in (:keys)), x as (select k, v from w) select x.* from x",
]
UNSAFE = [
    "select count(*) from t where k in (:keys)",
    "select count(*), max(v) from t where k in (:keys)",
    "select v, count(*) from t where k in (:keys) group by v",
    "select distinct v from t where k in (:keys)",
    "select k, n from t where k not in (:keys)",
    "select k, n from t where k in (:keys) order by n limit 5",
    "select k, n from t where k in (:keys) order by n limit 5 offset 3",
    "select k, n, row_number() over (order by n) as r from t where k in (:keys)",
    "select k, n, sum(n) over () as s from t where k in (:keys)",
    "select k, n from t where k in (:keys) or n < 4",
    "select k, n from t where k in (:keys) union select k, n from t where n < 9",
    "select k, n from t where n < 9 union all select k, n from t where k in (:keys)",
    "select k, n from t where n in (select max(n) from t where k in (:keys))",
    "select k, n from t where k in (:keys) except select k, n from t where n % 2 = 0",
    "select k, (select count(*) from t u where u.k in (:keys)) as c from t",
    "select k, n from t where case when k in (:keys) then 1 else 0 end = 0",
    "select x.k, x.n from (select k, n from t where k in (:keys) order by n limit 4) x",
    "select n, v from t where k in (:keys)",
    "with w as (select k, n from t where k in (:keys)) select count(*) from w",
    "with w as (select k, n from t where k in (:keys)) select w.k, x.n from w, w x",
    "with w as (select k, n from t where k in (:keys) order by n limit 3) select * from w",
    "with w as (select k, n from t where k in (:keys)) select k, n from w order by - n limit 4",
    "select k, n as by from t where k in (:keys) order by n + 0 limit 4",
    'select k, count(*) as c from (select v as "k", k as w from t where k in (:keys)) x group by k',
]


STRATEGY = pytest.mark.parametrize("strategy", STRATEGIES)


@pytest.fixture(scope="module")
def statements(shared_database):
    """The database with a table *t*."""
    shared_database.run(f"create view t as select n, k, v from {shared_database.load('text', ROWS)}")
    return shared_database


@pytest.fixture(autouse=True)
def _parts_of_two_keys(monkeypatch):
    """Read in parts of two keys where a strategy cuts at all."""
    monkeypatch.setattr("mesbatch.keys.strategy.LIST_SHAPES", (1, 2))
    monkeypatch.setattr("mesbatch.read.stream.LIST_SHAPES", (1, 2))
    monkeypatch.setattr("mesbatch.read.stream.FIRST_KEYS_PER_PART", 2)


@STRATEGY
@pytest.mark.parametrize("sql", SAFE)
def test_a_statement_that_keeps_to_its_keys_is_read_in_parts(statements, sql, strategy):
    reader, rows = _read(statements, sql, strategy)
    assert Counter(rows) == Counter(_unsplit(statements, sql))
    assert reader.manifest.parts_read > 1 or strategy not in ("in-list", "look-up")


@STRATEGY
@pytest.mark.parametrize("sql", UNSAFE)
def test_any_other_gives_the_unsplit_answer_or_is_refused(statements, sql, strategy):
    if " as by " in sql and not statements.by_is_a_name:
        pytest.skip("BY is no name there")
    try:
        _, rows = _read(statements, sql, strategy)
    except NotSplittable:
        assert strategy in ("in-list", "look-up") or (statements.tables_need_a_key and strategy == "temporary-table")
    else:
        assert strategy not in ("in-list", "look-up")
        assert Counter(rows) == Counter(_unsplit(statements, sql))


@STRATEGY
@pytest.mark.parametrize("names", ["n, k, v", 'n as "100 % of", k, v', "n, k, v, n as n2"])
def test_the_order_of_the_statement_holds_within_a_key(statements, strategy, names):
    sql = f"select {names} from t where k in (:keys) order by v desc, n"
    reader, rows = _read(statements, sql, strategy)
    assert rows == sorted(_unsplit(statements, sql), key=lambda row: row[1])  # sorting is stable
    assert reader.columns[:3] == (("100 % of", "k", "v") if "%" in names else ("n", "k", "v"))


def _read(database, sql, strategy):
    if strategy not in database.strategies:
        pytest.skip(f"the database has no {strategy}")
    with read_sql_iter(sql, database.own, keys=KEYS, strategy=strategy, parallel=2) as reader:
        rows = [row for batch in reader for row in batch.rows]
    assert reader.manifest.complete
    return reader, rows


def _unsplit(database, sql):
    """One plain statement; the first ``in (:keys)`` of the text is the real one."""
    return database.fetchall(sql.rstrip(";").replace("in (:keys)", f"in ({', '.join(UNSPLIT)})", 1))
