"""`assert_flat_memory` passes on flat code, and fails on code that people take for flat: the red controls."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest

import mesbatch.testing
from mesbatch import MiB, group_by_key, iter_groups, read_sql_iter
from mesbatch.sink.ndjson import ndjson_groups
from mesbatch.testing import assert_flat_memory, measure_peak

pytestmark = pytest.mark.slow

pytest.importorskip("memray", reason="no memray")

SIZES = [10_000, 40_000]  # rows of 300 bytes: the first fill SQLite's own cache of 2 MB, the last are 12 MiB more
MAX_BYTES = 384 * 1024
SQL = "select n, n / 10 as k, v from wide where n <= {}"


@pytest.fixture(scope="module")
def sqlite_path(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("wide") / "wide.db")
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table wide (n integer primary key, v text)")
        con.executemany("insert into wide values (?, ?)", ((n, f"{n:010}" * 30) for n in range(1, SIZES[-1] + 1)))
    return path


@pytest.fixture(scope="module")
def wide_url(postgres_url):
    psycopg = pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
    with psycopg.connect(postgres_url, autocommit=True) as con:
        con.execute("create schema flat")
        con.execute(
            "create table flat.wide as select n, repeat(lpad(n::text, 10, '0'), 30) as v "
            f"from generate_series(1, {SIZES[-1]}) n"
        )
        yield f"{postgres_url}?options=-csearch_path%3Dflat"
        con.execute("drop schema flat cascade")


@pytest.fixture(params=["sqlite", "postgres"])
def con(request):
    if request.param == "postgres":
        return request.getfixturevalue("wide_url")
    path = request.getfixturevalue("sqlite_path")
    return lambda: sqlite3.connect(path)


# -- what is flat


def test_reading_is_flat(con):
    def read(size):
        with read_sql_iter(SQL.format(size), con, max_bytes=MAX_BYTES) as reader:
            assert sum(batch.num_rows for batch in reader) == size

    assert_flat_memory(read, SIZES)


def test_reading_by_keys_grouping_and_writing_is_flat(con):
    def write(size):
        sql = "select n / 10 as k, v from wide where n / 10 in (:keys)"
        keys = iter(range(size // 10))
        with read_sql_iter(sql, con, keys=keys, key="k", strategy="temporary-table", max_bytes=MAX_BYTES) as reader:
            lines = ndjson_groups(iter_groups(reader, "k"), reader.description)
            assert sum(line.count(b"\n") for line in lines) == size // 10

    assert_flat_memory(write, SIZES)


def test_grouping_on_disk_is_flat_beside_its_index(con):
    def group(size):
        with (
            read_sql_iter(SQL.format(size), con, max_bytes=MAX_BYTES) as reader,
            group_by_key(reader, "k", max_bytes=MAX_BYTES) as groups,
        ):
            assert sum(map(len, groups.values())) == size

    assert_flat_memory(group, SIZES, growth=1 * MiB + 150 * SIZES[-1] // 10)


def test_arrow_is_flat(con):
    pytest.importorskip("pyarrow", reason="no pyarrow")

    def read(size):
        with read_sql_iter(SQL.format(size), con, max_bytes=MAX_BYTES) as reader:
            assert sum(batch.num_rows for batch in reader.arrow()) == size

    assert_flat_memory(read, SIZES)


# -- what people take for flat


def grows(run):
    with pytest.raises(
        AssertionError, match=r"memory grew by .* MiB from size 10,000 to size 40,000, allowed 1\.0 MiB"
    ):
        assert_flat_memory(run, SIZES)


def test_fetchall_grows(sqlite_path):
    def run(size):
        with closing(sqlite3.connect(sqlite_path)) as con:
            assert len(con.execute(SQL.format(size)).fetchall()) == size

    grows(run)


def test_pandas_chunksize_grows_where_it_is_not_streamed(wide_url):
    pd = pytest.importorskip("pandas", reason="no pandas")
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine(wide_url.replace("postgresql:", "postgresql+psycopg:"))

    def run(size):
        with engine.connect() as con:
            chunks = pd.read_sql(sqlalchemy.text(SQL.format(size)), con, chunksize=100)
            assert sum(len(chunk) for chunk in chunks) == size

    grows(run)
    engine.dispose()


def test_sqlalchemys_yield_per_option_grows_on_text(wide_url):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine(wide_url.replace("postgresql:", "postgresql+psycopg:"))

    def run(size):
        with engine.connect() as con:
            text = sqlalchemy.text(SQL.format(size)).execution_options(yield_per=100)
            assert sum(map(len, con.execute(text).partitions())) == size

    grows(run)
    engine.dispose()


def test_polars_iter_batches_grows(wide_url):
    pl = pytest.importorskip("polars", reason="no polars")
    psycopg = pytest.importorskip("psycopg")

    def run(size):
        with psycopg.connect(wide_url) as con:
            batches = pl.read_database(SQL.format(size), con, iter_batches=True, batch_size=100)
            assert sum(map(len, batches)) == size

    grows(run)


# -- what it counts, and says


def test_the_message_shows_every_peak_and_the_line_that_holds_most():
    def keep(size):
        return [bytes(1_000) for _ in range(size)]

    with pytest.raises(AssertionError) as caught:
        assert_flat_memory(keep, [100, 1_000, 10_000])
    message = str(caught.value)
    assert "memory grew by 9.8 MiB from size 100 to size 10,000, allowed 1.0 MiB" in message
    assert "at size 1,000: " in message
    assert f"MiB in <listcomp> ({__file__}:" in message or f"MiB in keep ({__file__}:" in message


def test_a_peak_in_the_middle_is_found():
    peaks = {1: 0, 2: 5 * MiB, 3: 0}
    with pytest.raises(AssertionError, match=r"memory grew by 5\.0 MiB from size 1 to size 2"):
        assert_flat_memory(lambda size: bytes(peaks[size]), [1, 2, 3])


def test_growth_within_the_allowance_passes_and_the_peaks_are_returned():
    small, large = assert_flat_memory(lambda size: bytes(size * MiB), [1, 3], growth=3 * MiB)
    assert 1 * MiB <= small < 2 * MiB < 3 * MiB <= large < 4 * MiB


def test_what_other_threads_hold_counts():
    held = []

    def run(size):
        thread = threading.Thread(target=lambda: held.append(bytes(size * MiB)))
        thread.start()
        thread.join()
        held.clear()

    with pytest.raises(AssertionError, match=r"from size 1 to size 4"):
        assert_flat_memory(run, [1, 4])


def test_imports_and_caches_are_paid_before_the_first_size_is_measured():
    cache = []

    def run(size):
        if not cache:
            cache.append(bytes(9 * MiB))

    first, second = assert_flat_memory(run, [1, 2])
    assert max(first, second) < 1 * MiB


@pytest.mark.parametrize("sizes", [[], [1], [2, 1], [1, 1], [1, 3, 2]], ids=str)
def test_sizes_that_prove_nothing_are_refused(sizes):
    with pytest.raises(ValueError, match="at least two, in ascending order"):
        assert_flat_memory(lambda size: None, sizes)


def test_an_error_of_the_run_is_its_own_and_the_next_run_can_be_measured():
    with pytest.raises(ZeroDivisionError):
        assert_flat_memory(lambda size: 1 // (size - 2), [1, 2])
    assert measure_peak(lambda: bytes(3 * MiB)).nbytes >= 3 * MiB


def test_names_that_are_imported_on_use_are_listed():
    assert set(mesbatch.testing.__all__) <= set(dir(mesbatch.testing))
    assert {"group_by_key", "OracleSource"} <= set(dir(mesbatch))


def test_faults_and_strategies_need_no_memray():
    code = "import sys, mesbatch.testing; sys.exit('memray' in sys.modules or 'hypothesis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_small_objects_count_where_python_has_memory_to_spare():
    before = [str(number) for number in range(400_000)]
    kept = before[::50]  # one in each pool, so that Python keeps the memory of the others
    del before
    assert measure_peak(lambda: [str(number) for number in range(100_000)]).nbytes > 5 * 10**6
    assert len(kept) == 8_000
