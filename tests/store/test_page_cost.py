"""The cost of one page of a large result: one or two chunks, in memory and in time."""

from __future__ import annotations

import json
import statistics
import time

import pytest

from mesbatch.store import DirectoryStore, ResultReader
from tests.store.results import COLUMNS, finish, new_job, writer_of

CHUNKS, ROWS = 40, 5_000
ROW = {f"COLUMN{number:02}": f"value {number} of a lot" for number in range(11)}  # 333 bytes as JSON


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Make a directory with a result of 200,000 rows and 67 MB."""
    path = tmp_path_factory.mktemp("large") / "jobs"
    store = DirectoryStore(path)
    writer = writer_of(store, new_job(store))
    writer.start("a", COLUMNS)
    data = json.dumps([ROW] * ROWS, separators=(",", ":")).encode()
    for number in range(CHUNKS):
        writer.publish("a", data, ROWS, number)
    finish(writer)
    return path, writer._lease.job_id


@pytest.mark.limit_memory("16 MB")
def test_a_page_of_5000_rows_across_two_chunks_stays_within_16_mib(large):
    path, job_id = large
    page = ResultReader(DirectoryStore(path), job_id).page("a", offset=12_345, limit=ROWS)
    assert sum(map(len, page.data)) > 1_500_000


def test_a_page_of_5000_rows_takes_less_than_50_ms(large):
    path, job_id = large
    seconds = []
    for _ in range(9):
        began = time.process_time()  # the cost, however busy the machine is
        b"".join(ResultReader(DirectoryStore(path), job_id).page("a", offset=12_345, limit=ROWS).data)
        seconds.append(time.process_time() - began)
    assert statistics.median(seconds) < 0.05
