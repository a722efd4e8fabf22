"""A driver that is not known: nothing of it is guessed, its keys are read in parts, and its buffers are told."""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing
from threading import Thread

import pytest

from mesbatch import KiB, read_sql_iter
from mesbatch.errors import DatabaseTimeout, KeyMismatch, StatementError, UnboundedDriver
from tests.rig.buffering import BufferingConnection

LOTS = [f"L{n:05d}" for n in range(3_000)]
KEYED = "select n, lot from t where lot in (:keys)"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("unknown") / "t.db")
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table t (n integer, lot text, other text)")
        con.executemany("insert into t values (?, ?, ?)", [(n, lot, "x%:y") for n, lot in enumerate(reversed(LOTS))])
        con.execute("create table nocase (n integer, lot text collate nocase)")
        con.executemany("insert into nocase values (?, ?)", [(1, "a"), (2, "B")])
    return path


@pytest.fixture
def open_driver(path):
    made = []

    def connect(*args, **options):
        made.append(BufferingConnection(path, *args, **options))
        return made[-1]

    yield connect
    for con in made:
        con.close()


def read(sql, con, *args, **options):
    with read_sql_iter(sql, con, *args, **options) as reader:
        return [row for batch in reader for row in batch.rows], reader.manifest


@pytest.mark.parametrize("style", ["qmark", "named", "format", "pyformat"])
def test_keys_are_read_in_parts_and_in_order_with_the_callers_paramstyle(open_driver, style):
    con = open_driver(style)
    rows, manifest = read(KEYED, con, keys=[*LOTS, "none"], paramstyle=style)
    assert [row[1] for row in rows] == LOTS
    assert manifest.parts_planned == manifest.parts_read == 4
    assert manifest.one_statement is None


@pytest.mark.parametrize("count", [0, 1, 3, 1_001])
def test_any_number_of_keys_beside_parameters_and_literal_signs(open_driver, count):
    con = open_driver("format")
    sql = "select n, lot from t where n >= %s and other like 'x%%:y' and lot in (:keys) and n < %s"
    rows, _ = read(sql, con, (10, 2_995), keys=LOTS[:count], paramstyle="format")
    assert rows == [(2_999 - i, lot) for i, lot in enumerate(LOTS[:count]) if 10 <= 2_999 - i < 2_995]


def test_a_paramstyle_that_nobody_knows_is_asked_for_and_not_guessed(open_driver):
    con = open_driver("format")
    with pytest.raises(StatementError, match="paramstyle="):
        read(KEYED, con, keys=["L00001"])
    assert con.statements == []
    assert read("select n from t where n < %s", con, (1,))[0] == [(0,)]  # no bind of ours


def test_a_paramstyle_is_one_of_db_apis(open_driver):
    with pytest.raises(ValueError, match="paramstyle must be one of qmark, named, format, pyformat; got 'dollar'"):
        read_sql_iter(KEYED, open_driver(), keys=["a"], paramstyle="dollar")


def test_columns_come_from_the_statement_itself_where_no_derived_table_is_taken(open_driver):
    con = open_driver("qmark", refused="mesbatch WHERE")
    rows, manifest = read(KEYED, con, keys=LOTS, paramstyle="qmark")
    assert [row[1] for row in rows] == LOTS
    assert manifest.parts_planned == 3
    assert "(NULL)" in con.statements[1]


def test_a_wrong_statement_is_the_drivers_error(open_driver):
    with pytest.raises(sqlite3.OperationalError, match="no such column: missing"):
        read("select missing from t where lot in (:keys)", open_driver("qmark"), keys=["a"], paramstyle="qmark")


def test_rows_are_ordered_by_the_position_of_the_key(open_driver):
    con = open_driver("qmark")
    read("select n, lot from t where lot in (:keys) limit 5", con, keys=["L00001"], paramstyle="qmark", splittable=True)
    read(KEYED, con, keys=["L00001"], paramstyle="qmark")
    assert all("ORDER BY 2" in sql for sql in con.statements[1::2])


def test_the_first_row_that_was_not_asked_for_raises(open_driver):
    con = open_driver("qmark")
    sql = "select n, lot from nocase where lot in (:keys)"
    with pytest.raises(KeyMismatch, match="'B', which was not asked for"):
        read(sql, con, keys=["a", "b"], paramstyle="qmark")
    with pytest.raises(KeyMismatch, match="or was to come before 'a'"):
        read(sql, con, keys=["B", "a"], paramstyle="qmark")


BIG = (
    "with recursive r (n) as (select 1 union all select n + 1 from r where n < 60000) "
    "select n, hex(zeroblob(100)) from r"
)


def test_a_driver_that_holds_the_whole_result_is_told_with_the_bytes(open_driver):
    con = open_driver()
    with pytest.warns(UnboundedDriver, match=r"held \d{1,2},\d{3},\d{3} bytes .* max_bytes is 512.0 KiB"):
        assert len(read(BIG, con, max_bytes=512 * KiB)[0]) == 60_000


def test_a_driver_that_streams_is_not_suspected(open_driver):
    con = open_driver(streams=True)
    with read_sql_iter(BIG, con, max_bytes=512 * KiB) as reader:
        assert sum(batch.num_rows for batch in reader) == 60_000


def test_memory_is_nobodys_while_another_read_runs(open_driver):
    with read_sql_iter("select * from t", open_driver(streams=True)) as other, warnings.catch_warnings():
        next(other)
        warnings.simplefilter("error")
        with read_sql_iter(BIG, open_driver(), max_bytes=512 * KiB) as reader:
            assert next(reader).num_rows


@pytest.mark.parametrize("owned", [False, True])
def test_a_timeout_raises_after_the_fact_where_nothing_can_be_interrupted(open_driver, owned):
    def connect():
        return open_driver(seconds=0.4)

    with pytest.raises(DatabaseTimeout, match=r"longer than timeout=0\.1 s; 0 rows"):
        read("select * from t", connect if owned else connect(), timeout=0.1)


def test_a_driver_of_our_own_making_has_a_thread_of_its_own(open_driver):
    rows, _ = read(KEYED, lambda: open_driver("qmark"), keys=LOTS, paramstyle="qmark", parallel=2)
    assert [row[1] for row in rows] == LOTS


def test_two_reads_in_threads_do_not_end_the_count_of_each_other(open_driver):
    from mesbatch.source.buffering import RUNNING

    threads = [Thread(target=read, args=("select * from t", open_driver())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    RUNNING.begin()
    assert RUNNING.alone() is not None
    RUNNING.end()
