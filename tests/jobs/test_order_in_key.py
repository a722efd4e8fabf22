"""The statement's own ORDER BY holds within each key of a job's result, on every way that a job reads."""

from __future__ import annotations

import json
import random
import sqlite3
from itertools import groupby
from typing import Any

import pytest

from mesbatch import Query, Trace
from mesbatch.jobs import JobSpec, LocalJobs, Work
from mesbatch.jobs.run import run_job
from mesbatch.jobs.shards import shards_of
from mesbatch.jobs.stop import Stop
from mesbatch.store import DirectoryStore

KEYS = [f"k{n:04d}" for n in range(3_000)]  # more than the first range of order="any"
SQL = "select k, n, v from t where k in (:keys) order by v desc, n"


class Waiting(LocalJobs):
    """Jobs that are not run."""

    def start(self) -> None:
        """Start nothing."""


@pytest.fixture(params=["sqlite", "postgres"])
def rows_and_source(request, tmp_path) -> Any:
    chance = random.Random(3)
    rows = [(chance.choice(KEYS), n, chance.randrange(4)) for n in range(9_000)]
    if request.param == "sqlite":
        path = str(tmp_path / "t.sqlite")
        con: Any = sqlite3.connect(path)
        con.execute("create table t (k text, n int, v int)")
        con.executemany("insert into t values (?, ?, ?)", rows)
        con.commit()
        con.close()
        return rows, lambda: sqlite3.connect(path, check_same_thread=False)
    psycopg = pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
    url = request.getfixturevalue("postgres_schema_url")
    with psycopg.connect(url, autocommit=True) as con, con.cursor() as cursor:
        cursor.execute("create table t (k text, n int, v int)")
        with cursor.copy("copy t from stdin") as copy:
            for row in rows:
                copy.write_row(row)
    return rows, url


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("more", [{}, {"order": "any"}, {"shards": 3}], ids=str)
def test_rows_of_a_key_stand_in_the_order_of_the_statement(rows_and_source, tmp_path, more, interrupted):
    rows, source = rows_and_source
    stops: list[Stop] = []

    class Stopping:
        """Counts that ask the first run to stop after some rows."""

        seen = 0

        def add(self, domain: str, batch: Any) -> None:
            self.seen += batch.num_rows
            if stops and self.seen > 1_000:
                stops.pop().ask("shutdown")

        def result(self) -> dict[str, Any]:
            return {}

        state = result

        def restore(self, state: Any) -> None:
            """Go on."""

        merge = restore

    def read(work: Work) -> Any:
        work.aggregate(Stopping)
        return Trace({"d": Query(SQL, key="k")}).read(
            source, work.keys, work.domains, max_bytes=work.max_bytes, on_failure=work.on_failure
        )

    jobs = Waiting({"read": read}, DirectoryStore(tmp_path / "jobs"), app="nowhere:jobs")
    job = jobs.submit(JobSpec(function="read", domains=("d",), batch_size=300, **more), KEYS)
    facts = jobs.store.facts(job.job_id)
    outcomes = []
    for one in (*shards_of(facts), job.job_id):
        stop = Stop()
        stops[:] = [stop] if interrupted and (one != job.job_id or not shards_of(facts)) else []
        while (outcome := run_job(jobs.store, one, jobs.functions, "w", stop=stop)) == "queued":
            outcomes.append(outcome)
            stop = Stop()
        assert outcome == "finished"
    assert bool(outcomes) == interrupted
    found = [tuple(row.values()) for row in json.loads(b"".join(jobs.result(job.job_id).page("d").data))]
    expected = sorted(rows, key=lambda row: (row[0], -row[2], row[1]))
    assert [key for key, _ in groupby(found, key=lambda row: row[0])] == sorted({row[0] for row in rows})
    assert found == expected
