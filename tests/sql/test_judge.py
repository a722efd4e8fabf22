"""An output is the key only if the text proves that it is the filter's own column."""

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


@pytest.mark.parametrize(
    "item", ["* exclude (lot), nxt as lot", "columns('l.*')", "* replace (nxt as lot)", "h.* like 'l%'", "* changed"]
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
