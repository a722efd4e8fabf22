"""Route ``POST /events``, which reads now, starts a job or refuses, beside the routes of jobs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import Any

import msgspec
from flask import Blueprint, Response

from mesbatch.adapters.flask.answers import JSON, rejected
from mesbatch.adapters.flask.function_read import FunctionRead
from mesbatch.adapters.flask.guarded import OWN_OPTIONS, guarded_blueprint, refuse_other_methods
from mesbatch.adapters.flask.ids import KeyType, collect_ids, slice_ids
from mesbatch.adapters.flask.job_views import PREFIX, add_job_routes, job_started
from mesbatch.adapters.flask.live import stream_json, stream_ndjson
from mesbatch.adapters.flask.options import Dialect, Limits
from mesbatch.adapters.flask.request import (
    EventsRequest,
    Principal,
    name_lines,
    name_principal,
    negotiate,
    read_events,
    read_shape,
    with_inputs,
)
from mesbatch.adapters.flask.response import NDJSON
from mesbatch.admission import Admission, AdmissionPolicy, Admitted, Cost, Enqueue, LearnedBytes, Limiter, Reject
from mesbatch.codec.rows import Shape
from mesbatch.errors import InvalidJob, InvalidRequest, NoWorker, StoreError
from mesbatch.jobs import Jobs, JobSpec
from mesbatch.jobs.function import check_call
from mesbatch.keys.collect import Keys
from mesbatch.store.inputs import GivenInputs
from mesbatch.trace.read import Trace

_logger = logging.getLogger(__name__)


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
        url_prefix: The path before the routes.
        enqueue: False makes no new jobs.
        learned: The bytes per key that earlier reads had.
        dialect: The style of the answers.
        limits: The limits of one request.
        inputs: Members of the body that are not parsed: the function opens one as ``work.inputs[name]``, where a client
            sent it, and a job stores it beside its keys.
        key_type: The type of the ids (date, datetime, UUID, Decimal, int, str) as JSON writes them; by default they are
            texts and integers.

    Raises:
        InvalidJob: *jobs* does not allow *function*, or one of *inputs* cannot be the name of one.
    """
    if function not in jobs.functions:
        raise InvalidJob(f"the function {function!r} is not allowed; allowed are {', '.join(jobs.functions)}")
    blueprint = guarded_blueprint("mesbatch_trace", url_prefix, dialect)
    route = _EventsRoute(
        trace, Admission(policy, limiter), learned or LearnedBytes(), jobs, principal, function, enqueue,
        dialect, limits, with_inputs(inputs), key_type,
    )  # fmt: skip
    blueprint.add_url_rule("/events", "events", route.answer, methods=["POST"], **OWN_OPTIONS)
    refuse_other_methods(blueprint, "/events", "POST")
    add_job_routes(blueprint, jobs, principal)
    return blueprint


@dataclass(frozen=True)
class _Asked:
    """Request for events that was checked."""

    spec: JobSpec
    keys: Keys
    inputs: dict[str, msgspec.Raw]
    mimetype: str
    owner: str


