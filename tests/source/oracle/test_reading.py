"""Reading from Oracle through the real driver; the same tests run on a real one: ``MESBATCH_ORACLE_DSN``."""

from __future__ import annotations

from contextlib import closing
from datetime import date, datetime
from decimal import Decimal

import oracledb
import pytest
import sqlalchemy

from mesbatch import MiB, OracleSource, read_sql_iter
from mesbatch.errors import DatabaseTimeout, InvalidKey, KeyMismatch, NotSplittable, StatementError
from mesbatch.sink.ndjson import ndjson_lines

ROWS = 6_000
ORDERS = [(n, n % 100, "x" * 100) for n in range(ROWS)]
SQL = "select id, cid, note from orders where cid in (:keys)"
KEYS = list(range(40))
EXPECTED = sorted((n % 100, n) for n in range(ROWS) if n % 100 < 40)
STRATEGIES = ["auto", "in-list", "array", "temporary-table"]
LOTS = [(f"L{n:03}", f"lot {n}", n) for n in range(50)]


@pytest.fixture(scope="module", autouse=True)
def tables(oracle):
    oracle.make_table("orders", "id number(9), cid number(9), note varchar2(200)", ORDERS)
    oracle.make_table("lots", "lot char(6), name varchar2(20 char), n number", LOTS)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))


def read(sql, con, *args, **options):
    with read_sql_iter(sql, con, *args, **options) as reader:
        rows = [row for batch in reader for row in batch.rows]
    assert reader.manifest.complete
    return rows


def pairs(rows):
    return sorted((row[1], row[0]) for row in rows)


def test_all_rows_come_through_a_connection_a_pool_and_a_function(oracle, oracle_connection, oracle_pool):
    for con in (oracle_connection, oracle_pool, oracle.connect, OracleSource(oracle.connect)):
        assert sorted(read("select id, cid, note from orders", con)) == ORDERS


def test_the_callers_connection_works_on_after_a_break(oracle_connection):
    with read_sql_iter(SQL, oracle_connection, keys=KEYS, batch_size=50) as reader:
        next(reader)
    with oracle_connection.cursor() as cursor:
        assert cursor.execute("select count(*) from orders").fetchone() == (ROWS,)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("parallel", [1, 3])
def test_keys_are_read_from_a_pool_in_their_order(oracle_pool, strategy, parallel):
    rows = read(SQL, oracle_pool, keys=KEYS, strategy=strategy, parallel=parallel)
    assert pairs(rows) == EXPECTED
    assert [row[1] for row in rows] == [key for key, _ in EXPECTED]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_keys_of_a_padded_column_are_found_without_their_blanks(oracle_pool, strategy):
    rows = read("select lot, n from lots where lot in (:keys)", oracle_pool, keys=["L007", "L003 "], strategy=strategy)
    assert rows == [("L003  ", 3), ("L007  ", 7)]


def test_padding_is_taken_off_only_where_that_was_asked_for(oracle_pool):
    source = OracleSource(oracle_pool, strip_char=True)
    assert read("select lot, name from lots where lot in (:keys)", source, keys=["L007"]) == [("L007", "lot 7")]


def test_a_number_without_precision_is_exact_or_what_the_driver_gives(oracle, oracle_pool):
    oracle.make_table(
        "amounts", "lot varchar2(9), q number, p number(12,3)", [("a", 1, 1.5), ("b", 2.5, 2), ("c", None, None)]
    )
    sql = "select q, p from amounts where lot in (:keys)"

    def found(source):
        return [(row, tuple(map(type, row))) for row in read(sql, source, keys=["a", "b", "c"])]

    exact = [((1, 1.5), (Decimal, float)), ((Decimal("2.5"), 2), (Decimal, float)), ((None, None), (type(None),) * 2)]
    assert found(oracle_pool) == found(OracleSource(oracle_pool)) == exact
    with oracle_pool.acquire() as con, con.cursor() as cursor:
        own = [(row, tuple(map(type, row))) for row in cursor.execute("select q, p from amounts order by lot")]
    assert found(OracleSource(oracle_pool, numbers="driver")) == own
    assert own[1] == ((2.5, 2), (float, float))
    with pytest.raises(ValueError, match="numbers must be one of exact, driver; got 'float'"):
        OracleSource(oracle_pool, numbers="float")


