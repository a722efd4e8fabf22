"""Each driver of MySQL: bounded, right to the end of its rows, and gone when it is left."""

from __future__ import annotations

import gc
import threading
import time
import warnings
from contextlib import suppress
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy

from mesbatch import read_sql_iter
from mesbatch.errors import (
    ConnectionLost,
    DatabaseBusy,
    DatabaseTimeout,
    MesbatchError,
    ReadInterrupted,
    RowTooLarge,
    StatementError,
)
from mesbatch.events import PartRetried
from tests.rig.until import until

LARGE = "select seq as n, repeat('x', 200) as t from seq_1_to_200000"
ENDLESS = "select sum(a.seq * b.seq) as s from seq_1_to_1000000 a, seq_1_to_1000000 b where a.seq + b.seq <> 7"


def read(sql, con, **options):
    with read_sql_iter(sql, con, **options) as reader:
        return [row for batch in reader for row in batch.rows]


@pytest.fixture(params=[False, True], ids=["URL", "the caller's"])
def con(rig, request):
    return rig.connect() if request.param else rig.url


def running(mysql_admin, text):
    """The server's numbers of the connections that run a statement with *text*."""
    sql = f"select id from information_schema.processlist where info like '%{text}%' and id <> connection_id()"
    return [number for (number,) in mysql_admin(sql)]


def test_rows_without_keys_are_those_of_fetchall(rig, con):
    assert read("select * from indexed order by n", con) == rig.fetchall("select * from indexed order by n")
    assert read("select * from indexed where n < 0", con) == []


def test_values_come_exactly(rig, con, mysql_admin, new_name):
    mysql_admin(
        f"create table {new_name} (id int, u bigint unsigned, c decimal(30,10), b bit(12), t time(3), j json, "
        "s varchar(20), l varchar(20) character set latin1, r blob, d date, m datetime(6), e enum('x'), p set('p','q'))"
    )
    mysql_admin(
        f"insert into {new_name} values (1, 18446744073709551615, 12345678901234567890.0123456789, b'101010101010', "
        "'838:59:59.5', '{\"a\": 1.10000000000000000000001}', '🙂', 'ä', x'00ff', '2026-01-02', "
        "'2026-01-02 03:04:05.000678', 'x', 'q,p'), (2, 0, 0, 0, '-12:00:01', '1', '', '', '', null, null, null, '')"
    )
    rows = read(f"select * from {new_name} order by id", con)
    assert rows[0][1] == 2**64 - 1
    assert str(rows[0][2]) == "12345678901234567890.0123456789"
    assert rows[0][3] in (b"\x0a\xaa", 0xAAA)
    assert rows[0][4] == timedelta(hours=838, minutes=59, seconds=59.5)
    assert rows[1][4] == -timedelta(hours=12, seconds=1)
    assert rows[0][5:9] == ('{"a": 1.10000000000000000000001}', "🙂", "ä", b"\x00\xff")
    assert rows[0][9:] == (date(2026, 1, 2), datetime(2026, 1, 2, 3, 4, 5, 678), "x", "p,q")
    assert rows[1][9:12] == (None, None, None)


def test_a_date_that_python_does_not_have_comes_as_it_is_written(rig, con, mysql_admin, new_name):
    mysql_admin(f"create table {new_name} (d date, m datetime)")
    mysql_admin(f"set statement sql_mode = '' for insert into {new_name} values ('0000-00-00', '2026-00-10 01:02:03')")
    rows = read(f"select * from {new_name}", con)
    if rig.name == "mariadbconnector":
        assert rows == [(None, None)]  # so says docs/drivers.md
    else:
        assert rows == [("0000-00-00", "2026-00-10 01:02:03")]


def test_a_dict_cursor_of_the_connection_does_not_change_the_rows(rig):
    if rig.name in ("pymysql", "mysqldb"):
        module = __import__({"pymysql": "pymysql", "mysqldb": "MySQLdb"}[rig.name] + ".cursors", fromlist=["cursors"])
        connection = rig.connect(cursorclass=module.DictCursor)
    else:
        connection = rig.connect()
    assert read("select n from indexed where n < 3 order by n", connection) == [(0,), (1,), (2,)]
    assert len(read("select n, k from indexed where k in (:keys)", connection, keys=["L000001"])) == 4


