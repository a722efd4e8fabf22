"""Reading through the real oracledb driver, from a stand-in for its server."""

from __future__ import annotations

from contextlib import closing

import pytest
import sqlalchemy

from mesbatch import read_sql_iter
from mesbatch.errors import DatabaseTimeout, ReadInterrupted
from tests.rig.oracle import ROWS, oracle_server

oracledb = pytest.importorskip("oracledb")
SQL = "select id, cid, note from orders where cid in (:keys)"
KEYS = list(range(40))
EXPECTED = sorted((n % 100, n) for n in range(ROWS) if n % 100 < 40)



@pytest.fixture(scope="module")
def orders(oracle):
    oracle.make_table("orders", "id number(9), cid number(9), note varchar2(200)", ORDERS)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))


def fetched_rows(con):
    """Rows that the server has sent on this connection."""
    with closing(con.cursor()) as cursor:
        return dict(cursor.execute("select name, value from fake$stats").fetchall()).get("rows", 0)


def read(sql, con, **options):
    with read_sql_iter(sql, con, **options) as reader:
        rows = [(row[1], row[0]) for batch in reader for row in batch.rows]
    assert reader.manifest.complete
    return rows


def test_the_first_batch_comes_before_the_rows_after_it(connection):
    with read_sql_iter("select id, cid, note from orders", connection, batch_size=50) as reader:
        assert next(reader).num_rows == 50
    assert 50 <= fetched_rows(connection) <= 1_100 < ROWS


def test_the_callers_connection_works_on_after_a_break(connection):
    with read_sql_iter(SQL, connection, keys=KEYS, batch_size=50) as reader:
        next(reader)
    with connection.cursor() as cursor:
        assert cursor.execute("select count(*) from orders").fetchone() == (ROWS,)


@pytest.mark.parametrize("parallel", [1, 3])
def test_keys_are_read_from_a_pool_in_their_order(pool, parallel):
    assert sorted(read(SQL, pool, keys=KEYS, parallel=parallel)) == EXPECTED
    assert [key for key, _ in read(SQL, pool, keys=KEYS, parallel=parallel)] == [key for key, _ in EXPECTED]


def test_a_pool_gets_its_connections_back_after_a_break(pool):
    reader = read_sql_iter(SQL, pool, keys=KEYS, parallel=2, batch_size=50)
    next(reader)
    reader.close()
    assert pool.busy == 0


def test_an_engine_reads_through_the_driver(server):
    engine = sqlalchemy.create_engine(f"oracle+oracledb://scott:tiger@127.0.0.1:{server.port}?service_name=FREEPDB1")
    orders = sqlalchemy.table("orders", *map(sqlalchemy.column, ("id", "cid", "note")))
    chosen = sqlalchemy.select(orders).where(orders.c.cid.in_(sqlalchemy.bindparam("keys", expanding=True)))
    assert sorted(read(chosen, engine, keys=KEYS)) == EXPECTED
    assert engine.pool.checkedout() == 0
    engine.dispose()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the driver forgets a socket
@pytest.mark.parametrize("fault", ["drop_after(2500)", "rst_after(2500)"])
def test_a_cut_connection_in_one_query_says_how_far_it_came(pool, fault):
    reader = read_sql_iter(f"select /*+ {fault} */ id, cid, note from orders", pool, batch_size=100)
    with pytest.raises(ReadInterrupted, match="rows were delivered before"), reader:
        list(reader)
    assert reader.manifest.status == "failed"


def test_a_server_that_drops_all_sessions_costs_no_row_of_a_keyed_read(server, pool):
    with read_sql_iter(SQL, pool, keys=KEYS, batch_size=50) as reader:
        rows = [(row[1], row[0]) for row in next(reader).rows]
        server.kill_sessions()
        rows += [(row[1], row[0]) for batch in reader for row in batch.rows]
    assert sorted(rows) == EXPECTED
    assert reader.manifest.complete


def test_a_query_that_takes_too_long_is_cancelled(pool):
    with pytest.raises(DatabaseTimeout), read_sql_iter("select test_sleep(20) as s from dual", pool, timeout=0.3) as r:
        next(r)


def test_the_columns_carry_what_oracle_declares(connection):
    with read_sql_iter("select id, note from orders", connection) as reader:
        number, text = reader.description
    assert (number.name, number.type, number.precision) == ("ID", "number", 9)
    assert (text.name, text.type, text.width) == ("NOTE", "varchar", 800)  # bytes: four to a character
