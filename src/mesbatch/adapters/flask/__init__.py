"""Flask answers in flat memory: each function works alone in an existing route, and two blueprints are all routes.

* `stream_ndjson`, `stream_json`, `stream_csv`, `stream_arrow`: rows of a reader or a trace, sent while they are read
* `job_started`: 202 with the URLs of a job
* `rejected`, `problem`: refusals and failures
* `page`, `stream_job`: the result of a job, also while the job writes it
* `job_routes`: the four routes of jobs
* `trace_blueprint`: all five routes of the trace
* `result_blueprint`: the same five for any queries, in plain words
"""

from mesbatch.adapters.flask.answers import problem, rejected
from mesbatch.adapters.flask.job_views import job_routes, job_started
from mesbatch.adapters.flask.live import stream_arrow, stream_csv, stream_json, stream_ndjson
from mesbatch.adapters.flask.result_routes import result_blueprint
from mesbatch.adapters.flask.stored import page, stream_job
from mesbatch.adapters.flask.trace_routes import trace_blueprint
from mesbatch.adapters.http.options import Dialect, Limits

__all__ = [
    "Dialect",
    "Limits",
    "job_routes",
    "job_started",
    "page",
    "problem",
    "rejected",
    "result_blueprint",
    "stream_arrow",
    "stream_csv",
    "stream_job",
    "stream_json",
    "stream_ndjson",
    "trace_blueprint",
]