@pytest.mark.parametrize("strategy", ["in-list", "array", "temporary-table"])
def test_keys_of_other_types_find_their_rows(oracle, oracle_pool, strategy):
    moment = datetime(2026, 2, 25, 8, 0, 1)
    oracle.make_table("days", "d date, q number, r raw(4)", [(moment, 1, b"\1"), (datetime(2026, 2, 26), 2.5, b"\2")])

    def found(column, keys):
        return read(
            f"select {column}, q as value from days where {column} in (:keys)",
            oracle_pool,
            keys=keys,
            strategy=strategy,
        )

    assert found("d", [moment]) == [(moment, 1)]
    with pytest.raises(KeyMismatch, match="pass keys of its type"):
        found("d", [date(2026, 2, 26)])  # a DATE of Oracle has a time
    assert found("q", [Decimal("2.5"), Decimal(7)]) == [(Decimal("2.5"), Decimal("2.5"))]
    assert found("q", [2.5]) == [(2.5, 2.5)]
    with pytest.raises(InvalidKey, match="no microseconds"):
        found("d", [moment.replace(microsecond=5)])
    if strategy == "array":
        with pytest.raises(InvalidKey, match="no list type for keys of type bytes"):
            found("r", [b"\1"])
    else:
        assert found("r", [b"\1"]) == [(b"\1", 1)]


def test_a_date_key_and_its_row_are_of_one_order(oracle_pool, oracle):
    oracle.make_table("days", "d date", [(datetime(2026, 2, day),) for day in range(1, 20)])
    days = [datetime(2026, 2, day) for day in range(19, 0, -1)]
    assert [row[0] for row in read("select d from days where d in (:keys)", oracle_pool, keys=days)] == days[::-1]


def test_more_keys_than_a_list_type_holds_are_still_one_statement(oracle_pool):
    keys = [f"no-{n}" for n in range(70_000)] + [name for _, name, _ in LOTS]
    count = "select count(*) as n from lots where name in (:keys)"
    assert read(count, oracle_pool, keys=keys, strategy="array") == [(50,)]
    assert read(count, oracle_pool, keys=iter(keys)) == [(50,)]
    with pytest.raises(NotSplittable):
        read(count, oracle_pool, keys=keys, strategy="in-list")


def test_a_pool_gets_its_connections_back_after_a_break(oracle_pool):
    reader = read_sql_iter(SQL, oracle_pool, keys=KEYS, parallel=2, batch_size=50)
    next(reader)
    reader.close()
    assert oracle_pool.busy == 0


