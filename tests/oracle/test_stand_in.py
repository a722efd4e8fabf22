"""The stand-in, compared with the driver's own documentation and with the needs of other tests."""

from __future__ import annotations

import threading
from datetime import datetime
from decimal import Decimal

import oracledb
import pytest

from tests.oracle.fixtures import DSN

pytestmark = pytest.mark.skipif(bool(DSN), reason="only the stand-in is looked at here")
MILLION = (
    "with recursive c(n) as (select 1 union all select n + 1 from c where n < {}) select n, 'text ' || n as t from c"
)


def trips(server, work):
    """Run *work*; return its round trips and its result."""
    before = server.counts()["round_trips"]
    result = work()
    return server.counts()["round_trips"] - before, result


@pytest.mark.parametrize(
    ("rows", "prefetch", "array", "expected"),
    [
        (1, 2, 100, 1),
        (100, 2, 100, 2),
        (1_000, 2, 100, 11),
        (10_000, 2, 100, 101),
        (10_000, 2, 1_000, 11),
        (10_000, 1_000, 1_000, 11),
        (20, 20, 20, 2),
        (20, 21, 20, 1),
    ],
)
def test_round_trips_are_those_of_the_drivers_documentation(
    oracle_server, oracle_connection, rows, prefetch, array, expected
):
    """The table of "Tuning Fetch Performance" in python-oracledb's manual."""
    cursor = oracle_connection.cursor()
    cursor.prefetchrows, cursor.arraysize = prefetch, array
    count, fetched = trips(oracle_server, lambda: cursor.execute(MILLION.format(rows)).fetchall())
    assert (len(fetched), count) == (rows, expected)


def test_a_million_rows_are_streamed(oracle_server, oracle_connection):
    cursor = oracle_connection.cursor()
    cursor.arraysize = 5_000
    rows_in_all = 1_000_000 if oracle_server.profile == "19c" else 100_000
    cursor.execute(MILLION.format(rows_in_all))
    cursor.fetchmany(20_000)
    before, total = oracle_server.memory(), 20_000
    while rows := cursor.fetchmany(5_000):
        total += len(rows)
    assert total == rows_in_all
    assert oracle_server.memory() - before < 16 * 2**20


def test_rows_that_nobody_fetches_are_not_sent(oracle_server, oracle_connection):
    before = oracle_server.counts().get("rows", 0)
    with oracle_connection.cursor() as cursor:
        cursor.execute(MILLION.format(100_000))
        cursor.fetchmany(10)
    oracle_connection.ping()
    assert oracle_server.counts()["rows"] - before <= 102


def test_values_come_as_the_driver_gives_them(oracle, oracle_connection):
    columns = (
        "n number, n9 number(9), n12 number(12, 3), c char(6), v varchar2(20), d date, t timestamp(6), r raw(4), "
        "f binary_double, x varchar2(9)"
    )
    moment = datetime(2026, 2, 25, 8, 0, 1)
    rows = [
        (1.5, 123, Decimal("1379.417"), "ab", "é€", moment, moment, b"\0\xff", -2.5, None),
        (10**20, -1, 0, "abcdef", "", None, None, None, -0.5, None),
    ]
    oracle.make_table("kinds", columns, rows)
    first, second = oracle_connection.cursor().execute("select * from kinds").fetchall()
    assert first == (
        1.5, 123, 1379.417, "ab    ", "é€", moment, moment, b"\0\xff", -2.5, None
    )  # fmt: skip
    assert second == (10**20, -1, 0, "abcdef", None, None, None, None, -0.5, None)


def test_arrow_batches_are_read(oracle_server, oracle_connection):
    pyarrow = pytest.importorskip("pyarrow")
    sizes = [
        pyarrow.table(frame).num_rows
        for frame in oracle_connection.fetch_df_batches(MILLION.format(12_000), size=5_000)
    ]
    assert sizes == [5_000, 5_000, 2_000]


def test_a_break_is_answered_while_a_statement_runs(oracle_server, oracle_connection):
    timer = threading.Timer(0.2, oracle_connection.cancel)
    timer.start()
    with pytest.raises(oracledb.DatabaseError, match="ORA-01013"):
        oracle_connection.cursor().execute("select test_sleep(20) from dual")
    timer.join()
    assert oracle_connection.cursor().execute("select 1 from dual").fetchone() == (1,)


def test_only_the_right_password_and_service_are_let_in(oracle):
    with pytest.raises(oracledb.DatabaseError, match="ORA-01017"):
        oracledb.connect(**oracle.credentials | {"password": "wrong"})
    with pytest.raises(oracledb.DatabaseError, match=r"DPY-6001|DPY-6005"):
        oracledb.connect(**oracle.credentials | {"dsn": oracle.credentials["dsn"].replace("STANDIN", "OTHER")})


def test_a_list_in_in_is_as_long_as_the_release_allows(oracle_server, oracle_connection):
    def ask(keys):
        marks = ", ".join(f":{i}" for i in range(keys))
        return oracle_connection.cursor().execute(f"select 1 from dual where 1 in ({marks})", [1] * keys).fetchall()

    assert ask(1_000) == [(1,)]
    if oracle_server.profile == "19c":
        with pytest.raises(oracledb.DatabaseError, match="ORA-01795"):
            ask(1_001)


def test_a_list_type_takes_as_many_keys_as_it_has_room_for(oracle_connection):
    make = oracle_connection.gettype("SYS.ODCIVARCHAR2LIST").newobject
    count = "select count(distinct column_value) from table(:1)"
    keys = [f"{n:016x}" for n in range(32_767)]
    assert oracle_connection.cursor().execute(count, [make(keys)]).fetchone() == (32_767,)
    with pytest.raises(oracledb.Error, match=r"DPY-\d+"):
        make([*keys, "x"])


def test_a_read_only_transaction_sees_one_state(oracle, oracle_connection):
    oracle.make_table("seen", "n number(9)", [(1,)])
    cursor = oracle_connection.cursor()
    cursor.execute("set transaction read only")
    with oracle.connect() as other:
        other.cursor().execute("insert into seen values (2)")
        other.commit()
    assert cursor.execute("select count(*) from seen").fetchone() == (1,)
    with pytest.raises(oracledb.DatabaseError, match="ORA-01456"):
        cursor.execute("insert into seen values (3)")
    oracle_connection.commit()
    assert cursor.execute("select count(*) from seen").fetchone() == (2,)


def test_a_private_table_belongs_to_its_session(oracle, oracle_connection):
    cursor = oracle_connection.cursor()
    cursor.execute("create private temporary table ora$ptt_k (key varchar2(9)) on commit preserve definition")
    cursor.executemany("insert into ora$ptt_k values (:1)", [("a",), ("b",)])
    oracle_connection.commit()
    assert cursor.execute("select count(*) from ora$ptt_k").fetchone() == (2,)
    with oracle.connect() as other, pytest.raises(oracledb.DatabaseError, match="ORA-00942"):
        other.cursor().execute("select * from ora$ptt_k")
    with pytest.raises(oracledb.DatabaseError, match="ORA-00903"):
        cursor.execute("create private temporary table k (key varchar2(9))")
