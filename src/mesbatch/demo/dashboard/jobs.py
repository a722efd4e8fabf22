"""The jobs of the dashboard, found by its workers; the environment tells them the warehouse and the store."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mesbatch.demo.attribution import LINEAGE, attribute
from mesbatch.demo.reject_counts import RejectCounts
from mesbatch.demo.runs import TRACE
from mesbatch.jobs import LocalJobs
from mesbatch.jobs.function import Work
from mesbatch.store import DirectoryStore
from mesbatch.trace.read import TraceReader

URL, STORE = "MESBATCH_DEMO_URL", "MESBATCH_DEMO_STORE"


def events(work: Work) -> TraceReader:
    """Read the domains of the trace in the warehouse, and count the rejects as they pass.

    Where the request has a lineage, they are charged at the end to the equipment and material of the ancestors.
    """
    work.aggregate(RejectCounts)  # in each domain's call: one object counts them all
    if LINEAGE in work.inputs:
        work.conclude(attribute)
    return TRACE.read(os.environ[URL], work.keys, work.domains, on_failure=work.on_failure, max_bytes=work.max_bytes)


def place(url: str, store: Path) -> Mapping[str, str]:
    """Make the environment in which `jobs` reads the warehouse at *url* and keeps results in *store*."""
    return {URL: url, STORE: str(store)}


@cache
def _jobs() -> LocalJobs:
    return LocalJobs({"events": events}, DirectoryStore(os.environ[STORE]), app=f"{__name__}:jobs")


def __getattr__(name: str) -> Any:
    """Make ``jobs`` on use: importing this module must not need the environment."""
    if name != "jobs":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _jobs()
