"""Route ``POST /events``, which reads now, starts a job or refuses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from inspect import signature

import msgspec

from mesbatch.adapters.http.answers import Answer, answer_job, answer_refusal
from mesbatch.adapters.http.body import Form
from mesbatch.adapters.http.function_read import FunctionRead
from mesbatch.adapters.http.ids import KeyType, collect_ids, slice_ids
from mesbatch.adapters.http.live import arrow_form, csv_form, json_form, live_answer, live_body, ndjson_form
from mesbatch.adapters.http.options import Dialect, Limits
from mesbatch.adapters.http.request import (
    ARROW,
    CSV,
    JSON,
    NDJSON,
    EventsRequest,
    HttpRequest,
    name_principal,
    negotiate,
    read_events,
    read_shape,
)
from mesbatch.admission import Admission, Admitted, Cost, Enqueue, LearnedBytes, Reject
from mesbatch.codec.rows import Shape
from mesbatch.errors import InvalidJob, InvalidRequest, NoWorker, StoreError
from mesbatch.jobs import Jobs, JobSpec
from mesbatch.jobs.function import check_call
from mesbatch.keys.collect import Keys
from mesbatch.store.inputs import GivenInputs
from mesbatch.trace.read import Trace

_logger = logging.getLogger(__name__)


Urls = Callable[[str], tuple[str, str]]  # of the status and the stream of a job, by its id


@dataclass(frozen=True)
class _Asked:
    """Request for events that was checked."""

    spec: JobSpec
    keys: Keys
    inputs: dict[str, msgspec.Raw]
    mimetype: str
    owner: str


@dataclass(frozen=True)
class EventsRoute:
    """The route: *function* of *jobs* reads the domains of *trace*, now or in a worker.

    Raises:
        InvalidJob: *jobs* does not allow *function*.
    """

    trace: Trace
    admission: Admission
    learned: LearnedBytes
    jobs: Jobs
    function: str
    enqueue: bool
    dialect: Dialect
    limits: Limits
    body: type[EventsRequest]
    key_type: KeyType | None

    def __post_init__(self) -> None:
        if self.function not in self.jobs.functions:
            allowed = ", ".join(self.jobs.functions)
            raise InvalidJob(f"the function {self.function!r} is not allowed; allowed are {allowed}")

    def answer(self, request: HttpRequest, urls: Urls) -> Answer:
        """Answer *request*; *urls* tell where a job will be. What is read now has not begun yet."""
        asked = self._read_request(request)
        if isinstance(asked, Reject):
            return answer_refusal(asked, self.dialect)
        try:
            return self._decide_twice(request, asked, urls)
        except BaseException:
            asked.keys.close()
            raise

    def _decide_twice(self, request: HttpRequest, asked: _Asked, urls: Urls) -> Answer:
        try:
            return self._decide(request, asked, urls, worker_listens=self._worker_listens())
        except NoWorker as error:  # the last one left between the decision and the submission
            _logger.warning("decided again without a worker: %s", error)
            return self._decide(request, asked, urls, worker_listens=False)

    def _decide(self, request: HttpRequest, asked: _Asked, urls: Urls, *, worker_listens: bool) -> Answer:
        decision = self.admission.admit(
            self._cost(asked.spec, len(asked.keys)),
            worker_listens=worker_listens,
            principal=asked.owner,
            timeout=self.limits.wait,
        )
        match decision:
            case Admitted():
                with decision.permit:
                    return self._read_now(request, asked, decision)
            case Enqueue():
                job = self.jobs.submit(asked.spec, asked.keys, inputs=asked.inputs)
                answer = answer_job(job, *urls(job.job_id))
            case Reject():
                answer = answer_refusal(decision, self.dialect)
        asked.keys.close()  # a read closes them at its end
        return answer

    def _cost(self, spec: JobSpec, keys: int) -> Cost:
        """Make the cost of a streamed answer, which holds *max_bytes* in memory, however large it is."""
        nbytes = self.learned.estimate(spec.domains, keys=keys)
        return Cost(spec.profile or "", keys, nbytes, self.limits.max_bytes, streamed=True)

    def _read_now(self, request: HttpRequest, asked: _Asked, admitted: Admitted) -> Answer:
        spec, form = asked.spec, self._form(asked)
        read = FunctionRead(
            self.jobs.functions[self.function], spec.arguments, asked.keys, spec.domains, self.limits.max_bytes,
            self.learned, one_by_one=asked.mimetype == JSON, on_failure="raise" if form.whole else "partial",
            inputs=GivenInputs(asked.inputs),
        )  # fmt: skip
        name = f"{spec.domains[0]}.{'csv' if form.mimetype == CSV else 'arrows'}" if form.whole else None
        return live_answer(live_body(read, admitted, "", form, self.limits), request, admitted, name=name)

    def _form(self, asked: _Asked) -> Form:
        match asked.mimetype:
            case "application/json":
                return json_form(self.dialect)
            case "text/csv":
                return csv_form(self.dialect)
            case "application/vnd.apache.arrow.stream":
                return arrow_form()
        return ndjson_form(asked.spec.profile, asked.spec.shape, self.dialect, asked.mimetype)

    def _read_request(self, request: HttpRequest) -> _Asked | Reject:
        mimetype, shape = negotiate(request, JSON, NDJSON, CSV, ARROW), read_shape(request)
        if shape == "arrays" and mimetype == JSON:
            raise InvalidRequest(f"shape=arrays is for Accept: {NDJSON}; the JSON object has objects")
        owner = name_principal(request.principal)
        events = read_events(request, self.limits.max_body, self.trace.queries, self.body)
        if mimetype in {CSV, ARROW} and len(events.domains) > 1:
            raise InvalidRequest(f"{len(events.domains)} domains are no table: ask for one, or for {NDJSON}")
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
