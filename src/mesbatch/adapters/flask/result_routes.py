"""Blueprint with the five routes of an ordinary dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Blueprint

from mesbatch.adapters.flask.submission_routes import submission_blueprint
from mesbatch.adapters.http.ids import KeyType
from mesbatch.adapters.http.options import Dialect, Limits
from mesbatch.adapters.http.request import Principal
from mesbatch.adapters.http.results import PREFIX, results_route
from mesbatch.admission import AdmissionPolicy, LearnedBytes, Limiter
from mesbatch.jobs import Jobs
from mesbatch.trace.query import Query
from mesbatch.trace.read import Trace


def result_blueprint(
    queries: Trace | Mapping[str, Query],
    jobs: Jobs,
    limiter: Limiter,
    principal: Principal,
    *,
    policy: AdmissionPolicy | None = None,
    function: str = "results",
    inputs: Sequence[str] = (),
    key_type: KeyType | None = None,
    url_prefix: str = PREFIX,
    enqueue: bool = True,
    learned: LearnedBytes | None = None,
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> Blueprint:
    """Make ``POST /results`` and the four routes of jobs for any named *queries*, with keys or without.

    The body is JSON: ``queries`` (all of them, if absent), ``keys`` where the queries have ``:keys``, and ``params``,
    the arguments of *function* of *jobs*, which reads the queries now or in a worker. ``Accept`` or ``?format=`` choose
    JSON, NDJSON, CSV or Arrow; CSV and Arrow are one query. With ``Prefer: respond-async`` it becomes a job where a
    worker listens; else *policy* decides, which is `result_policy` unless you pass another with the profile
    ``results``. Answers speak of ``queries``, ``key_count`` and ``KEY_LIMIT_EXCEEDED``. A failure of the only query is
    a failed answer; of several queries, those that failed are named beside the others. Holds the body of a request
    once, and the memory of its read.

    Args:
        queries: The queries by name, or a trace of them; their names, and whether they have keys, are checked here.
        jobs: The jobs that requests may become.
        limiter: The permits that answers hold until their last byte.
        principal: A function that names the user of a request; only that user sees its job.
        policy: The table that decides whether a request is read now, becomes a job or is refused, for the profile
            ``results``; by default `result_policy`.
        function: The name, in the allow-list of *jobs*, of the function that reads the queries, now or in a worker. It
            gets the request's ``params`` as its arguments: the client sets each of its parameters.
        inputs: Members of the body that are not parsed: the function opens one as ``work.inputs[name]``, where a client
            sent it, and a job stores it beside its keys.
        key_type: The type of the keys (date, datetime, UUID, Decimal, int, str) as JSON writes them; by default they
            are texts and integers.
        url_prefix: The path before the routes.
        enqueue: False makes no new jobs.
        learned: The bytes per key that earlier reads had.
        dialect: The style of the answers; its words are always the plain ones.
        limits: The limits of one request.

    Raises:
        InvalidJob: *jobs* does not allow *function*, or one of *inputs* cannot be the name of one.
    """
    route = results_route(
        queries, jobs, limiter, policy, function, inputs, key_type, enqueue, learned, dialect, limits
    )  # fmt: skip
    return submission_blueprint("mesbatch_results", url_prefix, "results", route, principal)
