"""Keys against columns of every affinity: each strategy gives the answer of a list of binds, or an error."""

import sqlite3
from contextlib import closing

import apsw
import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import NotSplittable

EXACT = 2**53  # whole numbers up to here are exact in a float
COUNT = "select count(*) from t where k in (:keys)"
STRATEGIES = ["auto", "in-list", "array", "temporary-table"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.sqlite"


@pytest.fixture(params=["sqlite3", "apsw", "url"])
def source(request, path):
    if request.param == "url":
        yield f"sqlite:///{path}"
        return
    with closing(sqlite3.connect(path) if request.param == "sqlite3" else apsw.Connection(str(path))) as connection:
        yield connection


def make(path, declared, *values):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("drop table if exists t")
        connection.execute(f"create table t (k {declared})")
        connection.executemany("insert into t values (?)", [(value,) for value in values])


def counted(source, keys, strategy, sql=COUNT):
    with read_sql_iter(sql, source, keys=keys, strategy=strategy) as reader:
        return [row for batch in reader for row in batch.rows]


def plain(path, keys, sql=COUNT):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql.replace(":keys", ", ".join("?" * len(keys))), keys).fetchall()


@pytest.mark.parametrize("declared", ["text", "integer", "real", "numeric", "blob", ""])
@pytest.mark.parametrize("index", ["", "create index i on t (k)"])
def test_keys_of_a_column_that_is_not_known_are_compared_as_binds_are(path, source, declared, index):
    make(path, declared, "1", 1, 1.5, "1.5", "x", EXACT, str(EXACT + 1))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(index)
    for column in ("k", "+k", "k || ''"):
        sql = COUNT.replace("k in", f"{column} in")
        for keys in ([1], [1.5], ["1"], ["1", "1.5"], [1, 2], [1.0, 1.5], [EXACT], [float(EXACT)], [str(EXACT + 1)]):
            for strategy in ("auto", "array", "temporary-table"):
                assert counted(source, keys, strategy, sql) == plain(path, keys, sql), (column, keys, strategy)


def test_more_keys_than_a_list_has_are_compared_as_binds_are(path, source):
    make(path, "text", "1", "2", "x")
    for strategy in ("auto", "array", "temporary-table"):
        assert counted(source, range(1, 40_000), strategy) == [(2,)], strategy


@pytest.mark.parametrize("declared", ["text", "integer", "real", "numeric", ""])
@pytest.mark.parametrize("key", [EXACT + 1, -EXACT - 1])
def test_keys_that_a_float_rounds_stand_in_one_list(path, source, declared, key):
    make(path, declared, EXACT, EXACT + 1, -EXACT, -EXACT - 1)
    assert counted(source, [key, 7], "auto") == plain(path, [key, 7])
    for strategy in ("array", "temporary-table"):
        with pytest.raises(NotSplittable, match="key="):
            counted(source, [key, 7], strategy)
    if not isinstance(source, str):
        assert not source.execute("select * from sqlite_temp_master").fetchall()


def test_keys_that_a_float_rounds_are_compared_exactly_with_a_known_column(path, source):
    make(path, "real", EXACT)
    for strategy in STRATEGIES:
        assert counted(source, [EXACT + 1, 7], strategy, "select k from t where k in (:keys)") == []
