"""Every mistake has an error of its own, before rows are read where that is possible, and leaves nothing open."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date

import pytest
import sqlalchemy

from mesbatch import MesbatchError, read_sql_iter
from mesbatch.errors import (
    ConnectionClosed,
    ConnectionLost,
    InvalidKey,
    KeyColumnError,
    KeyMismatch,
    NotSplittable,
    SchemaChanged,
    StatementError,
    UnknownSource,
)
from tests.rig.faulty import Faults

SQL = "select * from t where k in (:keys)"


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "t.db")) as con, con:
        con.execute("create table t (n integer, k text)")
        con.executemany("insert into t values (?, ?)", [(n, f"k{n % 7}") for n in range(70)])
    return str(tmp_path / "t.db")


@pytest.fixture
def con(path):
    with closing(sqlite3.connect(path)) as con:
        yield con


class NeverConnects:
    def __call__(self):
        raise AssertionError("there was something to see before connecting")


@pytest.mark.parametrize("con", [None, 5, object(), b"sqlite://", "t.db", "host=db password=tiger", "http://[", "//x"])
def test_what_is_no_source_is_refused_at_once(con):
    with pytest.raises(UnknownSource, match="con must be a DB-API or apsw connection") as caught:
        read_sql_iter(SQL, con, keys=["a"])
    assert isinstance(caught.value, TypeError)
    assert "tiger" not in str(caught.value)


@pytest.mark.parametrize("returned", [None, 5, object()])
def test_a_function_that_returns_no_connection_is_refused(returned):
    with pytest.raises(UnknownSource):
        next(read_sql_iter("select 1", lambda: returned))


@pytest.mark.parametrize(
    "sql",
    [
        "select * from t", "select * from t where k in (:keys) and k in (:keys)", "select * from t where k = :keys",
        "select ':keys' from t", "select * from t -- in (:keys)", 'select ":keys" from t', "select k::keys from t",
        "select * from t where k in :keys", "select * from t where k in (:keys, 'x')", "select :keys from t",
    ],
)  # fmt: skip
def test_keys_in_a_wrong_place_are_refused_at_once(sql):
    with pytest.raises(StatementError, match=":keys"):
        read_sql_iter(sql, NeverConnects(), keys=["a"])


@pytest.mark.parametrize(
    "sql",
    [
        "", ";", "-- nothing", "insert into t values (1)", "delete from t", "update t set n = 1", "drop table t",
        "begin",
        "select 1; delete from t", "with x as (delete from t returning n) select * from x", "select 'open", "select (1",
        "create table u as select 1", "select * into u from t", "commit", "vacuum", 5, None, ["select 1"],
    ],
)  # fmt: skip
def test_what_is_no_query_is_refused_at_once(sql):
    with pytest.raises(StatementError):
        read_sql_iter(sql, NeverConnects())


BAD_KEYS = {
    "None": ([None], "is None"),
    "None among others": (["a", None], "key 1 is None"),
    "an empty text": ([""], "blank"),
    "a blank text": (["a", " \t"], "key 1 is blank"),
    "a bool": ([True], "bool"),
    "a list": ([["a"]], "list"),
    "a tuple": ([("a",)], "tuple"),
    "a dict": ([{}], "dict"),
    "an object": ([object()], "object"),
    "NaN": ([1.0, float("nan")], "NaN"),
    "too long a text": (["a" * 4_001], "4,001 characters, the limit is 4,000"),
    "too many bytes": ([b"a" * 4_001], "4,001 characters"),
    "a NUL": (["a\0b"], "NUL"),
    "half a surrogate pair": (["a\ud800"], "surrogate"),
    "two types": (["a", 1], "key 1 is a int, the keys before it are str"),
    "an int and a float": ([1, 1.5], "key 1 is a float"),
    "a date and a text": ([date(2026, 2, 25), "2026-02-25"], "key 1 is a str"),
}


@pytest.mark.parametrize(("keys", "message"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_key_that_no_row_can_have_is_refused_at_once(keys, message):
    with pytest.raises(InvalidKey, match=message):
        read_sql_iter(SQL, NeverConnects(), keys=keys)


@pytest.mark.parametrize(("keys", "message"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_bad_key_of_an_iterator_is_refused_before_connecting(keys, message):
    reader = read_sql_iter(SQL, NeverConnects(), keys=iter(keys))
    with pytest.raises(InvalidKey, match=message):
        next(reader)
    assert reader.manifest.status == "failed"


@pytest.mark.parametrize("keys", ["a1", b"a1", 5, 1.5, object()])
def test_what_is_no_collection_of_keys_is_refused_at_once(keys):
    with pytest.raises(InvalidKey, match="keys must be a collection"):
        read_sql_iter(SQL, NeverConnects(), keys=keys)


def test_an_error_of_the_iterator_of_keys_is_the_callers_own():
    def keys():
        yield "a"
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        next(read_sql_iter(SQL, NeverConnects(), keys=keys()))


@pytest.mark.parametrize("strategy", ["in-list", "array", "temporary-table"])
def test_injections_are_only_keys(con, strategy):
    keys = ["k1", "' or 1=1 --", "k2'); drop table t; --", '") or ("1"="1', "%s", "?", ":keys", "\\", "k3\n", "[]"]
    con.execute("insert into t values (99, ?)", [keys[1]])
    rows = [row for batch in read_sql_iter(SQL, con, keys=keys, strategy=strategy) for row in batch.rows]
    assert {key for _, key in rows} == {"k1", "' or 1=1 --"}
    assert con.execute("select count(*) from t").fetchone() == (71,)


OPTIONS = {
    "max_bytes": [0, -1], "batch_size": [0, -5], "timeout": [0, -0.5, float("nan")], "parallel": [0, -1],
    "strategy": ["fastest", "", None], "order": ["ascending"], "on_failure": ["ignore"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in OPTIONS.items() for value in values])
def test_an_option_out_of_range_is_refused_at_once(name, value):
    with pytest.raises(ValueError, match=name):
        read_sql_iter(SQL, NeverConnects(), keys=["a"], **{name: value})


def test_the_callers_own_connection_is_not_read_in_parallel(con):
    with pytest.raises(ValueError, match=r"parallel=2 needs more connections than the caller's sqlite connection"):
        read_sql_iter(SQL, con, keys=["a"], parallel=2)


def test_an_object_with_batches_takes_no_keys():
    class Source:
        def batches(self):
            raise AssertionError

    with pytest.raises(StatementError, match="takes no keys"):
        read_sql_iter(None, Source(), keys=["a"])


@pytest.mark.parametrize("key", ["nothing", "n2"])
def test_a_key_that_is_no_column_is_refused_before_a_row_is_read(path, key):
    faults = Faults(path)
    with pytest.raises(KeyColumnError, match=f"no column '{key}'; its columns are n, k"):
        next(read_sql_iter(SQL, faults, keys=["k1"], key=key))
    assert (faults.calls, faults.alive) == (0, 0)


def test_a_key_that_two_columns_could_be_is_refused(con):
    with pytest.raises((KeyColumnError, NotSplittable)):
        next(read_sql_iter("select n as k, k from t where k in (:keys)", con, keys=["k1"], key="k", strategy="in-list"))


def test_a_wrong_statement_is_the_databases_error(path):
    faults = Faults(path)
    for sql, keys in [("select missing from t", None), ("select missing from t where k in (:keys)", ["k1"])]:
        with pytest.raises(sqlite3.OperationalError, match="no such column: missing"):
            next(read_sql_iter(sql, faults, keys=keys))
    assert faults.alive == 0


def test_keys_of_another_type_than_the_column_are_told_apart(con):
    con.execute("create table typed (k integer)")
    con.execute("insert into typed values (5)")
    with pytest.raises(KeyMismatch, match="a row came with the key 5"):
        list(read_sql_iter("select k from typed where k in (:keys)", con, keys=["5"]))


@pytest.mark.parametrize("keys", [None, ["k1"]], ids=["one query", "keys"])
@pytest.mark.parametrize("module", ["sqlite3", "apsw"])
def test_a_closed_connection_to_sqlite_is_said_to_be_closed(path, module, keys):
    driver = pytest.importorskip(module)
    con = driver.connect(path) if module == "sqlite3" else driver.Connection(path)
    con.close()
    with pytest.raises(ConnectionClosed, match="the caller's sqlite connection"):
        next(read_sql_iter(SQL if keys else "select * from t", con, keys=keys))


def test_a_closed_connection_of_sqlalchemy_is_said_to_be_closed(path):
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    con = engine.connect()
    con.close()
    with pytest.raises(ConnectionClosed, match="SQLAlchemy"):
        next(read_sql_iter("select * from t", con))
    engine.dispose()


@pytest.mark.parametrize("keys", [None, ["k1"]], ids=["one query", "keys"])
def test_a_closed_connection_to_postgres_is_said_to_be_closed(postgres, keys):
    postgres.close()
    with pytest.raises(ConnectionClosed, match="the caller's postgres connection"):
        next(read_sql_iter(SQL if keys else "select 1", postgres, keys=keys))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://scott:tiger@127.0.0.1:1/db", "postgresql+psycopg://scott:tiger@127.0.0.1:1/db",
        "postgresql://127.0.0.1:1/db?user=scott&password=tiger&connect_timeout=3", "sqlite:////no/such/tiger.db",
        "oracle+oracledb://scott:tiger@127.0.0.1:1/?service_name=x",
    ],
)  # fmt: skip
def test_an_unreachable_url_is_named_without_its_password(url):
    if url.startswith("postgresql"):
        pytest.importorskip("psycopg")
    with pytest.raises(ConnectionLost, match="cannot connect to") as caught:
        next(read_sql_iter("select 1", url))
    assert "tiger" not in str(caught.value) or url.startswith("sqlite")


@pytest.mark.parametrize("url", ["nodialect://scott:tiger@db/x", "gopher://db"])
def test_a_url_of_no_database_is_refused(url):
    with pytest.raises(UnknownSource) as caught:
        next(read_sql_iter("select 1", url))
    assert "tiger" not in str(caught.value)


@pytest.mark.parametrize("change", ["add column late int", "rename column n to m"])
def test_columns_that_change_between_parts_are_noticed(tmp_path, change):
    faults = Faults(tmp_path / "changing.db")
    with closing(sqlite3.connect(faults.path)) as con:
        con.execute("pragma journal_mode = wal")
        con.execute("create table t (n int, k int)")
        con.executemany("insert into t values (0, ?)", [(k,) for k in range(3_000)])
        con.commit()
        reader = read_sql_iter(SQL, faults, keys=range(3_000), strategy="in-list", batch_size=500)
        next(reader)
        con.execute(f"alter table t {change}")
        con.commit()
    with pytest.raises(SchemaChanged, match=r"the columns were n, k and are now (n, k, late|m, k)"):
        list(reader)
    assert reader.manifest.status == "failed"
    assert reader.manifest.rows == 1_000
    assert faults.alive == 0


def test_every_error_of_ours_has_one_base():
    from mesbatch import errors

    classes = [cls for cls in vars(errors).values() if isinstance(cls, type)]
    assert all(issubclass(cls, MesbatchError) for cls in classes)
