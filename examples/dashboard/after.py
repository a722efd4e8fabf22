"""The same routes with mesbatch: in flat memory, as a stream, a job, or a refusal that says when to come back."""

from __future__ import annotations

import os

from flask import Flask, Response, request

from mesbatch import Query, Trace
from mesbatch.adapters.flask import Dialect, Limits, trace_blueprint
from mesbatch.demo.attribution import LINEAGE, attribute
from mesbatch.demo.queries import JOBS_KEY, JOBS_SEPARATOR, QUERIES
from mesbatch.demo.reject_counts import RejectCounts
from mesbatch.jobs import Work
from mesbatch.settings import Settings
from mesbatch.trace.read import TraceReader
from mesbatch.units import MiB

DATABASE = os.environ["DATABASE_URL"]
AGGREGATING_PROFILE = "mid_section_defect"

settings = Settings.from_env()
trace = Trace(
    {domain: Query(sql) for domain, sql in QUERIES.items() if domain != "jobs"}
    | {"jobs": Query(QUERIES["jobs"], key=JOBS_KEY, separator=JOBS_SEPARATOR)}
)


def events(work: Work, profile: str) -> TraceReader:
    """Read the events, for the route and for the worker."""
    if profile == AGGREGATING_PROFILE:
        work.aggregate(RejectCounts)
        if LINEAGE in work.inputs:
            work.conclude(attribute)
    return trace.read(
        DATABASE, work.keys, work.domains,
        max_bytes=work.max_bytes, on_failure=work.on_failure, **settings.read_options(),
    )  # fmt: skip


def principal() -> str:
    """Name the user whom the proxy in front has let in."""
    return request.headers.get("X-User", "nobody in particular")


jobs = settings.jobs({"events": events}, app="examples.dashboard.after:jobs")
app = Flask(__name__)
app.register_blueprint(
    trace_blueprint(
        trace, settings.policy(), settings.limiter(), jobs, principal,
        inputs=(LINEAGE, "seed_container_ids"), enqueue=settings.worker_enabled,
        dialect=Dialect(batch_size=settings.batch_size),
        limits=Limits(timeout=settings.job_timeout, max_body=64 * MiB),  # 114,000 ids and the lineage of 70,000 seeds
    )
)  # fmt: skip


@app.get("/api/lots")
def lots() -> Response:
    return Response('{"lots":["GA23100020-A00-011"]}', mimetype="application/json")