def test_the_callers_transaction_is_left_alone(oracle, oracle_connection):
    oracle.make_table("mine", "n number(9)", [(1,)])
    oracle_connection.cursor().execute("insert into mine values (2)")
    query = "select n from mine where n in (:keys)"
    assert read(query, oracle_connection, keys=[1, 2]) == [(1,), (2,)]
    assert read(query, oracle_connection, keys=[1, 2], consistent=True) == [(1,), (2,)]
    with pytest.raises(StatementError, match="would commit your transaction"):
        read(query, oracle_connection, keys=[1, 2], strategy="temporary-table")
    oracle_connection.rollback()
    assert read("select n from mine", oracle_connection) == [(1,)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_consistent_read_sees_the_state_of_its_beginning(oracle, oracle_pool, strategy):
    oracle.make_table("moving", "k number(9), v number(9)", [(k, 0) for k in range(3_000)])
    with read_sql_iter(
        "select k, v from moving where k in (:keys)", oracle_pool, keys=range(3_000), strategy=strategy,
        consistent=True, batch_size=100,
    ) as reader:  # fmt: skip
        rows = list(next(reader).rows)
        with oracle.connect() as other:
            other.cursor().execute("update moving set v = 1")
            other.commit()
        rows += [row for batch in reader for row in batch.rows]
    assert rows == [(k, 0) for k in range(3_000)]
    assert read("select distinct v from moving", oracle_pool) == [(1,)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_consistent_read_is_a_read_only_transaction(oracle_pool, oracle_server, strategy):
    before = oracle_server.counts().get("read_only_rows", 0)
    rows = read(SQL, oracle_pool, keys=KEYS, strategy=strategy, consistent=True)
    assert oracle_server.counts().get("read_only_rows", 0) - before >= len(rows)


def test_a_consistent_read_is_not_parallel(oracle_pool):
    with pytest.raises(ValueError, match="parallel must be 1"):
        read(SQL, oracle_pool, keys=KEYS, consistent=True, parallel=2)


def test_a_transaction_of_the_read_ends_with_it(oracle_pool):
    read(SQL, oracle_pool, keys=KEYS, consistent=True, strategy="temporary-table")
    with oracle_pool.acquire() as connection:
        assert not connection.transaction_in_progress
        connection.cursor().execute("insert into lots values ('x', 'x', 1)")
        connection.rollback()


def test_a_query_that_takes_too_long_is_cancelled(oracle, oracle_server, oracle_pool):
    with (
        pytest.raises(DatabaseTimeout),
        read_sql_iter("select test_sleep(20) as s from dual", oracle_pool, timeout=0.3) as reader,
    ):
        next(reader)


def test_the_columns_carry_what_oracle_declares(oracle_connection):
    with read_sql_iter("select id, note from orders", oracle_connection) as reader:
        number, text = reader.description
    assert (number.name, number.type, number.precision) == ("ID", "number", 9)
    assert (text.name, text.type, text.width) == ("NOTE", "varchar", 200)
    with read_sql_iter("select lot, name from lots", oracle_connection) as reader:
        assert [(column.type, column.width) for column in reader.description] == [("char", 6), ("varchar", 80)]


# -- values


def test_every_number_arrives_exact_on_every_path(oracle, oracle_pool):
    exact = [Decimal("0.1234567890123456789012345"), Decimal("1379.417"), Decimal(7), Decimal(10) ** 37 + 1]
    oracle.make_table("exact", "i number(9), q number(12, 3), n number, w number(38, 10)", [
        (i, Decimal("1379.417"), n, Decimal("12345678901234567890.0123456789")) for i, n in enumerate(exact)
    ])  # fmt: skip
    rows = read("select i, q, n, w from exact order by i", oracle_pool)
    assert [row[2] for row in rows] == exact
    assert [type(value) for value in rows[0]] == [int, float, Decimal, Decimal]
    assert rows[0][3] == Decimal("12345678901234567890.0123456789")
    with read_sql_iter("select i, q from exact where i < 2 order by i", oracle_pool) as reader:
        lines = b"".join(ndjson_lines(reader))
    assert lines.splitlines()[0] == b'{"I":0,"Q":1379.417}'


def test_int_and_decimal_share_a_column(oracle, oracle_pool):
    oracle.make_table("mixed", "n number", [(1,), (2.5,), (None,), (3,)])
    rows = read("select n from mixed order by n", oracle_pool)
    assert rows == [(1,), (Decimal("2.5"),), (3,), (None,)] or set(rows) == {(1,), (Decimal("2.5"),), (3,), (None,)}


def test_a_number_with_more_digits_than_a_decimal_declares_is_whole(oracle_pool):
    (row,) = read("select 1e125 as big, 1e-100 as small from dual", oracle_pool)
    assert (float(row[0]), float(row[1])) == (1e125, 1e-100)


def test_times_texts_and_bytes(oracle, oracle_pool):
    columns = "d date, t timestamp(6), z timestamp(6) with time zone, r raw(8), f binary_double, v varchar2(20)"
    oracle.make_table("kinds", columns, [])
    with oracle.connect() as connection:
        connection.cursor().execute(
            "insert into kinds values (timestamp '2026-02-25 08:00:00', timestamp '2026-02-25 08:00:00.000007', "
            "timestamp '2026-02-25 08:00:00.5 +02:00', :r, :f, '')",
            r=b"\0\xff", f=-2.5,
        )  # fmt: skip
        connection.commit()
    (row,) = read("select * from kinds", oracle_pool)
    moment = datetime(2026, 2, 25, 8)
    assert row[:2] == (moment, moment.replace(microsecond=7))
    assert row[2].replace(tzinfo=None) == moment.replace(microsecond=500_000)  # in the zone's own time
    assert row[3:] == (b"\0\xff", -2.5, None)


def test_a_column_of_nothing_but_null_keeps_its_type(oracle, oracle_pool):
    oracle.make_table(
        "nothings", "k number(9), v varchar2(9), n number, d date", [(k, None, None, None) for k in range(9)]
    )
    with read_sql_iter("select * from nothings", oracle_pool) as reader:
        assert [column.type for column in reader.description] == ["number", "varchar", "number", "date"]
        assert {row[1:] for batch in reader for row in batch.rows} == {(None, None, None)}


def test_no_rows_have_columns(oracle_pool):
    with read_sql_iter("select id, note from orders where id < 0", oracle_pool) as reader:
        assert reader.columns == ("ID", "NOTE")
        assert list(reader) == []


# -- SQLAlchemy


@pytest.fixture
def engine(oracle):
    engine = sqlalchemy.create_engine(oracle.sqlalchemy_url)
    yield engine
    assert engine.pool.checkedout() == 0
    engine.dispose()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_engine_reads_through_the_driver(engine, strategy):
    orders = sqlalchemy.table("orders", *map(sqlalchemy.column, ("id", "cid", "note")))
    chosen = sqlalchemy.select(orders).where(orders.c.cid.in_(sqlalchemy.bindparam("keys", expanding=True)))
    assert pairs(read(chosen, engine, keys=KEYS, strategy=strategy)) == EXPECTED
    assert pairs(read(chosen, OracleSource(engine), keys=KEYS, strategy=strategy)) == EXPECTED


def test_an_engine_fetches_in_large_arrays(engine, oracle_server):
    with closing(read_sql_iter("select id, cid, note from orders", engine)) as reader:
        next(reader)
        before = oracle_server.counts()["round_trips"]
        rest = sum(batch.num_rows for batch in reader)
    assert oracle_server.counts()["round_trips"] - before <= rest / 1_000 + 4  # 60 with the dialect's own arraysize


def test_a_select_gives_the_values_that_sqlalchemy_gives(oracle, engine):
    oracle.make_table("typed", "id number(9), qty number(12, 3), made date, name varchar2(9)", [
        (1, Decimal("2.500"), datetime(2026, 2, 25), "a"), (2, None, None, None)
    ])  # fmt: skip
    typed = sqlalchemy.table(
        "typed",
        sqlalchemy.column("id", sqlalchemy.Integer),
        sqlalchemy.column("qty", sqlalchemy.Numeric(12, 3)),
        sqlalchemy.column("made", sqlalchemy.DateTime),
        sqlalchemy.column("name", sqlalchemy.String),
    )
    statement = sqlalchemy.select(typed).order_by(typed.c.id)
    with engine.connect() as con:
        expected = [tuple(row) for row in con.execute(statement)]
        assert read(statement, con) == expected
    rows = read(statement, engine)
    assert rows == expected
    assert [type(value) for value in rows[0]] == [type(value) for value in expected[0]]


# -- memory and round trips


def test_a_budget_bounds_the_drivers_array(oracle, oracle_pool, oracle_server):
    oracle.make_table("wide", "n number(9), v varchar2(4000)", [(n, "y" * 4_000) for n in range(1_000)])
    with read_sql_iter("select n, v from wide", oracle_pool, max_bytes=MiB) as reader:
        next(reader)
        assert oracle_server.counts()["rows"] > 0
        before = oracle_server.counts()["fetch"]
        assert sum(batch.num_rows for batch in reader) > 0
    # a third of 1 MiB is 85 rows of 4 kB
    assert oracle_server.counts()["fetch"] - before >= 900 / 90


def test_declared_widths_above_the_budget_do_not_stop_a_read_of_small_values(oracle, oracle_pool):
    columns = "n number(9), a varchar2(32767), b varchar2(32767)"
    try:
        oracle.make_table("declared", columns, [(n, "a", "b") for n in range(500)])
    except oracledb.DatabaseError:
        pytest.skip("this Oracle has max_string_size=standard")
    assert len(read("select * from declared", oracle_pool, max_bytes=MiB // 32)) == 500


def test_round_trips_are_few(oracle_server, oracle_connection):
    oracle_connection.ping()
    before = oracle_server.counts()["round_trips"]
    read("select id, cid, note from orders", oracle_connection)
    assert oracle_server.counts()["round_trips"] - before <= ROWS / 1_000 + 2


def test_the_next_keys_of_a_read_cost_one_round_trip_less(oracle_server, oracle_connection):
    oracle_connection.ping()
    before = oracle_server.counts()["round_trips"]
    sql = "select id, cid from orders where id in (:keys) and cid < 50"
    assert len(read(sql, oracle_connection, keys=range(5_000), strategy="in-list")) == 2_500
    # to describe, to look at NLS_SORT, five lists of 500 rows, and once more for the first of them
    assert oracle_server.counts()["round_trips"] - before == 8


def test_a_statement_that_was_fetched_otherwise_on_this_connection_comes_as_ever(oracle, oracle_connection):
    """The driver keeps with a statement's text how it was fetched."""
    oracle.make_table("sticky", "n number, c clob", [(Decimal("2.5"), "text")])
    sql = "select n, c from sticky"
    first = oracle_connection.cursor().execute(sql).fetchone()
    assert isinstance(first[0], float)
    assert read(sql, oracle_connection) == [(Decimal("2.5"), "text")]
    assert read(sql, OracleSource(oracle_connection, lobs="inline")) == [(Decimal("2.5"), "text")]
    again = oracle_connection.cursor().execute(sql).fetchone()
    assert (type(again[0]), type(again[1])) == (type(first[0]), type(first[1]))