def test_leaving_early_ends_our_connection_and_keeps_the_callers(rig, con, mysql_admin):
    with read_sql_iter(LARGE, con) as reader:
        next(reader)
    until(lambda: not running(mysql_admin, "seq_1_to_200000"))
    assert read("select 7", con) == [(7,)]
    if not isinstance(con, str):
        assert con.cursor().execute("select 7") in (None, 1)


def test_a_read_that_failed_takes_no_rows_from_the_next(rig):
    for _ in range(10):
        with pytest.raises(RowTooLarge) as failure:
            read("select seq as n, repeat('x', 5000) as t from seq_1_to_20000", rig.url, max_bytes=1_000, batch_size=2)
        with read_sql_iter("select seq as n from seq_1_to_50", rig.url, batch_size=20) as reader:
            batches = iter(reader)
            rows = list(next(batches).rows)
            del failure
            gc.collect()  # frees the cursor of the first read, which the error's traceback held
            rows += [row for batch in batches for row in batch.rows]
        assert len(rows) == 50


def test_a_timeout_kills_the_statement_of_our_own_connection(rig, mysql_admin):
    started = time.monotonic()
    with pytest.raises(DatabaseTimeout, match=r"timeout=0\.5"):
        read(ENDLESS, rig.url, timeout=0.5)
    assert time.monotonic() - started < 10
    until(lambda: not running(mysql_admin, "a.seq + b.seq"))


def test_an_engine_is_read_by_its_driver_and_its_statement_is_killed(rig, mysql_admin):
    scheme = {"mysqldb": "mysql+mysqldb", "mariadbconnector": "mariadb+mariadbconnector"}.get(
        rig.name, f"mysql+{rig.name}"
    )
    engine = sqlalchemy.create_engine(rig.url.replace(rig.url.partition(":")[0], scheme))
    assert read("select n from indexed where n < 3 order by n", engine) == [(0,), (1,), (2,)]
    with pytest.raises(DatabaseTimeout):
        read(ENDLESS, engine, timeout=0.5)
    until(lambda: not running(mysql_admin, "a.seq + b.seq"))
    assert len(read("select n, k from caseless where k in (:keys)", engine, keys=["l000001"])) == 4
    engine.dispose()


def test_a_timeout_on_the_callers_connection_is_raised_after_the_fetch(rig):
    connection = rig.connect()
    with pytest.raises(DatabaseTimeout, match=r"timeout=0\.2"):
        read("select sleep(1)", connection, timeout=0.2)
    assert read("select 8", connection) == [(8,)]


def test_an_interrupted_read_ends_soon(rig, mysql_admin):
    reader = read_sql_iter(ENDLESS, rig.url)
    threading.Timer(0.5, reader.interrupt).start()
    with pytest.raises(DatabaseTimeout), reader:
        next(reader)
    until(lambda: not running(mysql_admin, "a.seq + b.seq"))


def test_the_servers_own_limits_have_our_names(rig, mysql_admin, new_name):
    connection = rig.connect()
    _execute(connection, "set max_statement_time = 0.3")
    with pytest.raises(DatabaseTimeout):
        read(ENDLESS, connection)
    _execute(connection, "set max_statement_time = 0")
    mysql_admin(f"create table {new_name} (n int) engine=innodb")
    holder = rig.connect()
    _execute(holder, f"lock tables {new_name} write")
    _execute(connection, "set lock_wait_timeout = 1")
    with pytest.raises(DatabaseBusy):
        read(f"select * from {new_name}", connection)
    _execute(holder, "unlock tables")


def _execute(connection, sql):
    cursor = connection.cursor()
    cursor.execute(sql)
    cursor.close()


@pytest.mark.parametrize("strategy", ["in-list", "temporary-table"])
def test_a_connection_that_is_killed_in_mid_read_is_replaced_and_each_row_comes_once(
    rig, mysql_admin, monkeypatch, new_name, strategy
):
    monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))
    mysql_admin(f"create table {new_name} (k int, t varchar(2000), index (k))")
    mysql_admin(f"insert into {new_name} select seq div 4, repeat('x', 2000) from seq_0_to_11999")
    events, keys = [], []
    with read_sql_iter(
        f"select k, t from {new_name} where k in (:keys)", rig.url, keys=range(3_000), strategy=strategy,
        max_bytes=2**20, on_event=events.append,
    ) as reader:  # fmt: skip
        for batch in reader:
            if not keys:
                for number in running(mysql_admin, f"from {new_name}"):
                    mysql_admin(f"kill {number}")
            keys += [k for k, _ in batch.rows]
    assert keys == sorted(list(range(3_000)) * 4)
    assert sum(isinstance(event, PartRetried) for event in events) == 1


