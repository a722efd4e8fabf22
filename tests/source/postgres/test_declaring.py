"""psycopg2 and pg8000: what PostgreSQL knows is theirs, too, and no result is held by them."""

from __future__ import annotations

from contextlib import closing, suppress
from datetime import date, datetime
from decimal import Decimal
from itertools import product
from threading import Timer
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from mesbatch import MiB, read_sql_iter
from mesbatch.batch import Column
from mesbatch.errors import (
    ConnectionLost,
    DatabaseBusy,
    DatabaseTimeout,
    InvalidKey,
    NotSplittable,
    ReadInterrupted,
    UnencodableValue,
)
from mesbatch.source.drivers import driver_of
from tests.rig.until import until

pytestmark = pytest.mark.slow

ONE = UUID(int=1)
LOTS = [f"L{n:06d}" for n in range(114_000)]
STRATEGIES = ["auto", "in-list", "array", "look-up", "temporary-table"]


def open_psycopg2(url, **options):
    return pytest.importorskip("psycopg2").connect(url, **options)


def open_pg8000(url, module="pg8000.dbapi"):
    connect = pytest.importorskip(module).connect
    parts = urlsplit(url)
    con = connect(user=parts.username, host=parts.hostname, port=parts.port, database=parts.path[1:])
    cursor = con.cursor()
    options = parse_qs(parts.query).get("options", [""])[0]
    if path := options.removeprefix("-csearch_path="):
        cursor.execute(f"set search_path = {path}")
    con.commit()
    return con


OPENING = {
    "psycopg2": open_psycopg2,
    "pg8000": open_pg8000,
    "pg8000.legacy": lambda url: open_pg8000(url, "pg8000.legacy"),
}


@pytest.fixture(params=list(OPENING))
def connect(request, postgres_schema_url):
    return lambda: OPENING[request.param](postgres_schema_url)


@pytest.fixture
def con(connect):
    with closing(connect()) as con:
        yield con


@pytest.fixture(params=["the caller's", "the caller's in autocommit", "ours", "ours in autocommit"])
def any_con(request, connect):
    """A connection, or a function that connects, in either mode."""

    def opened():
        made = connect()
        made.autocommit = "autocommit" in request.param
        return made

    if "ours" in request.param:
        yield opened
    else:
        with closing(opened()) as con:
            yield con


@pytest.fixture
def table(postgres):
    postgres.execute("create table t (n int, lot varchar(12), padded char(8), price numeric(12, 3), u uuid)")
    postgres.execute(
        "insert into t select n, 'L' || lpad((n / 3)::text, 6, '0'), 'P' || n / 3, n / 1000.0, "
        "lpad(to_hex(n / 3), 32, '0')::uuid from generate_series(0, 8999) n order by -n"
    )
    postgres.execute("create index on t (lot)")
    postgres.commit()
    return postgres


def read(sql, con, *args, **options):
    with read_sql_iter(sql, con, *args, **options) as reader:
        return [row for batch in reader for row in batch.rows]


def test_the_columns_carry_what_postgres_declares(any_con):
    for rows in (0, 1, 250):
        sql = (
            f"select n::numeric(12, 3) as q, 'a'::varchar(16) as v, n, 'x'::char(4) c from generate_series(1, {rows}) n"
        )
        with read_sql_iter(sql, any_con) as reader:
            assert reader.description == (
                Column("q", "numeric", None, 12, 3), Column("v", "varchar", 16), Column("n", "int4", 4),
                Column("c", "bpchar", 4),
            )  # fmt: skip
            assert [row for batch in reader for row in batch.rows] == [
                (Decimal(n), "a", n, "x   ") for n in range(1, rows + 1)
            ]


