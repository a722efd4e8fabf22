"""Keyed reads of MariaDB give the rows of one plain statement, by every driver and strategy."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from uuid import UUID

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import ColumnNameError, InvalidKey, NotSplittable
from tests.source.mysql.conftest import KEY_COLUMNS, LOTS

pytestmark = pytest.mark.slow

ALL = [f"L{n:06}" for n in range(LOTS)]


def read(sql, con, params=None, **options):
    reader = read_sql_iter(sql, con, params, **options)
    with reader:
        rows = [row for batch in reader for row in batch.rows]
    assert reader.manifest.complete
    return rows, reader.manifest


@pytest.mark.parametrize("borrowed", [False, True], ids=["URL", "the caller's"])
@pytest.mark.parametrize("table", KEY_COLUMNS)
@pytest.mark.parametrize("count", [1, 3, 114_000])
def test_rows_by_keys_are_those_of_one_statement_in_the_order_of_keys(rig, table, count, borrowed):
    keys = [f"L{n:06}" for n in range(count)]
    expected = rig.fetchall(f"select n, k from {table} where k < 'L{count:06}'")
    rows, manifest = read(
        f"select n, k from {table} where k in (:keys)", rig.connect() if borrowed else rig.url, keys=keys
    )
    assert Counter(rows) == Counter(expected)
    assert [k for _, k in rows] == sorted(k for _, k in rows)
    assert manifest.parts_planned == 1 or table != "caseless"


@pytest.mark.parametrize("end", ["limit 2", "order by n limit 2", "for update"])
def test_a_limited_statement_may_repeat_a_name(rig, end):
    """A derived table may not, and nothing else describes or orders a statement that ends so."""
    with pytest.raises(ColumnNameError, match=r"'n'.* order='any'"):
        read(f"select n, n, k from caseless where k in (:keys) {end}", rig.url, keys=ALL[:1])
    for table, order in (("caseless", "any"), ("indexed", "key")):
        sql = f"select n, n, k from {table} where k in (:keys)"
        every = rig.fetchall(sql.replace(":keys", f"'{ALL[0]}'"))
        rows, _ = read(f"{sql} {end}", rig.url, keys=ALL[:1], order=order)
        assert len(rows) == (len(every) if end == "for update" else 2)
        assert set(rows) <= set(every)


def test_no_keys_are_no_rows(rig):
    assert read("select n, k from indexed where k in (:keys)", rig.url, keys=[])[0] == []


@pytest.mark.parametrize("strategy", ["in-list", "array", "temporary-table"])
@pytest.mark.parametrize("table", KEY_COLUMNS)
def test_every_strategy_gives_the_same_rows(rig, table, strategy):
    rows, manifest = read(
        f"select n, k from {table} where k in (:keys)", rig.connect(), keys=ALL[::7], strategy=strategy
    )
    assert manifest.strategy == strategy
    assert len(rows) == len(set(rows)) == 4 * len(ALL[::7])
    assert [k for _, k in rows] == sorted(k for _, k in rows)


@pytest.mark.parametrize("strategy", ["auto", "in-list", "array", "temporary-table"])
def test_keys_that_the_collation_takes_as_equal_give_each_row_once(rig, mysql_admin, new_name, strategy):
    mysql_admin(f"create table {new_name} (k varchar(12) collate utf8mb4_general_ci, n int)")
    mysql_admin(f"insert into {new_name} values ('a', 1), ('B', 2), ('A', 3), ('c ', 4), ('b', 5)")
    keys = ["A", "a", "b ", "c", "B", *(f"Z{n:04}" for n in range(1_500))]
    rows, manifest = read(f"select * from {new_name} where k in (:keys)", rig.url, keys=keys, strategy=strategy)
    assert sorted(n for _, n in rows) == [1, 2, 3, 4, 5]
    assert [k.strip().lower() for k, _ in rows] == ["a", "a", "b", "b", "c"]
    assert "otherwise than by code point" in manifest.one_statement


@pytest.mark.parametrize(
    ("collation", "parts"), [("utf8mb4_bin", False), ("utf8mb4_nopad_bin", True), ("latin1_nopad_bin", False)]
)
def test_only_collations_of_bytes_without_padding_are_read_in_parts(rig, mysql_admin, new_name, collation, parts):
    mysql_admin(f"create table {new_name} (k varchar(9) character set {collation.split('_')[0]} collate {collation})")
    mysql_admin(f"insert into {new_name} values ('a'), ('b')")
    _, manifest = read(f"select k from {new_name} where k in (:keys)", rig.url, keys=["a", "b"], parallel=2)
    assert (manifest.one_statement is None) == parts
    if not parts:
        with pytest.raises(NotSplittable, match="several statements"):
            read(f"select k from {new_name} where k in (:keys)", rig.url, keys=ALL, strategy="look-up")


TYPED = {
    "int": ([3, 1, -2], [1, 3, 2**70]),
    "bigint unsigned": ([18446744073709551615, 5], [18446744073709551615, 5, -1]),
    "decimal(12,3)": ([1, 2], [1, 2]),
    "double": ([0.5, 2.25], [0.5, 2.25]),
    "varbinary(8)": ([b"a", b"\xff"], [b"a", b"\xff", b"b"]),
}


@pytest.mark.parametrize("strategy", ["in-list", "temporary-table"])
@pytest.mark.parametrize("kind", TYPED)
def test_keys_of_other_types_are_compared_exactly(rig, mysql_admin, new_name, kind, strategy):
    held, keys = TYPED[kind]
    if strategy == "temporary-table" and kind.startswith("decimal"):
        pytest.skip("keys of decimals go into lists")
    mysql_admin(f"create table {new_name} (k {kind}, n int)")
    connection = rig.connect()
    cursor = connection.cursor()
    for value in held:
        cursor.execute(f"insert into {new_name} values ({rig.bind}, 1)", (value,))
    connection.commit()
    cursor.close()
    rows, _ = read(f"select k from {new_name} where k in (:keys)", rig.url, keys=keys, strategy=strategy)
    assert [k for (k,) in rows] == sorted(set(held) & set(keys))


def test_keys_of_another_type_than_their_column_are_refused(rig):
    with pytest.raises(InvalidKey, match="their column holds integer"):
        read("select n from indexed where n in (:keys)", rig.url, keys=["1"])
    with pytest.raises(InvalidKey, match="their column holds text"):
        read("select k from indexed where k in (:keys)", rig.url, keys=[1])


def test_params_stand_beside_keys_and_percent_signs_and_colons_are_themselves(rig):
    percent = "%%" if rig.name in ("pymysql", "mysqldb") else "%"
    sql = (
        f"select n, date_format('2026-01-02 03:04:05', '{percent}H:{percent}i:{percent}s') as at from indexed "
        f"where n < {rig.bind} and k in (:keys) and t like '50{percent}:{percent}' and t <> ':keys' and n > {rig.bind}"
    )
    rows, _ = read(sql, rig.url, [2 * LOTS, 3], keys=["L000001", "L000004"])
    assert sorted(rows) == [(4, "03:04:05"), (LOTS + 1, "03:04:05"), (LOTS + 4, "03:04:05")]
    plain = sql.replace("%%", "%").replace(rig.bind + " and k", "100 and k").replace(f"n > {rig.bind}", "n > 3")
    assert read(plain, rig.url, keys=["L000001", "L000004"])[0] == [(4, "03:04:05")]


def test_texts_and_comments_in_mysqls_own_spelling_are_read(rig):
    sql = (
        "select k, 'it\\'s :keys' as a, \"it's\" as b, 5--1 as c # :keys isn't here\n"
        "from indexed where k in (:keys) and t <> '\\\\' -- it's the end"
    )
    rows, _ = read(sql, rig.url, keys=["L000002"])
    assert rows == [("L000002", "it's :keys", "it's", 6)] * 4


def test_the_statements_own_order_holds_within_a_key(rig):
    rows, _ = read("select k, n from indexed where k in (:keys) order by n desc", rig.url, keys=ALL[:20])
    assert rows == sorted(rows, key=lambda row: (row[0], -row[1]))


def test_a_limited_statement_is_ordered_by_its_key_and_not_by_a_text(rig, mysql_admin, new_name):
    mysql_admin(f"create table {new_name} (n int, k varchar(9) collate utf8mb4_general_ci)")
    mysql_admin(f"insert into {new_name} values (1, 'c'), (2, 'A'), (3, 'b'), (4, 'a')")
    rows, _ = read(f"select * from {new_name} where k in (:keys) limit 100", rig.url, keys=["a", "B", "c"])
    assert [k.lower() for _, k in rows] == ["a", "a", "b", "c"]


@pytest.mark.parametrize("strategy", ["auto", "in-list", "array"])
@pytest.mark.parametrize("more", [0, 1_100])
@pytest.mark.parametrize(
    ("declared", "values", "keys", "further"),
    [
        ("year", [2020, 1999], [20], range(3_000, 4_100)),
        ("year", [2020, 1999], [99.0], [float(n) for n in range(3_000, 4_100)]),
        ("year", [2020, 1999], [Decimal(20)], [Decimal(n) for n in range(3_000, 4_100)]),
        ("bigint unsigned", [2**53 + 1], [2.0**53], [n + 0.5 for n in range(1_100)]),
        ("bigint", [-(2**53) - 1], [-(2.0**53)], [n + 0.5 for n in range(1_100)]),
        ("decimal(30)", [2**53 + 1], [2.0**53], [n + 0.5 for n in range(1_100)]),
    ],
)  # fmt: skip
def test_numbers_that_are_equal_in_some_lists_only_are_refused(
    rig, mysql_admin, new_name, declared, values, keys, further, more, strategy
):
    mysql_admin(f"create table {new_name} (k {declared})")
    mysql_admin(f"insert into {new_name} values {', '.join(f'({value})' for value in values)}")
    with pytest.raises(InvalidKey, match=r"pass years of four digits|pass int or Decimal"):
        read(
            f"select k from {new_name} where k in (:keys)",
            rig.url,
            keys=[*keys, *list(further)[:more]],
            strategy=strategy,
        )


def test_years_and_floats_that_are_equal_in_every_list_are_found(rig, mysql_admin, new_name):
    mysql_admin(f"create table {new_name} (k year, n bigint, d double)")
    mysql_admin(f"insert into {new_name} values (1901, 7, 9007199254740992), (2020, 8, 8)")
    keys = [0, 2020, *range(3_000, 4_100)]
    assert read(f"select k from {new_name} where k in (:keys)", rig.url, keys=keys)[0] == [(2020,)]
    assert read(f"select n from {new_name} where n in (:keys)", rig.url, keys=[7.0, 7.5])[0] == [(7,)]
    assert read(f"select d from {new_name} where d in (:keys)", rig.url, keys=[2.0**53, 7.5])[0] == [(2.0**53,)]


@pytest.mark.parametrize("more", [0, 1_100])
@pytest.mark.parametrize("kind", ["uuid", "varchar(40) character set utf8mb4 collate utf8mb4_nopad_bin"])
def test_uuids_are_keys_of_a_column_that_is_not_in_the_result(rig, mysql_admin, new_name, kind, more):
    mysql_admin(f"create table {new_name} (k {kind})")
    mysql_admin(f"insert into {new_name} values ('{UUID(int=7)}'), ('{UUID(int=8)}')")
    keys = [UUID(int=n) for n in (7, *range(100, 100 + more))]
    assert read(f"select count(*) from {new_name} where k in (:keys)", rig.url, keys=keys)[0] == [(1,)]
