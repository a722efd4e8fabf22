from __future__ import annotations

import pytest

from tests.rig.postgres import PrivatePostgres, RigUnavailable

psycopg = pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")


@pytest.fixture
def server():
    try:
        with PrivatePostgres(work_mem="1234kB") as server:
            yield server
    except RigUnavailable as error:
        pytest.skip(str(error))


def test_a_connection_works_in_a_schema_of_its_own(postgres, postgres_schema_url):
    postgres.execute("create table t as select generate_series(1, 3) as n")
    postgres.commit()
    with psycopg.connect(postgres_schema_url) as other:
        assert other.execute("select sum(n) from t").fetchone() == (6,)


def test_the_next_test_finds_an_empty_schema(postgres):
    assert postgres.execute("select to_regclass('t')").fetchone() == (None,)


def test_text_sorts_by_code_point(postgres):
    rows = postgres.execute("select k from (values ('b'), ('A'), ('a'), ('Ä')) v(k) order by k").fetchall()
    assert [key for (key,) in rows] == ["A", "a", "b", "Ä"]


def test_a_killed_server_cuts_connections_and_recovers(server):
    with psycopg.connect(server.url, autocommit=True) as connection:
        assert connection.execute("show work_mem").fetchone() == ("1234kB",)
        connection.execute("create table t (n int)")
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    server.start()
    with psycopg.connect(server.socket_url) as connection:
        assert connection.execute("select count(*) from t").fetchone() == (0,)


def test_a_restart_keeps_the_port(server):
    before = server.url
    server.restart()
    with psycopg.connect(before) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_leaving_removes_every_trace():
    try:
        with PrivatePostgres() as server:
            assert server.directory.exists()
            url = server.url
    except RigUnavailable as error:
        pytest.skip(str(error))
    assert not server.directory.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
