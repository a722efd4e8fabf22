"""Flask answers in flat memory: each function works alone in an existing route, and `trace_blueprint` is all of them.

* `stream_ndjson`, `stream_json`: a reader or a trace, as it is read
* `job_started`: 202 and where to look; `rejected`, `problem`: why not
* `page`, `stream_job`: what a job left, or still writes
* `job_routes`: the four routes of jobs; `trace_blueprint`: all five routes
"""

from mesbatch.adapters.flask.answers import problem, rejected
from mesbatch.adapters.flask.job_views import job_routes, job_started
from mesbatch.adapters.flask.live import stream_json, stream_ndjson
from mesbatch.adapters.flask.options import Dialect, Limits
from mesbatch.adapters.flask.stored import page, stream_job
from mesbatch.adapters.flask.trace_views import trace_blueprint

__all__ = [
    "Dialect",
    "Limits",
    "job_routes",
    "job_started",
    "page",
    "problem",
    "rejected",
    "stream_job",
    "stream_json",
    "stream_ndjson",
    "trace_blueprint",
]