def test_a_result_that_breaks_off_is_never_taken_for_its_end(rig, con, mysql_admin):
    reader = read_sql_iter(LARGE, con, max_bytes=2**18)
    next(reader)
    for number in running(mysql_admin, "seq_1_to_200000"):
        mysql_admin(f"kill {number}")
    with pytest.raises((ConnectionLost, ReadInterrupted)), reader:
        list(reader)
    assert 0 < reader.manifest.rows < 200_000
    assert reader.manifest.status == "failed"


def test_another_statement_on_the_connection_never_ends_our_rows_in_silence(rig):
    more = {"consume_results": True} if rig.name == "mysqlconnector" else {}
    connection = rig.connect(**more)
    reader, rows = read_sql_iter(LARGE, connection, batch_size=100), 0
    with suppress(MesbatchError, rig.error), warnings.catch_warnings(), reader:
        warnings.simplefilter("ignore", UserWarning)  # pymysql's own
        rows += next(reader).num_rows
        with suppress(Exception):
            _execute(connection, "select 7")
        for batch in reader:
            rows += batch.num_rows
    assert reader.manifest.status == "failed" or rows == 200_000


def test_one_snapshot_is_read_while_others_write(rig, mysql_admin, new_name):
    mysql_admin(f"create table {new_name} (k int, t varchar(2000), index (k))")
    mysql_admin(f"insert into {new_name} select seq, repeat('x', 2000) from seq_0_to_9999")
    keys = []
    with read_sql_iter(
        f"select k, t from {new_name} where k in (:keys)", rig.url, keys=range(10_000), strategy="in-list",
        consistent=True, max_bytes=2**20,
    ) as reader:  # fmt: skip
        for batch in reader:
            if not keys:
                mysql_admin(f"delete from {new_name} where k > 5000")
            keys += [k for k, _ in batch.rows]
    assert keys == list(range(10_000))


def test_several_connections_share_the_keys(rig):
    rows = read(
        "select n, k from indexed where k in (:keys)", rig.url, keys=[f"L{n:06}" for n in range(3_000)], parallel=2
    )
    assert len(set(rows)) == len(rows) == 12_000
    assert [k for _, k in rows] == sorted(k for _, k in rows)


def test_an_unfinished_transaction_of_the_caller_goes_on(rig, mysql_admin, new_name):
    mysql_admin(f"create table {new_name} (n int) engine=innodb")
    connection = rig.connect()
    _execute(connection, f"insert into {new_name} values (1)")
    assert read(f"select n from {new_name}", connection) == [(1,)]
    read("select n, k from caseless where k in (:keys)", connection, keys=["l000001"], strategy="temporary-table")
    connection.rollback()
    assert mysql_admin(f"select count(*) from {new_name}") == ((0,),)


NOT_DECODED = r"this connection gives byte(s|array) for (text|varchar): connect without"


def test_keys_on_a_connection_that_gives_bytes_for_text_are_refused(rig):
    if rig.name == "mariadbconnector":
        pytest.skip("it always gives text")
    with pytest.raises(StatementError, match=NOT_DECODED):
        read("select k from indexed where k in (:keys)", rig.connect(use_unicode=False), keys=["a"])


@pytest.mark.parametrize("expression", ["k", "concat(k, '')"])  # of a collation by code, and of the connection's
def test_text_never_comes_as_bytes(rig, expression):
    if rig.name == "mariadbconnector":
        pytest.skip("it always gives text")
    sql = f"select null as n, {expression} as k, cast(k as binary) as b from indexed limit 3"
    with suppress(StatementError):  # the connector decodes it nevertheless
        assert {(type(k), type(b)) for _, k, b in read(sql, rig.connect(use_unicode=False))} == {(str, bytes)}
