"""A job of two domains over a benchmark's table, and the ways to read its result."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.cache import cache_directory
from mesbatch import Query, Trace
from mesbatch.jobs import JobSpec, LocalJobs, Work
from mesbatch.jobs.run import run_job
from mesbatch.keys.choose import Order, StrategyName
from mesbatch.store import DirectoryStore
from mesbatch.store.stored_lines import stored_lines
from mesbatch.trace.read import TraceReader

DOMAINS = ("history", "materials")
PAGE = 5_000
PLACE = "MESBATCH_BENCH_JOBS"


def events(work: Work, database: str, table: str, strategy: StrategyName = "auto") -> TraceReader:
    """Read the incident's two domains: all rows with all columns, and two rows in five with some."""
    url = database if "://" in database else f"sqlite:///{database}"
    history = f"select * from {table} where CONTAINERID in (:keys)"
    materials = (
        f"select CONTAINERID, LOTNAME, QTYCONSUMED, EQUIPMENT, SPEC, RUNCARD from {table} "
        "where CONTAINERID in (:keys) and mod(TRACKINQTY, 5) < 2"
    )
    trace = Trace({"history": Query(history, strategy=strategy), "materials": Query(materials, strategy=strategy)})
    return trace.read(url, work.keys, work.domains, max_bytes=work.max_bytes)


class Idle(LocalJobs):
    """A runner that accepts jobs for a run in the process that is measured."""

    def start(self) -> None:
        pass


def _made(workers: int = 1) -> LocalJobs:
    """Make jobs in a directory of their own for each table and database, apart from those of other benchmarks."""
    folder = cache_directory() / "jobs" / os.environ.get(PLACE, "none")
    return LocalJobs({"events": events}, DirectoryStore(folder), app="benchmarks.loops.jobs:jobs", workers=workers)


jobs = _made()  # a job's process finds here what its parent named in the environment


def _at(database: str, table: str, workers: int = 1) -> LocalJobs:
    os.environ[PLACE] = f"{'postgres' if '://' in database else 'sqlite'}-{table}"
    return _made(workers)


def submit(database: str, table: str, keys: Iterable[str], order: Order = "key") -> Iterator[range]:
    """Check the job and store its keys; `run` or `follow` do it."""
    jobs, kept = _at(database, table), _kept(order)
    if kept.exists():
        jobs.store.delete(kept.read_text())
    arguments = {"database": database, "table": table}
    spec = JobSpec(function="events", domains=DOMAINS, arguments=arguments, order=order, timeout=7_200)
    with Idle(jobs.functions, jobs.store, app=jobs.app) as submitting:
        job = submitting.submit(spec, keys)
    kept.write_text(job.job_id)
    yield range(job.key_count)


def run(database: str, table: str) -> Iterator[range]:
    """Do the work of a work-horse in this process; the result stays for `page` and `stream`."""
    jobs, job_id = _at(database, table), _kept().read_text()
    outcome = run_job(jobs.store, job_id, jobs.functions, "benchmark")
    if outcome != "finished":
        raise RuntimeError(f"the job is {outcome}: {jobs.get(job_id)}")
    yield range(jobs.result(job_id).manifest.total_records)


def page(database: str, table: str) -> Iterator[bytes]:
    """Read one page from the middle of the larger domain."""
    result = _at(database, table).result(_kept().read_text())
    offset = result.manifest.domains["history"].rows // 2
    yield from result.page("history", offset=offset, limit=PAGE).data


def stream(database: str, table: str) -> Iterator[bytes]:
    """Read the stream of a finished job, as the bytes that are sent."""
    yield from _at(database, table).lines(_kept().read_text())


def follow(database: str, table: str) -> Iterator[range]:
    """Start a process for the job, and read the job while it runs; the first piece comes with its first rows."""
    jobs, job_id = _at(database, table), _kept("any").read_text()
    with jobs, closing(stored_lines(jobs.store, job_id, poll=0.05)) as lines:
        jobs.start()
        for line in lines:
            if line.startswith(b'{"type":"records"'):
                yield range(int(line.partition(b'"count":')[2].partition(b",")[0]))
    if jobs.get(job_id).status != "finished":
        raise RuntimeError(f"the job did not finish: {jobs.get(job_id)}")


def split(database: str, table: str, keys: Iterable[str], shards: int) -> Iterator[range]:
    """Run a job by IN lists from its submission to its end, by *shards* processes at once."""
    arguments = {"database": database, "table": table, "strategy": "in-list"}
    spec = JobSpec(function="events", domains=DOMAINS, arguments=arguments, shards=shards, timeout=7_200)
    with _at(database, table, workers=shards) as jobs:
        job = jobs.submit(spec, keys)
        while (job := jobs.get(job.job_id)).status in {"queued", "started"}:
            time.sleep(0.1)  # asking more often takes from two processes what one does not need
        if job.status != "finished":
            raise RuntimeError(f"the job did not finish: {job}")
        yield range(jobs.result(job.job_id).manifest.total_records)
        jobs.store.delete(job.job_id)


def _kept(order: Order = "key") -> Path:
    """Give the path of the file, beside the store, with the id of the job."""
    return cache_directory() / "jobs" / f"{os.environ[PLACE]}-{order}.txt"
