"""`mesbatch worker`: an RQ worker for the jobs of an application."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

import click

from mesbatch.errors import InvalidJob
from mesbatch.jobs.app import import_jobs
from mesbatch.units import GiB, KiB, MiB

UNITS = {"": 1, "KiB": KiB, "MiB": MiB, "GiB": GiB}


def parse_bytes(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """Read ``512MiB`` as bytes."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+) ?(|KiB|MiB|GiB)", text.strip())
    if found is None or not int(found[1]):
        raise click.BadParameter(f"{text!r} is no size: write 512MiB, 2GiB or bytes")
    return int(found[1]) * UNITS[found[2]]


@click.command()
@click.option("--app", required=True, help="Where the application's RQJobs is: module:object.")
@click.option("--memory-limit", callback=parse_bytes, help="What a job's process may allocate, such as 512MiB.")
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
