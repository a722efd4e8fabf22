"""pyodbc over PostgreSQL's ODBC driver, which is read as any driver that is not known."""

from __future__ import annotations

import warnings
from contextlib import closing, suppress
from time import monotonic

import pytest

from mesbatch import MiB, read_sql_iter
from mesbatch.errors import ConnectionLost, DatabaseTimeout, UnboundedDriver
from mesbatch.memory import release
from mesbatch.read import stream
from mesbatch.source import buffering
from mesbatch.source.buffering import RunningReads
from mesbatch.source.drivers import driver_of

try:
    import pyodbc
except ImportError as error:  # it is there, and the driver manager it needs is not
    pytest.skip(f"no pyodbc: {error}", allow_module_level=True)

LOTS = [f"L{n:05d}" for n in range(3_000)]
BIG = "select n, repeat('x', 60) a, n + 1, repeat('y', 60) b from generate_series(1, 200000) n"
BOUNDED = "UseDeclareFetch=1;Fetch=1000;"


@pytest.fixture
def connect(postgres_server):
    if "PostgreSQL Unicode" not in pyodbc.drivers():
        pytest.skip("no odbc: odbc-postgresql is not installed")
    made = []

    def opened(options=""):
        place = f"SERVER=127.0.0.1;PORT={postgres_server.port};DATABASE=postgres;UID=postgres;PWD=x"
        made.append(pyodbc.connect(f"DRIVER={{PostgreSQL Unicode}};{place};{options}"))
        return made[-1]

    yield opened
    for con in made:
        with suppress(pyodbc.ProgrammingError):  # closed by the read that it was made for
            con.close()


@pytest.fixture
def con(connect):
    con = connect()
    con.execute("create temp table t as select n, 'L' || lpad(n::text, 5, '0') lot from generate_series(0, 2999) n")
    return con


@pytest.mark.parametrize("count", [0, 1, 3, 3_000])
def test_keys_are_read_in_parts_beside_parameters_and_literal_signs(con, count):
    sql = "select n, lot from t where n >= ? and lot like 'L%' and ':a%' = ':a%' and lot in (:keys)"
    with read_sql_iter(sql, con, [1], keys=LOTS[:count]) as reader:
        rows = [row for batch in reader for row in batch.rows]
    assert rows == list(enumerate(LOTS[:count]))[1:]
    assert {type(row) for row in rows} <= {tuple}
    assert reader.manifest.parts_read == -(-count // 1_000)


def test_an_odbc_driver_that_holds_the_result_is_told(connect, monkeypatch):
    reads = RunningReads()  # readers that earlier tests forgot are no reads
    for module in (buffering, stream):
        monkeypatch.setattr(module, "RUNNING", reads)
    release()  # nor may memory that they freed be taken again without growing
    with pytest.warns(UnboundedDriver, match="keeps the whole result in memory"):
        assert sum(batch.num_rows for batch in read_sql_iter(BIG, connect(), max_bytes=2 * MiB)) == 200_000


def test_one_that_is_told_to_fetch_in_parts_is_not(connect):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sum(batch.num_rows for batch in read_sql_iter(BIG, connect(BOUNDED), max_bytes=2 * MiB)) == 200_000


@pytest.mark.parametrize("owned", [False, True])
def test_a_timeout_cancels_the_cursor(connect, owned):
    began = monotonic()
    with pytest.raises(DatabaseTimeout):
        list(read_sql_iter("select pg_sleep(30)", connect if owned else connect(), timeout=0.3))
    assert monotonic() - began < 10


def test_leaving_early_leaves_the_connection_whole(connect):
    con = connect(BOUNDED)
    with read_sql_iter(BIG, con, batch_size=100) as reader:
        next(reader)
    assert con.execute("select 7").fetchone()[0] == 7
    assert driver_of(con).dialect == "odbc"


def test_a_connection_that_was_ended_is_lost(connect, postgres):
    con = connect()
    pid = con.execute("select pg_backend_pid()").fetchone()[0]
    postgres.execute("select pg_terminate_backend(%s)", (pid,))
    with pytest.raises(ConnectionLost), closing(read_sql_iter("select 1", con)) as reader:
        next(reader)
