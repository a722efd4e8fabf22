"""psycopg 3 over a libpq before 17, which has no chunks of rows: named cursors, chosen by asking."""

from __future__ import annotations

import os
import subprocess
import sys
from ctypes.util import find_library

import pytest

from mesbatch import read_sql_iter
from mesbatch.errors import DatabaseTimeout

psycopg = pytest.importorskip("psycopg")

LOTS = [f"L{n:05d}" for n in range(3_000)]
# Reads in each way by a URL; the interpreter is another one, since psycopg chooses its implementation once.
SCRIPT = """
import sys
import psycopg
from mesbatch import read_sql_iter
from mesbatch.errors import DatabaseTimeout

assert psycopg.pq.__impl__ == "python", psycopg.pq.__impl__
if psycopg.capabilities.has_stream_chunked():
    sys.exit(77)
url = sys.argv[1]
lots = [f"L{n:05d}" for n in range(3_000)]
sql = "select n, lot from t where lot in (:keys)"
for options in ({}, {"strategy": "in-list"}, {"consistent": True, "parallel": 2}, {"strategy": "temporary-table"}):
    with read_sql_iter(sql, url, keys=lots, **options) as reader:
        assert [row[1] for batch in reader for row in batch.rows] == lots, options
with read_sql_iter("select * from t order by n", url, batch_size=100) as reader:
    assert next(reader).rows[0] == (0, "L00000")
with read_sql_iter("select * from t where n < 0", url) as reader:
    assert reader.columns == ("n", "lot") and list(reader) == []
try:
    list(read_sql_iter("select pg_sleep(30)", url, timeout=0.5))
except DatabaseTimeout:
    print("read")
"""


@pytest.fixture
def url(postgres, postgres_schema_url):
    postgres.execute("create table t as select n, 'L' || lpad(n::text, 5, '0') as lot from generate_series(0, 2999) n")
    postgres.commit()
    return postgres_schema_url


@pytest.fixture
def old(monkeypatch):
    monkeypatch.setattr(psycopg.capabilities, "has_stream_chunked", lambda check=False: False)
    monkeypatch.delattr("mesbatch.source.postgres.driver.StreamedRows")


def test_a_url_is_read_by_named_cursors(url, old):
    with read_sql_iter("select n, lot from t where lot in (:keys)", url, keys=LOTS) as reader:
        assert [row[1] for batch in reader for row in batch.rows] == LOTS
    with pytest.raises(DatabaseTimeout):
        list(read_sql_iter("select pg_sleep(30)", url, timeout=0.3))


def test_leaving_early_ends_the_transaction_that_was_begun(postgres, url, old):
    with psycopg.connect(url, autocommit=True) as con:
        con.close = lambda: None
        for sql in ("select * from t", "select 1 / (n - 2000) from t"):
            with read_sql_iter(sql, lambda: con, batch_size=100) as reader:
                next(reader)
            assert con.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        del con.close


def test_the_systems_own_libpq_is_read_by_pure_python(url):
    if not find_library("pq"):
        pytest.skip("no libpq on this machine")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, url],
        env={**os.environ, "PSYCOPG_IMPL": "python", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip("the libpq of this machine has chunks of rows")
    assert (done.stdout, done.stderr) == ("read\n", "")
