from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from mesbatch import MiB, read_sql_iter
from mesbatch.batch import Column
from mesbatch.errors import DatabaseBusy, RowTooLarge


@pytest.fixture(params=["sqlite3", "apsw"])
def con(request, tmp_path):
    module = pytest.importorskip(request.param)
    connect = module.connect if request.param == "sqlite3" else module.Connection
    with closing(connect(str(tmp_path / "t.db"))) as con:
        con.execute("create table t (n integer, v varchar(16), q numeric(12, 3))")
        con.execute("insert into t values (1, 'a', 1379.417), (2, null, 2)")
        yield con


def read(sql, con, *args, **options):
    return [row for batch in read_sql_iter(sql, con, *args, **options) for row in batch.rows]


def test_apsw_knows_the_declared_types():
    apsw = pytest.importorskip("apsw")
    with closing(apsw.Connection(":memory:")) as con:
        con.execute("create table t (n integer, v varchar(16), q numeric(12, 3))")
        with read_sql_iter("select n, v, q, n + 1 as m from t", con) as reader:
            assert reader.description == (
                Column("n", "integer"), Column("v", "varchar", 16), Column("q", "numeric", None, 12, 3), Column("m"),
            )  # fmt: skip


def test_the_callers_row_factories_do_not_matter(con):
    if isinstance(con, sqlite3.Connection):
        con.row_factory = sqlite3.Row
    else:
        con.row_trace = lambda cursor, row: dict(enumerate(row))
    assert read("select n, v from t", con) == [(1, "a"), (2, None)]
    assert [type(row) for row in read("select n, v from t", con)] == [tuple, tuple]


def test_the_limit_on_values_stands_only_while_rows_are_fetched(con):
    limit = con.getlimit if isinstance(con, sqlite3.Connection) else con.limit
    before = limit(0)
    with read_sql_iter("select * from t", con, batch_size=1, max_bytes=1_000) as reader:
        next(reader)
        assert limit(0) == before
    with pytest.raises(RowTooLarge, match=r"max_bytes=2\.0 MiB"):
        read("select zeroblob(10) union all select zeroblob(3000000)", con, max_bytes=2 * MiB)
    assert limit(0) == before


def test_a_locked_database_is_busy(tmp_path):
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as writer, closing(sqlite3.connect(path, timeout=0)) as con:
        writer.execute("create table t (n)")
        writer.execute("begin exclusive")
        with pytest.raises(DatabaseBusy, match="locked"):
            read("select * from t", con)


def test_text_with_quotes_and_names_with_odd_letters(con):
    con.execute('create table "odd ""name" ("the ""key" text, "select" int)')
    con.execute("insert into \"odd \"\"name\" values ('it''s', 1), ('b', 2)")
    sql = 'select "select", "the ""key" from "odd ""name" where "the ""key" in (:keys)'
    assert read(sql, con, keys=["it's", "b"]) == [(2, "b"), (1, "it's")]
