from __future__ import annotations

import time
from contextlib import closing

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import ConnectionLost, DatabaseTimeout, ReadInterrupted
from tests.rig.proxy import TcpProxy

pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi", reason="no adbc: the extra arrow is not installed")

SQL = "select n, repeat('x', 200) as note from generate_series(1, 200000) n"


def backends(postgres):
    """Count the connections of this test's role that run something."""
    count = "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
    return postgres.execute(count).fetchone()[0]


@pytest.mark.parametrize("fault", ["cut", "reset"])
def test_a_connection_that_breaks_in_mid_stream_is_an_error_that_tells_the_rows(
    postgres_server, postgres_schema_url, fault
):
    with TcpProxy(postgres_server.port, fault, after=10_000_000, times=None) as proxy:
        url = postgres_schema_url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        reader = read_sql_iter(SQL, url)
        with pytest.raises(ReadInterrupted, match="rows were delivered before"):
            for _ in reader.arrow():
                pass

    assert reader.arrow_schema is not None
    assert reader.manifest.status == "failed"
    assert 0 < reader.manifest.rows < 200_000


def test_a_connection_that_breaks_before_the_first_row_is_lost(postgres_server, postgres_schema_url):
    with TcpProxy(postgres_server.port, "cut", after=1, times=None) as proxy:
        url = postgres_schema_url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        with pytest.raises(ConnectionLost):
            list(read_sql_iter(SQL, url).arrow())


def test_leaving_early_ends_the_statement_and_the_connection(postgres, postgres_schema_url):
    before = backends(postgres)
    sql = "select generate_series(1, 100000000) as n, repeat('x', 200) as note"
    with read_sql_iter(sql, postgres_schema_url) as reader:
        next(reader.arrow())
        assert reader.arrow_schema is not None

    deadline = time.monotonic() + 10
    while backends(postgres) > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert backends(postgres) == before


def test_a_timeout_holds_for_arrow(postgres_schema_url):
    for con in (postgres_schema_url, lambda: dbapi.connect(postgres_schema_url)):
        began = time.monotonic()
        with pytest.raises(DatabaseTimeout):
            list(read_sql_iter("select pg_sleep(30)::text", con, timeout=0.5).arrow())
        assert time.monotonic() - began < 10


def test_a_timeout_holds_on_the_callers_own_adbc_connection(postgres_schema_url):
    with closing(dbapi.connect(postgres_schema_url)) as con, pytest.raises(DatabaseTimeout):
        list(read_sql_iter("select pg_sleep(30)::text", con, timeout=0.5).arrow())
