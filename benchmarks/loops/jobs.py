"""A job of two domains over a benchmark's table, and the ways to read what it leaves behind."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.cache import cache_directory
from mesbatch import Query, Trace
from mesbatch.jobs import JobSpec, LocalJobs, Work
from mesbatch.jobs.run import run_job
from mesbatch.store import DirectoryStore
from mesbatch.store.stored_lines import stored_lines
from mesbatch.trace import TraceReader

DOMAINS = ("history", "materials")
PAGE = 5_000


def events(work: Work, database: str, table: str) -> TraceReader:
    """The incident's two domains: all rows with all columns, and two rows in five with some."""
    url = database if "://" in database else f"sqlite:///{database}"
    history = f"select * from {table} where CONTAINERID in (:keys)"
    materials = (
        f"select CONTAINERID, LOTNAME, QTYCONSUMED, EQUIPMENT, SPEC, RUNCARD from {table} "
        "where CONTAINERID in (:keys) and mod(TRACKINQTY, 5) < 2"
    )
    trace = Trace({"history": Query(history), "materials": Query(materials)})
    return trace.read(url, work.keys, work.domains, max_bytes=work.max_bytes)


class Idle(LocalJobs):
    """Accepts jobs for a run in the process that is measured."""

    def start(self) -> None:
        pass


def _directory() -> Path:
    return cache_directory() / "jobs"


jobs = LocalJobs({"events": events}, DirectoryStore(_directory()), app="benchmarks.loops.jobs:jobs")


def run(database: str, table: str, keys: Iterable[str]) -> Iterator[range]:
    """What the work-horse does, in this process; the result stays for `page` and `stream`."""
    kept = _kept(database, table)
    if kept.exists():
        jobs.store.delete(kept.read_text())
    with Idle(jobs.functions, jobs.store, app=jobs.app) as submitting:
        job_id = submitting.submit(_spec(database, table), keys).job_id
    outcome = run_job(jobs.store, job_id, jobs.functions, "benchmark")
    if outcome != "finished":
        raise RuntimeError(f"the job is {outcome}: {jobs.get(job_id)}")
    kept.write_text(job_id)
    yield range(jobs.result(job_id).manifest.total_records)


def page(database: str, table: str) -> Iterator[bytes]:
    """One page from the middle of the larger domain."""
    result = jobs.result(_kept(database, table).read_text())
    offset = result.manifest.domains["history"].rows // 2
    yield from result.page("history", offset=offset, limit=PAGE).data


def stream(database: str, table: str) -> Iterator[bytes]:
    """The stream of a finished job, as the bytes that are sent."""
    yield from stored_lines(jobs.store, _kept(database, table).read_text())


def follow(database: str, table: str, keys: Iterable[str]) -> Iterator[range]:
    """A job in a process of its own, followed while it runs; the first piece comes with its first rows."""
    with jobs:
        job_id = jobs.submit(_spec(database, table, order="any"), keys).job_id
        while jobs.get(job_id).status == "queued":
            time.sleep(0.01)
        with closing(stored_lines(jobs.store, job_id)) as lines:
            for line in lines:
                if line.startswith(b'{"type":"records"'):
                    count = int(line.partition(b'"count":')[2].partition(b",")[0])
                    yield range(count)
        if jobs.get(job_id).status != "finished":
            raise RuntimeError(f"the job did not finish: {jobs.get(job_id)}")
    jobs.store.delete(job_id)


def _spec(database: str, table: str, **more: Any) -> JobSpec:
    return JobSpec(function="events", domains=DOMAINS, arguments={"database": database, "table": table}, **more)


def _kept(database: str, table: str) -> Path:
    """Where the id of the finished job is written down."""
    return _directory() / f".{'postgres' if '://' in database else 'sqlite'}-{table}"