def test_values_are_those_of_psycopg_3(postgres, any_con):
    sql = (
        "select 1::int2, 2::bigint, 1.5::float8, 'NaN'::numeric, true, null, 'a'::text, '\\x00ff'::bytea, "
        "date '2026-02-25', timestamp '2026-02-25 08:00:00.5', time '08:00', interval '1 day 2 hours', "
        f"'{ONE}'::uuid, '[1, 2.50, {{\"a\": null}}]'::json, '{{\"a\": 1e400}}'::jsonb, "
        "array[1, null, 3], array['a,b', 'c'], "
        f"array['{ONE}'::uuid], int4range(1, 5)"
    )
    expected = read(sql, postgres)
    found = read(sql, any_con)
    assert str(found) == str(expected)
    assert [type(value) for value in found[0]] == [type(value) for value in expected[0]]


def test_a_value_that_the_driver_would_change_is_an_error(con):
    for value in ("date 'infinity'", "timestamp '-infinity'", "interval '1 month'", "'[0:1]={1,2}'::int[]"):
        with pytest.raises(UnencodableValue, match=r"column '.*' of row 1: .*read it as text"):
            read(f"select {value}", con)
        con.rollback()


@pytest.mark.parametrize("sql", ["show work_mem", "values (1), (2)", "explain select 1", "table t", "(select 1)"])
def test_every_statement_that_returns_rows_is_read(table, any_con, sql):
    assert read(sql, any_con) == table.execute(sql).fetchall()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_keys_come_once_and_in_order_by_each_strategy(table, any_con, strategy):
    for count in (1, 3, 2_500):
        rows = read("select n, lot from t where lot in (:keys)", any_con, keys=[*LOTS[:count], "x"], strategy=strategy)
        assert [row[1] for row in rows] == sorted([lot for lot in LOTS[:count] for _ in range(3)])


