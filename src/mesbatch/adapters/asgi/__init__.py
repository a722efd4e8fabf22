"""ASGI answers in flat memory, for any framework: each is a plain ASGI callable, to be mounted or returned.

* `stream_ndjson`, `stream_json`, `stream_csv`, `stream_arrow`: rows of a reader or a trace, sent while they are read
* `aiter_batches`: the batches of a reader, for everything else
* `job_started`: 202 with the URLs of a job
* `rejected`, `problem`: refusals and failures
* `page`, `stream_job`: the result of a job, also while the job writes it
* `job_app`: the four routes of jobs
* `trace_app`: all five routes of the trace
* `result_app`: the same five for any queries, in plain words
"""

from mesbatch.adapters.asgi.answers import AsgiAnswer, job_started, page, problem, rejected, stream_job
from mesbatch.adapters.asgi.app import job_app, result_app, trace_app
from mesbatch.adapters.asgi.batches import aiter_batches
from mesbatch.adapters.asgi.live import stream_arrow, stream_csv, stream_json, stream_ndjson
from mesbatch.adapters.http.options import Dialect, Limits

__all__ = [
    "AsgiAnswer",
    "Dialect",
    "Limits",
    "aiter_batches",
    "job_app",
    "job_started",
    "page",
    "problem",
    "rejected",
    "result_app",
    "stream_arrow",
    "stream_csv",
    "stream_job",
    "stream_json",
    "stream_ndjson",
    "trace_app",
]
