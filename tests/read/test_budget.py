"""The memory of a reader stays within *max_bytes*, whatever the rows are like."""

from __future__ import annotations

import gc
import sqlite3
import tracemalloc
from contextlib import closing

import pytest

from mesbatch import KiB, MiB, read_sql_iter
from mesbatch.errors import RowTooLarge
from mesbatch.events import FetchOverBudget

WIDE = 2 * KiB  # so that the first fetch, of 100 rows, fits into the budget's share
ROWS = 10_000
MAX_BYTES = 768 * KiB
SLACK = 200 * KiB  # the keys, the driver's objects, and Python's own


@pytest.fixture(scope="module")
def sqlite_path(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("wide") / "wide.db")
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table t (n integer, k integer, v text)")
        rows = ((n, n // 10, chr(97 + n % 26) * WIDE) for n in range(ROWS))
        con.executemany("insert into t values (?, ?, ?)", rows)
        con.execute("create index t_k on t (k)")
    return path


@pytest.fixture(scope="module")
def postgres_wide(postgres_url):
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(postgres_url, autocommit=True) as con:
        con.execute("create schema wide")
        con.execute(
            f"create table wide.t as select n, n / 10 as k, repeat(chr(97 + n % 26), {WIDE}) as v "
            f"from generate_series(0, {ROWS - 1}) n"
        )
        con.execute("create index on wide.t (k)")
        yield f"{postgres_url}?options=-csearch_path%3Dwide"
        con.execute("drop schema wide cascade")


@pytest.fixture(params=["sqlite3", "apsw", "postgres"])
def wide(request):
    if request.param == "postgres":
        return request.getfixturevalue("postgres_wide")
    path = request.getfixturevalue("sqlite_path")
    if request.param == "sqlite3":
        return lambda: sqlite3.connect(path)
    apsw = pytest.importorskip("apsw")
    return lambda: apsw.Connection(path)


def peak_of(con, sql, **options):
    """The peak of Python's memory while reading, and the number of rows."""
    rows = 0
    with read_sql_iter(sql, con, **options) as reader:  # what is imported on use is no memory of a read
        next(reader, None)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        with read_sql_iter(sql, con, **options) as reader:
            for batch in reader:
                rows += batch.num_rows
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before, rows


@pytest.mark.parametrize("strategy", [None, "in-list", "array", "temporary-table"])
def test_the_budget_bounds_what_is_held(wide, strategy):
    if strategy is None:
        peak, rows = peak_of(wide, "select * from t", max_bytes=MAX_BYTES)
    else:
        sql = "select * from t where k in (:keys)"
        peak, rows = peak_of(wide, sql, keys=range(ROWS // 10), strategy=strategy, max_bytes=MAX_BYTES)
    assert rows == ROWS
    assert peak < MAX_BYTES + SLACK + (kept_statement() if strategy == "in-list" and isinstance(wide, str) else 0)


def kept_statement():
    """Bytes of a statement of 1,000 binds that psycopg keeps, as its parts and values, where it cannot stream."""
    import psycopg

    return 0 if psycopg.capabilities.has_stream_chunked() else 250 * KiB


def test_the_budget_bounds_what_is_held_by_several_connections(wide):
    sql, keys = "select * from t where k in (:keys)", range(ROWS // 10)
    peak, rows = peak_of(wide, sql, keys=keys, parallel=3, strategy="in-list", max_bytes=2 * MAX_BYTES)
    assert rows == ROWS
    assert peak < 2 * MAX_BYTES + 3 * SLACK


def test_a_smaller_budget_set_while_reading_shrinks_the_batches(wide):
    with read_sql_iter("select * from t", wide, max_bytes=MAX_BYTES) as reader:
        next(reader)
        large = next(reader).nbytes
        reader.max_bytes = MAX_BYTES // 4
        next(reader)  # was on its way
        next(reader)
        small = next(reader).nbytes
    assert small <= MAX_BYTES // 4 < MAX_BYTES // 3.5 < large <= MAX_BYTES // 2.5


def test_no_budget_is_set_while_reading(wide):
    with read_sql_iter("select * from t", wide) as reader:
        next(reader)
        with pytest.raises(ValueError, match="max_bytes must be above 0, got 0"):
            reader.max_bytes = 0


@pytest.mark.parametrize("at", [0, 150, 700])
@pytest.mark.parametrize("source", ["sqlite3", "apsw", "postgres"])
def test_a_row_over_the_budget_is_refused(request, tmp_path, source, at):
    con = _one_large_row(request, tmp_path, source, at, 5 * MiB)
    reader = read_sql_iter("select n, v from large order by n", con, max_bytes=4 * MiB)
    with pytest.raises(RowTooLarge, match=r"(5\.0|4\.0) MiB"), reader:
        list(reader)
    assert reader.manifest.status == "failed"


def test_a_fetch_over_the_budget_whose_rows_fit_is_delivered_and_reported(wide):
    events = []
    with read_sql_iter("select * from t", wide, max_bytes=40 * KiB, on_event=events.append) as reader:
        assert sum(batch.num_rows for batch in reader) == ROWS
    (over,) = [event for event in events if isinstance(event, FetchOverBudget)]
    assert over.rows == 100  # the first fetch: nothing was known of the rows
    assert over.nbytes > 100 * WIDE > over.max_bytes == 40 * KiB


def test_rows_grow_a_hundredfold_and_one_fetch_at_most_is_over_the_budget(request, tmp_path):
    con = _one_large_row(request, tmp_path, "sqlite3", 500, 3 * MiB)
    peak, rows = peak_of(con, "select n, v from large order by n", max_bytes=4 * MiB)
    assert rows == 1_000
    assert peak < 8 * MiB


def _one_large_row(request, tmp_path, source, at, nbytes):
    """1,000 rows of 1 kB, of which the *at*-th is large."""
    if source == "postgres":
        con = request.getfixturevalue("postgres")
        con.execute(
            f"create table large as select n, repeat('x', case n when {at} then {nbytes} else 1000 end) as v "
            "from generate_series(0, 999) n"
        )
        con.commit()
        return request.getfixturevalue("postgres_schema_url")
    path = str(tmp_path / "large.db")
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table large (n integer, v text)")
        rows = ((n, "x" * (nbytes if n == at else 1_000)) for n in range(1_000))
        con.executemany("insert into large values (?, ?)", rows)
    if source == "sqlite3":
        return lambda: sqlite3.connect(path)
    apsw = pytest.importorskip("apsw")
    return lambda: apsw.Connection(path)


@pytest.mark.parametrize(
    "value",
    [
        "(select jsonb_agg(jsonb_build_object('name', 'item ' || h)) from generate_series(1, 200) h)",
        "(select json_agg(g + h) from generate_series(1, 1000) h)",
        "(select array_agg('text ' || h) from generate_series(1, 300) h)",
    ],
    ids=["objects", "numbers", "texts"],
)
def test_the_budget_bounds_documents_and_arrays(postgres, postgres_schema_url, value):
    postgres.execute(f"create table documents as select g, {value} as d from generate_series(1, 700) g")
    postgres.commit()
    peak, rows = peak_of(postgres_schema_url, "select * from documents", max_bytes=8 * MiB)
    assert rows == 700
    assert peak < 8 * MiB


def test_the_length_of_the_keys_is_no_matter_for_the_budget(tmp_path):
    path = str(tmp_path / "keys.db")
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table t (k text)")
        con.executemany("insert into t values (?)", [(f"key-{n:05}" * 5,) for n in range(5_000)])
    keys = [f"key-{n:05}" * 5 for n in range(5_000)]  # 250 kB as one array
    for strategy in ("in-list", "array", "temporary-table"):
        with closing(sqlite3.connect(path)) as con:
            reader = read_sql_iter(
                "select k from t where k in (:keys)", con, keys=keys, strategy=strategy, max_bytes=50_000
            )
            assert sum(batch.num_rows for batch in reader) == 5_000
