"""Wrappers and pools of other libraries: the driver's own connection is read, and each goes back where it came from."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
import sqlalchemy
from sqlalchemy import bindparam, column, orm, select, table

from mesbatch import read_sql_iter
from mesbatch.errors import ConnectionClosed, DatabaseBusy
from mesbatch.source.unwrap import is_wrapper, unwrap

SQL = "select n, lot from t where lot in (:keys)"
KEYS = ["b", "a", "x"]
ROWS = [(1, "a"), (2, "b"), (3, "b")]
STATEMENT = select(column("n"), column("lot")).select_from(table("t", column("n"), column("lot"))).where(
    column("lot").in_(bindparam("keys", expanding=True))
)  # fmt: skip


def fill(con):
    con.execute("create table t (n int, lot text)")
    con.execute("insert into t values (1, 'a'), (2, 'b'), (3, 'b')")
    con.commit()


def read(con, sql=SQL, **options):
    with read_sql_iter(sql, con, keys=KEYS, **options) as reader:
        return [row for batch in reader for row in batch.rows]


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as con:
        fill(con)
    return str(tmp_path / "t.db")


@pytest.fixture
def url(postgres, postgres_schema_url):
    fill(postgres)
    return postgres_schema_url


@pytest.fixture(params=["sqlite", "postgresql"])
def django_connection(request, tmp_path):
    django = pytest.importorskip("django")
    from django.conf import settings
    from django.db.utils import ConnectionHandler

    if not settings.configured:
        settings.configure(USE_TZ=False, DATABASES={})
    django.setup()
    if request.param == "sqlite":
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": request.getfixturevalue("path")}
    else:
        url = sqlalchemy.make_url(request.getfixturevalue("url"))
        database = {
            "ENGINE": "django.db.backends.postgresql", "NAME": url.database, "USER": url.username, "HOST": url.host,
            "PORT": url.port, "OPTIONS": {"options": url.query["options"]},
        }  # fmt: skip
    handler = ConnectionHandler({"default": database})
    yield handler["default"]
    handler.close_all()


def test_djangos_connection_is_read_by_its_driver(django_connection):
    assert read(django_connection) == ROWS
    assert read(django_connection, STATEMENT) == ROWS
    with django_connection.cursor() as cursor:  # it is still Django's
        cursor.execute("select count(*) from t")
        assert cursor.fetchone() == (3,)


def test_djangos_proxy_of_a_thread_is_its_connection():
    pytest.importorskip("django")
    from django.conf import settings
    from django.db import connection

    if not settings.configured:
        settings.configure(USE_TZ=False, DATABASES={})
    assert is_wrapper(connection)


@pytest.mark.parametrize("kind", ["pool", "persistent", "lent", "shared", "function", "method"])
def test_dbutils_lends_a_connection_and_has_it_back(path, kind):
    pytest.importorskip("dbutils", reason="could not import dbutils")
    from dbutils.persistent_db import PersistentDB
    from dbutils.pooled_db import PooledDB

    options = {"database": path, "check_same_thread": False}
    if kind == "persistent":
        assert read(PersistentDB(sqlite3, **options)) == ROWS
        return
    pool = PooledDB(sqlite3, maxconnections=1, blocking=False, maxshared=1 if kind == "shared" else 0, **options)
    if kind in ("lent", "shared"):
        with closing(pool.connection(shareable=kind == "shared")) as lent:
            assert read(lent) == ROWS
            assert isinstance(unwrap(lent), sqlite3.Connection)
        with pytest.raises(ConnectionClosed):
            unwrap(lent)
    else:
        con = {"pool": pool, "method": pool.connection, "function": lambda: lent_by(pool)}[kind]
        for _ in range(3):
            assert read(con) == ROWS
        with closing(pool.connection()), pytest.raises(DatabaseBusy, match="no connection to give"):
            read(pool)
    pool.close()


@pytest.mark.parametrize("kind", ["pool", "getconn", "connection", "function"])
def test_the_pool_of_psycopg_has_its_connection_back(url, kind):
    psycopg_pool = pytest.importorskip("psycopg_pool")

    def borrow():
        return pool.getconn()

    with psycopg_pool.ConnectionPool(url, min_size=1, max_size=1, timeout=0.2, open=True) as pool:
        con = {"pool": pool, "getconn": pool.getconn, "connection": pool.connection, "function": borrow}
        for _ in range(3):
            assert read(con[kind]) == ROWS
            assert read(con[kind], STATEMENT) == ROWS
        with read_sql_iter("select * from generate_series(1, 100000)", con[kind]) as reader:
            next(reader)  # and left
        assert read(con[kind]) == ROWS
        with pool.connection() as lent:
            assert lent.info.transaction_status == 0
            if kind != "function":
                with pytest.raises(DatabaseBusy, match="no connection to give"):
                    read(con[kind])


@pytest.mark.parametrize("kind", ["pool", "getconn"])
def test_the_pool_of_psycopg2_has_its_connection_back(url, kind):
    pytest.importorskip("psycopg2")
    from psycopg2.pool import ThreadedConnectionPool

    with closing_all(ThreadedConnectionPool(1, 1, url)) as pool:
        con = pool if kind == "pool" else pool.getconn
        for _ in range(3):
            assert read(con) == ROWS
        lent = pool.getconn()
        with pytest.raises(DatabaseBusy, match="no connection to give"):
            read(con)
        assert lent.get_transaction_status() == 0
        pool.putconn(lent)


def lent_by(pool):
    return pool.connection()


class closing_all(closing):  # noqa: N801
    def __exit__(self, *_):
        self.thing.closeall()


@pytest.fixture(params=["sqlite", "psycopg"])
def engine(request):
    if request.param == "sqlite":
        url = f"sqlite:///{request.getfixturevalue('path')}"
    else:
        url = request.getfixturevalue("url").replace("postgresql:", "postgresql+psycopg:")
    engine = sqlalchemy.create_engine(url, pool_size=1, max_overflow=0)
    yield engine
    assert engine.pool.checkedout() == 0
    engine.dispose()


def test_sqlalchemys_raw_connection_goes_back_to_its_pool(engine):
    for _ in range(3):
        assert read(engine.raw_connection) == ROWS
        assert read(engine.raw_connection, STATEMENT) == ROWS
        assert engine.pool.checkedout() == 0
    with closing(engine.raw_connection()) as proxy:
        assert read(proxy) == ROWS
        assert engine.pool.checkedout() == 1


def test_a_session_is_read_in_its_own_transaction(engine):
    with orm.Session(engine) as session:
        session.execute(sqlalchemy.text("insert into t values (4, 'b')"))
        assert len(read(session)) == len(read(session, STATEMENT)) == 4
        session.rollback()
        assert read(session) == ROWS
    scoped = orm.scoped_session(orm.sessionmaker(engine))
    assert read(scoped) == ROWS
    scoped.remove()
    assert read(orm.sessionmaker(engine)) == ROWS


def test_a_connection_that_inherits_from_sqlite3s_is_read(path):
    class Mine(sqlite3.Connection):
        pass

    with closing(sqlite3.connect(path, factory=Mine)) as con:
        assert read(con) == ROWS