def test_all_keys_of_a_large_list(table, any_con):
    assert len(read("select n, lot from t where lot in (:keys)", any_con, keys=LOTS)) == 9_000
    assert read("select n, lot from t where lot in (:keys)", any_con, keys=[]) == []


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("column", "keys"),
    [
        ("padded", ["P7", "P11   ", "P7  "]),
        ("u", [UUID(int=7), UUID(int=11)]),
        ("n / 3", [7, 11, 10**30]),
        ("price", [Decimal("0.021"), Decimal("0.0215")]),
        ("date '2026-01-01' + n", [date(2026, 1, 8), date(2026, 1, 12)]),
        ("timestamp '2026-01-01' + n * interval '1 day'", [datetime(2026, 1, 8), datetime(2026, 1, 12)]),
        ("decode(lpad(to_hex(n), 4, '0'), 'hex')", [b"\x00\x07", b"\x00\x0b"]),
        ("n::float8 / 2", [3.5, 5.5]),
        ("'a\"\\,' || n", ['a"\\,7', 'a"\\,11']),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_keys_of_every_type(table, con, postgres, strategy, column, keys):
    sql = f"select n, k from (select n, {column} as k from t) as x where k in (:keys)"
    assert read(sql, con, keys=keys, strategy=strategy) == read(sql, postgres, keys=keys, strategy=strategy) != []


def test_a_place_of_a_uuid_is_gone_on_from(table, con):
    sql = "select distinct u from t where n < 9"
    rows = read(sql, con, keyset=["u"])
    assert read(sql, con, keyset=["u"], after=rows[0])[-2:] == rows[1:] == [(UUID(int=1),), (UUID(int=2),)]


REAL = "select r from f where r in (:keys)"


@pytest.fixture
def numbers(table):
    """Rows whose numbers are rounded by one type, and not by another."""
    table.execute("create table f (r real, n numeric)")
    table.execute("insert into f values (0.1, 0.1), (1.1, 0.100000000000000000001), (1.5, 2)")
    table.commit()
    return table


def test_numbers_that_a_real_column_would_round_are_refused(numbers, any_con):
    for strategy, keys in product(STRATEGIES, ([Decimal("0.1"), Decimal("1.1"), Decimal("2.1")], [2**24 + 1, 3])):
        with pytest.raises(InvalidKey, match="is no number of type real"):
            read(REAL, any_con, keys=keys, strategy=strategy)
        with suppress(AttributeError):  # a function that connects
            any_con.rollback()
        assert read(REAL, any_con, keys=[Decimal("1.5"), Decimal(2)], strategy=strategy) == [(1.5,)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_floats_equal_the_numbers_that_one_statement_of_the_driver_finds(numbers, con, strategy):
    with closing(con.cursor()) as cursor:
        cursor.execute("select n from f where n in (%s, %s)", [0.1, 2.5])
        plain = [tuple(row) for row in cursor.fetchall()]
    assert read("select n from f where n in (:keys)", con, keys=[0.1, 2.5], strategy=strategy) == plain != []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_floats_that_a_real_column_would_round_are_refused(numbers, con, strategy):
    with pytest.raises(InvalidKey, match="is no number of type real"):
        read(REAL, con, keys=[0.1, 1.1, 2.1], strategy=strategy)


ROUNDED = [
    [2**53, 2**53 + 1],
    [Decimal("0.1"), Decimal("0.1000000000000000055511151231257827021181583404541015625")],
    [1, 10**400],
]


def test_numbers_that_a_double_would_round_are_refused(table, any_con):
    table.execute("create table f (d double precision)")
    table.execute("insert into f values (9007199254740992), (0.1)")
    table.commit()
    sql = "select d from f where d in (:keys)"
    for strategy, keys in product(STRATEGIES, ROUNDED):
        with pytest.raises(InvalidKey, match="is no number of type double precision"):
            read(sql, any_con, keys=keys, strategy=strategy)
        with suppress(AttributeError):  # a function that connects
            any_con.rollback()
        assert read(sql, any_con, keys=[2**53, 3], strategy=strategy) == [(2.0**53,)]


def test_one_statement_compares_as_the_column_does(table, con):
    table.execute("create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    table.execute("create table c (n int, k text collate ci)")
    table.execute("insert into c values (1, 'a'), (2, 'A'), (3, 'b')")
    table.commit()
    sql = "select count(*) from c where k in (:keys)"
    assert read(sql, con, keys=["a", "B"]) == [(3,)]
    for strategy in ("array", "temporary-table"):  # nothing tells the collation of a column that is not in the result
        with pytest.raises(NotSplittable, match="must stand in one list"):
            read(sql, con, keys=["a", "B"], strategy=strategy)
    assert read("select count(*) from t where padded in (:keys)", con, keys=["P7", "P8 "]) == [(6,)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_parameters_and_literal_signs_beside_keys(table, any_con, strategy):
    sql = (
        "select n, lot from t where n > %s and lot like 'L%%7' and 'a:b' = 'a:b' and n %% 3 = 1 "
        "and lot in (:keys) and n < %s"
    )
    found = read(sql, any_con, (5, 90), keys=LOTS[:100], strategy=strategy)
    assert [row[0] for row in found] == [22, 52, 82]
    plain = "select n, lot from t where lot like 'L%7' and n % 3 = 1 and lot in (:keys)"
    assert [row[0] for row in read(plain, any_con, keys=LOTS[:30], strategy=strategy)] == [22, 52, 82]


def test_keys_of_another_type_are_refused(table, con):
    with pytest.raises(InvalidKey, match="are of type int and their column is text"):
        read("select lot from t where lot in (:keys)", con, keys=[1])


def test_the_callers_transaction_goes_on(table, con):
    cursor = con.cursor()
    cursor.execute("insert into t values (-1, 'mine')")
    assert len(read("select n, lot from t where lot in (:keys)", con, keys=["mine"])) == 1
    with read_sql_iter("select * from t", con, batch_size=100) as reader:
        next(reader)  # and left
    cursor.execute("select count(*) from t")
    assert next(iter(cursor.fetchall()))[0] == 9_001
    con.rollback()
    assert read("select n from t where n < 0", con) == []


def test_leaving_early_gives_a_connection_back_that_is_whole(table, any_con):
    for _ in range(3):
        with read_sql_iter("select * from t", any_con, batch_size=100) as reader:
            assert next(reader).num_rows == 100
    idle = "state like 'idle in transaction%' and query like '%mesbatch%'"
    open_ones = f"select count(*) from pg_stat_activity where {idle}"

    def are_given_back():
        table.rollback()  # within a transaction the view stays as it was
        return table.execute(open_ones).fetchone()[0] <= (0 if callable(any_con) else 1)

    until(are_given_back)  # a server ends a connection in its own time


def test_two_readers_share_the_callers_connection(con):
    first = read_sql_iter("select n from generate_series(1, 300) n", con, batch_size=100)
    second = read_sql_iter("select -n from generate_series(1, 300) n", con, batch_size=100)
    with first, second:
        assert [(a.num_rows, b.num_rows) for a, b in zip(first, second)] == [(100, 100)] * 3


def test_a_snapshot_is_shared_by_two_connections(table, connect):
    sql = "select n, lot from t where lot in (:keys)"
    with read_sql_iter(sql, connect, keys=LOTS[:3_000], consistent=True, parallel=2, strategy="in-list") as reader:
        rows = list(next(reader).rows)
        table.execute("delete from t")
        table.commit()
        rows += [row for batch in reader for row in batch.rows]
    assert len(rows) == 9_000


@pytest.mark.parametrize("mine", [True, False])
def test_a_timeout_cancels_the_statement_in_the_server(table, connect, con, mine):
    with pytest.raises(DatabaseTimeout):
        read("select pg_sleep(30)", connect if mine else con, timeout=0.3)
    assert table.execute("select count(*) from pg_stat_activity where query like '%pg_sleep(30)%' "
                         "and state = 'active' and pid <> pg_backend_pid()").fetchone() == (0,)  # fmt: skip


def pid_of(con):
    cursor = con.cursor()
    cursor.execute("select pg_backend_pid()")
    return next(iter(cursor.fetchall()))[0]


def test_a_connection_that_dies_is_lost(table, connect):
    con = connect()
    pid = pid_of(con)
    with read_sql_iter("select * from t", con, batch_size=100) as rows:
        next(rows)
        table.execute("select pg_terminate_backend(%s)", (pid,))
        with pytest.raises(ReadInterrupted, match="100 rows"):
            list(rows)
    _forget(con)
    con = connect()
    Timer(0.3, lambda pid: table.execute("select pg_terminate_backend(%s)", (pid,)), [pid_of(con)]).start()
    with pytest.raises(ConnectionLost):
        read("select pg_sleep(30)", con)
    _forget(con)


def _forget(con):
    """Close a connection that cannot say goodbye."""
    with suppress(Exception):
        con.close()


def test_a_lock_that_is_not_given_is_busy(table, con):
    table.execute("lock table t")
    cursor = con.cursor()
    cursor.execute("set lock_timeout = 50")
    with pytest.raises(DatabaseBusy, match="lock timeout"):
        read("select * from t", con)
    table.rollback()


@pytest.mark.limit_memory("16 MB")
@pytest.mark.parametrize("mine", [True, False])
def test_a_large_result_is_never_held(postgres, connect, con, mine):
    sql = (
        "select n, repeat('x', 60) a, n + 1, repeat('y', 60) b, now(), n * 1.5, 'abc', n, n, n "
        "from generate_series(1, 60000) n"
    )
    with read_sql_iter(sql, connect if mine else con, max_bytes=4 * MiB) as reader:
        assert sum(batch.num_rows for batch in reader) == 60_000


def test_an_uncommon_class_of_rows_is_no_hindrance(table, postgres_schema_url):
    psycopg2 = pytest.importorskip("psycopg2")
    from psycopg2 import extras

    for factory in (extras.RealDictCursor, extras.DictCursor, extras.NamedTupleCursor):
        with closing(psycopg2.connect(postgres_schema_url, cursor_factory=factory)) as con:
            rows = read("select n, lot from t where lot in (:keys)", con, keys=["L000000"])
            assert sorted(rows) == [(0, "L000000"), (1, "L000000"), (2, "L000000")]
            assert {type(row) for row in rows} == {tuple}


def test_the_driver_is_postgres(con):
    assert driver_of(con).dialect == "postgres"
