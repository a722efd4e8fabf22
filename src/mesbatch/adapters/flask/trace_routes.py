"""Blueprint with the five routes of the trace."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint

from mesbatch.adapters.flask.submission_routes import submission_blueprint
from mesbatch.adapters.http.events import events_route
from mesbatch.adapters.http.ids import KeyType
from mesbatch.adapters.http.job_routes import PREFIX
from mesbatch.adapters.http.options import Dialect, Limits
from mesbatch.adapters.http.request import Principal
from mesbatch.admission import AdmissionPolicy, LearnedBytes, Limiter
from mesbatch.jobs import Jobs
from mesbatch.trace.read import Trace


def trace_blueprint(
    trace: Trace,
    policy: AdmissionPolicy,
    limiter: Limiter,
    jobs: Jobs,
    principal: Principal,
    *,
    function: str = "events",
    inputs: Sequence[str] = (),
    key_type: KeyType | None = None,
    url_prefix: str = PREFIX,
    enqueue: bool = True,
    learned: LearnedBytes | None = None,
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> Blueprint:
    """Make the five routes of the trace: ``POST /events`` and those of `job_routes`.

    Every complete read teaches *learned* the bytes per key of its domains, which become part of the cost of later
    requests; an application passes an object of its own to use it for answers that it builds in memory.

    Args:
        trace: The queries of all domains.
        policy: The table that decides whether a request is read now, becomes a job or is refused.
        limiter: The permits that answers hold until their last byte.
        jobs: The jobs that requests may become.
        principal: A function that names the user of a request; only that user sees its job.
        function: The name, in the allow-list of *jobs*, of the function that reads the domains of *trace*, now or in a
            worker. It gets the request's ``params`` as its arguments, and ``profile`` if it has a parameter of that
            name: the client sets each of its parameters.
        inputs: Members of the body that are not parsed: the function opens one as ``work.inputs[name]``, where a client
            sent it, and a job stores it beside its keys.
        key_type: The type of the ids (date, datetime, UUID, Decimal, int, str) as JSON writes them; by default they are
            texts and integers.
        url_prefix: The path before the routes.
        enqueue: False makes no new jobs.
        learned: The bytes per key that earlier reads had.
        dialect: The style of the answers.
        limits: The limits of one request.

    Raises:
        InvalidJob: *jobs* does not allow *function*, or one of *inputs* cannot be the name of one.
    """
    route = events_route(
        trace, policy, limiter, jobs, function, inputs, key_type, enqueue, learned, dialect, limits
    )  # fmt: skip
    return submission_blueprint("mesbatch_trace", url_prefix, "events", route, principal)
