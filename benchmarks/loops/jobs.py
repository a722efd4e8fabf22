"""A job of two domains over a benchmark's table, and the ways to read what it leaves behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.cache import cache_directory
from mesbatch import Query, Trace
from mesbatch.jobs import JobSpec, LocalJobs, Work
from mesbatch.jobs.run import run_job
from mesbatch.source.choose import Order
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


def submit(database: str, table: str, keys: Iterable[str], order: Order = "key") -> Iterator[range]:
    """Check the job and store its keys; `run` or `follow` do it."""
    kept = _kept(database, table, order)
    if kept.exists():
        jobs.store.delete(kept.read_text())
    arguments = {"database": database, "table": table}
    spec = JobSpec(function="events", domains=DOMAINS, arguments=arguments, order=order, timeout=7_200)
    with Idle(jobs.functions, jobs.store, app=jobs.app) as submitting:
        job = submitting.submit(spec, keys)
    kept.write_text(job.job_id)
    yield range(job.cid_count)


def run(database: str, table: str) -> Iterator[range]:
    """What the work-horse does, in this process; the result stays for `page` and `stream`."""
    job_id = _kept(database, table).read_text()
    outcome = run_job(jobs.store, job_id, jobs.functions, "benchmark")
    if outcome != "finished":
        raise RuntimeError(f"the job is {outcome}: {jobs.get(job_id)}")
    yield range(jobs.result(job_id).manifest.total_records)


def page(database: str, table: str) -> Iterator[bytes]:
    """One page from the middle of the larger domain."""
    result = jobs.result(_kept(database, table).read_text())
    offset = result.manifest.domains["history"].rows // 2
    yield from result.page("history", offset=offset, limit=PAGE).data


def stream(database: str, table: str) -> Iterator[bytes]:
    """The stream of a finished job, as the bytes that are sent."""
    yield from stored_lines(jobs.store, _kept(database, table).read_text())


def follow(database: str, table: str) -> Iterator[range]:
    """A process is started for the job, which is read while it runs; the first piece comes with its first rows."""
    job_id = _kept(database, table, "any").read_text()
    with jobs, closing(stored_lines(jobs.store, job_id, poll=0.05)) as lines:
        jobs.start()
        for line in lines:
            if line.startswith(b'{"type":"records"'):
                yield range(int(line.partition(b'"count":')[2].partition(b",")[0]))
    if jobs.get(job_id).status != "finished":
        raise RuntimeError(f"the job did not finish: {jobs.get(job_id)}")


def _kept(database: str, table: str, order: Order = "key") -> Path:
    """Where the id of the job is written down."""
    return _directory() / f".{'postgres' if '://' in database else 'sqlite'}-{table}-{order}"
