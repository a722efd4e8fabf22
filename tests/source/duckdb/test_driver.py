"""DuckDB on the caller's own connection and transaction, whose one result is ours while we read it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from time import monotonic
from uuid import UUID

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import ConnectionClosed, DatabaseTimeout, InvalidKey, ReadInterrupted, StatementError
from mesbatch.export.keys_file import key_maker

duckdb = pytest.importorskip("duckdb")

HEAVY = "select count(*) from range(10000000) a, range(10000000) b where (a.range * b.range) % 7 = 1"
KEYS = {
    "varchar": ["a", "B", "ä"],
    "integer": [1, 2, -3],
    "hugeint": [1, 2**100, -5],
    "decimal(9, 3)": [Decimal("1.5"), Decimal(2), Decimal("3.125")],
    "double": [0.1, 1e300, -2.5],
    "date": [date(2026, 2, 25), date(1, 1, 1), date(9999, 12, 31)],
    "timestamp": [datetime(2026, 2, 25, 8), datetime(1970, 1, 1), datetime(2026, 2, 25, 8, 0, 0, 1)],
    "uuid": [UUID(int=n) for n in (1, 2, 2**127)],
    "blob": [b"a", b"b\0", b"\xff"],
}


@pytest.fixture
def con():
    with duckdb.connect() as con:
        con.execute("create table t as select range as n, 'k' || range as k from range(10_000)")
        yield con


def rows_of(reader):
    with reader:
        return [row for batch in reader for row in batch.rows]


@pytest.mark.parametrize("strategy", ["auto", "in-list", "array", "temporary-table"])
@pytest.mark.parametrize("key_type", KEYS)
def test_keys_of_every_type_find_their_rows(con, key_type, strategy):
    keys = KEYS[key_type]
    con.execute(f"create table typed (k {key_type}, n int)")
    con.executemany("insert into typed values (?, ?)", [(key, n) for key in keys[:2] for n in (1, 2)])
    sql = "select k, n from typed where k in (:keys) order by n"
    assert rows_of(read_sql_iter(sql, con, keys=keys, strategy=strategy)) == [
        (key, n) for key in sorted(keys[:2]) for n in (1, 2)
    ]


def test_rows_that_the_callers_transaction_wrote_are_seen_and_it_stays_open(con):
    con.begin()
    con.execute("insert into t values (-1, 'mine')")
    sql = "select n from t where k in (:keys) and n < $most"
    assert rows_of(read_sql_iter(sql, con, {"most": 5}, keys=["mine", "k1", "k7"])) == [(1,), (-1,)]
    with read_sql_iter("select * from t", con, batch_size=10) as reader:
        next(reader)  # and left
    con.rollback()
    assert con.execute("select count(*) from t where n < 0").fetchall() == [(0,)]


def test_a_heavy_query_is_interrupted_and_the_connection_works_on(con):
    begin = monotonic()
    with pytest.raises(DatabaseTimeout, match=r"timeout=0.3 s"):
        rows_of(read_sql_iter(HEAVY, con, timeout=0.3))
    assert monotonic() - begin < 10
    assert con.execute("select 1").fetchall() == [(1,)]


def test_a_result_of_the_caller_that_is_not_at_its_end_is_not_replaced(con):
    con.execute("select n from t order by n")
    assert con.fetchone() == (0,)
    with pytest.raises(StatementError, match="not fetched to its end"):
        next(read_sql_iter("select * from t", con))
    assert con.fetchone() == (1,)


@pytest.mark.parametrize("ended_by", ["complete", "abort"])
def test_a_result_that_the_caller_ends_is_an_error_and_not_the_end(con, ended_by):
    reader = read_sql_iter("select * from t", con, batch_size=10)
    next(reader)
    getattr(con, ended_by)()
    with pytest.raises(ReadInterrupted, match=ended_by):
        rows_of(reader)


def test_repeated_names_and_columns_are_those_of_the_statement(con):
    with read_sql_iter("select 1 as a, 2 as a, 1.5::decimal(9, 3) as d", con) as reader:
        assert reader.columns == ("a", "a", "d")
        assert [(column.type, column.precision, column.scale) for column in reader.description[1:]] == [
            ("integer", None, None),
            ("decimal", 9, 3),
        ]
        assert next(reader).rows == [(1, 2, Decimal("1.500"))]


def test_a_closed_connection_is_named_as_such():
    con = duckdb.connect()
    con.close()
    with pytest.raises(ConnectionClosed):
        next(read_sql_iter("select 1", con))


@pytest.mark.parametrize(
    "key_type", ["integer", "hugeint", "decimal(9, 3)", "double", "float", "date", "timestamp", "uuid"]
)
def test_a_text_becomes_a_key_of_the_columns_type(con, key_type):
    keys = [0.5, 2.0, -3.0] if key_type == "float" else KEYS[key_type]
    con.execute(f"create table typed (k {key_type})")
    con.executemany("insert into typed values (?)", [(key,) for key in keys])
    sql = "select k from typed where k in (:keys)"
    make = key_maker(sql, con, None, None)
    assert [row[0] for row in rows_of(read_sql_iter(sql, con, keys=[make(str(key)) for key in keys]))] == sorted(keys)
    with pytest.raises(InvalidKey, match="are of type str and their column is"):
        rows_of(read_sql_iter(sql, con, keys=list(map(str, keys))))


def test_a_text_that_a_real_column_would_round_is_no_key_of_it(con):
    con.execute("create table typed (k float)")
    with pytest.raises(ValueError, match="is no number of type real"):
        key_maker("select k from typed where k in (:keys)", con, None, None)("0.1")