@dataclass(frozen=True)
class _EventsRoute:
    trace: Trace
    admission: Admission
    learned: LearnedBytes
    jobs: Jobs
    principal: Principal
    function: str
    enqueue: bool
    dialect: Dialect
    limits: Limits
    body: type[EventsRequest]
    key_type: KeyType | None

    def answer(self, **variables: Any) -> Response:
        asked = self._read_request()
        if isinstance(asked, Reject):
            return rejected(asked, dialect=self.dialect)
        try:
            return self._decide_twice(asked)
        except BaseException:
            asked.keys.close()
            raise

    def _decide_twice(self, asked: _Asked) -> Response:
        try:
            return self._decide(asked, worker_listens=self._worker_listens())
        except NoWorker as error:  # the last one left between the decision and the submission
            _logger.warning("decided again without a worker: %s", error)
            return self._decide(asked, worker_listens=False)

    def _decide(self, asked: _Asked, *, worker_listens: bool) -> Response:
        decision = self.admission.admit(
            self._cost(asked.spec, len(asked.keys)),
            worker_listens=worker_listens,
            principal=asked.owner,
            timeout=self.limits.wait,
        )
        match decision:
            case Admitted():
                with decision.permit:
                    return self._read_now(asked, decision)
            case Enqueue():
                response = job_started(self.jobs.submit(asked.spec, asked.keys, inputs=asked.inputs))
            case Reject():
                response = rejected(decision, dialect=self.dialect)
        asked.keys.close()  # a read closes them at its end
        return response

    def _cost(self, spec: JobSpec, keys: int) -> Cost:
        """Make the cost of a streamed answer, which holds *max_bytes* in memory, however large it is."""
        nbytes = self.learned.estimate(spec.domains, keys=keys)
        return Cost(spec.profile or "", keys, nbytes, self.limits.max_bytes, streamed=True)

    def _read_now(self, asked: _Asked, admitted: Admitted) -> Response:
        spec, as_json = asked.spec, asked.mimetype == JSON
        read = FunctionRead(
            self.jobs.functions[self.function], spec.arguments, asked.keys, spec.domains, self.limits.max_bytes,
            self.learned, one_by_one=as_json, inputs=GivenInputs(asked.inputs),
        )  # fmt: skip
        if as_json:
            return stream_json(read, permit=admitted, dialect=self.dialect, limits=self.limits)
        response = stream_ndjson(
            read, permit=admitted, profile=spec.profile, shape=spec.shape, dialect=self.dialect, limits=self.limits
        )
        return name_lines(response, asked.mimetype)

    def _read_request(self) -> _Asked | Reject:
        mimetype, shape = negotiate(JSON, NDJSON), read_shape()
        if shape == "arrays" and mimetype == JSON:
            raise InvalidRequest(f"shape=arrays is for Accept: {NDJSON}; the JSON object has objects")
        owner = name_principal(self.principal)
        events = read_events(self.limits.max_body, self.trace.queries, self.body)
        if "profile" in events.params:
            raise InvalidRequest("params must not hold profile, which has a member of its own")
        spec = self._specify(events, shape, owner)
        keys = self._collect(events, spec)
        return keys if isinstance(keys, Reject) else _Asked(spec, keys, events.inputs(), mimetype, owner)

    def _collect(self, events: EventsRequest, spec: JobSpec) -> Keys | Reject:
        worker_listens = cache(self._worker_listens)

        def refuse(keys: int) -> Reject | None:
            return self.admission.refuse_early(self._cost(spec, keys), worker_listens=worker_listens())

        keys = collect_ids(slice_ids(memoryview(events.container_ids), self.key_type), refuse)
        if not isinstance(keys, Reject) and len(keys) == 0:
            raise InvalidRequest("container_ids is empty: there is nothing to look for")
        return keys

    def _specify(self, events: EventsRequest, shape: Shape, owner: str) -> JobSpec:
        try:
            spec = JobSpec(
                function=self.function, domains=tuple(events.domains), profile=events.profile, owner=owner,
                arguments=self._profile(events) | events.params, timeout=self.limits.timeout,
                max_bytes=self.limits.max_bytes, batch_size=self.dialect.batch_size, on_failure="partial", shape=shape,
                datetime_separator=self.dialect.datetime_separator, settings=self.jobs.settings,
            )  # fmt: skip
            check_call(self.jobs.functions, spec)
        except InvalidJob as error:
            raise InvalidRequest(f"params do not fit: {error}") from error
        return spec

    def _profile(self, events: EventsRequest) -> dict[str, str]:
        """Give the request's profile to a function that has a parameter for it."""
        parameters = signature(self.jobs.functions[self.function]).parameters
        return {"profile": events.profile} if "profile" in parameters else {}

    def _worker_listens(self) -> bool:
        if not self.enqueue:
            return False
        try:
            self.jobs.check_listening()
        except (NoWorker, StoreError) as error:
            _logger.info("no job is possible: %s", error)
            return False
        return True
