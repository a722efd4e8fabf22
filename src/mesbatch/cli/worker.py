"""`mesbatch worker`: an RQ worker for the jobs of an application."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from mesbatch.cli.options import parse_size
from mesbatch.errors import InvalidJob
from mesbatch.jobs.app import import_jobs


@click.command()
@click.option("--app", required=True, help="Where the application's RQJobs is: module:object.")
@click.option("--memory-limit", callback=parse_size, help="What a job's process may allocate, such as 512MiB.")
def worker(app: str, memory_limit: int | None) -> None:
    """Run the jobs of an application, one at a time, until SIGTERM.

    SIGTERM lets the running job stop at its next batch and go back into the queue, where the next worker goes on with
    it. A job's process dies with its worker.
    """
    try:
        from mesbatch.jobs.rq import RQJobs
        from mesbatch.jobs.rq_worker import JobWorker
    except ImportError as error:
        raise click.UsageError("mesbatch worker needs RQ: pip install 'mesbatch[rq]'") from error
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    sys.path.insert(0, str(Path.cwd()))  # as python -m does: the application lies here
    try:
        jobs = import_jobs(app)
    except InvalidJob as error:
        raise click.UsageError(str(error)) from error
    if not isinstance(jobs, RQJobs):
        raise click.UsageError(f"--app must name an RQJobs; {app} is a {type(jobs).__name__}, which needs no worker")
    with jobs:
        JobWorker(jobs, memory_limit).work(logging_level=None)
