"""Requests that are read now, become a job or are refused: what the routes of the trace and of results share."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from mesbatch.adapters.http.answers import Answer, answer_job, answer_refusal
from mesbatch.adapters.http.body import Form
from mesbatch.adapters.http.function_read import FunctionRead
from mesbatch.adapters.http.ids import KeyType, collect_ids, slice_ids
from mesbatch.adapters.http.live import arrow_form, csv_form, json_form, live_answer, live_body, ndjson_form
from mesbatch.adapters.http.options import Dialect, Limits
from mesbatch.adapters.http.request import ARROW, CSV, JSON, NDJSON, HttpRequest, name_principal, negotiate, read_shape
from mesbatch.admission import Admission, Admitted, Cost, Enqueue, LearnedBytes, Reject
from mesbatch.codec.rows import Shape
from mesbatch.errors import InvalidJob, InvalidRequest, NoWorker, StoreError
from mesbatch.jobs import Jobs, JobSpec
from mesbatch.jobs.function import check_call
from mesbatch.keys.collect import Keys
from mesbatch.read.part import OnFailure
from mesbatch.store.inputs import GivenInputs

_logger = logging.getLogger(__name__)

Urls = Callable[[str], tuple[str, str]]  # of the status and the stream of a job, by its id


@dataclass(frozen=True)
class Asked:
    """Request that was checked; *keys* None reads without any, and *as_job* says that the client prefers a job."""

    spec: JobSpec
    keys: Keys | None
    inputs: dict[str, msgspec.Raw]
    mimetype: str
    owner: str
    as_job: bool = False

    @property
    def key_count(self) -> int:
        return 0 if self.keys is None else len(self.keys)

    def close(self) -> None:
        if self.keys is not None:
            self.keys.close()


@dataclass(frozen=True)
class Submission(ABC):
    """Route that takes a request: *function* of *jobs* reads the named *queries*, now or in a worker.

    Raises:
        InvalidJob: *jobs* does not allow *function*.
    """

    queries: Mapping[str, Any]
    admission: Admission
    learned: LearnedBytes
    jobs: Jobs
    function: str
    enqueue: bool
    dialect: Dialect
    limits: Limits
    key_type: KeyType | None

    def __post_init__(self) -> None:
        if self.function not in self.jobs.functions:
            allowed = ", ".join(self.jobs.functions)
            raise InvalidJob(f"the function {self.function!r} is not allowed; allowed are {allowed}")

    def answer(self, request: HttpRequest, urls: Urls) -> Answer:
        """Answer *request*; *urls* tell where a job will be. What is read now has not begun yet."""
        mimetype, shape = negotiate(request, JSON, NDJSON, CSV, ARROW), read_shape(request)
        if shape == "arrays" and mimetype == JSON:
            raise InvalidRequest(f"shape=arrays is for Accept: {NDJSON}; the JSON object has objects")
        asked = self.read(request, mimetype, shape, name_principal(request.principal))
        if isinstance(asked, Reject):
            return answer_refusal(asked, self.dialect)
        try:
            return self._decide_twice(request, asked, urls)
        except BaseException:
            asked.close()
            raise

    @abstractmethod
    def read(self, request: HttpRequest, mimetype: str, shape: Shape, owner: str) -> Asked | Reject:
        """Read and check the body of *request*."""

    def _decide_twice(self, request: HttpRequest, asked: Asked, urls: Urls) -> Answer:
        try:
            return self._decide(request, asked, urls, worker_listens=self._worker_listens())
        except NoWorker as error:  # the last one left between the decision and the submission
            _logger.warning("decided again without a worker: %s", error)
            return self._decide(request, asked, urls, worker_listens=False)

    def _decide(self, request: HttpRequest, asked: Asked, urls: Urls, *, worker_listens: bool) -> Answer:
        decision = Enqueue() if asked.as_job and worker_listens else self.admission.admit(
            self.cost(asked.spec, asked.key_count),
            worker_listens=worker_listens,
            principal=asked.owner,
            timeout=self.limits.wait,
        )  # fmt: skip
        match decision:
            case Admitted():
                with decision.permit:
                    return self._read_now(request, asked, decision)
            case Enqueue():
                job = self.jobs.submit(asked.spec, asked.keys, inputs=asked.inputs)
                answer = answer_job(job, *urls(job.job_id), self.dialect.words)
                if asked.as_job:
                    answer.headers["Preference-Applied"] = "respond-async"
            case Reject():
                answer = answer_refusal(decision, self.dialect)
        asked.close()  # a read closes them at its end
        return answer

    def cost(self, spec: JobSpec, keys: int) -> Cost:
        """Make the cost of a streamed answer, which holds *max_bytes* in memory, however large it is."""
        nbytes = self.learned.estimate(spec.domains, keys=keys)
        return Cost(spec.profile or "", keys, nbytes, self.limits.max_bytes, streamed=True)

    def _read_now(self, request: HttpRequest, asked: Asked, admitted: Admitted) -> Answer:
        spec, form = asked.spec, self._form(asked)
        read = FunctionRead(
            self.jobs.functions[self.function], spec.arguments, asked.keys, spec.domains, self.limits.max_bytes,
            self.learned, one_by_one=asked.mimetype == JSON, on_failure="raise" if form.whole else spec.on_failure,
            inputs=GivenInputs(asked.inputs),
        )  # fmt: skip
        name = f"{spec.domains[0]}.{'csv' if form.mimetype == CSV else 'arrows'}" if form.whole else None
        return live_answer(live_body(read, admitted, "", form, self.limits), request, admitted, name=name)

    def _form(self, asked: Asked) -> Form:
        match asked.mimetype:
            case "application/json":
                return json_form(self.dialect)
            case "text/csv":
                return csv_form(self.dialect)
            case "application/vnd.apache.arrow.stream":
                return arrow_form()
        return ndjson_form(asked.spec.profile, asked.spec.shape, self.dialect, asked.mimetype)

    def check_table(self, names: Sequence[str], mimetype: str) -> None:
        """Raise InvalidRequest for several names where the answer is one table."""
        if mimetype in {CSV, ARROW} and len(names) > 1:
            raise InvalidRequest(f"{len(names)} {self.dialect.words.many} are no table: ask for one, or for {NDJSON}")

    def collect(self, found: memoryview, name: str, spec: JobSpec) -> Keys | Reject:
        """Collect the keys of the member *name*, unless they are too many."""
        worker_listens = cache(self._worker_listens)

        def refuse(keys: int) -> Reject | None:
            return self.admission.refuse_early(self.cost(spec, keys), worker_listens=worker_listens())

        keys = collect_ids(slice_ids(found, self.key_type, name), refuse)
        if not isinstance(keys, Reject) and len(keys) == 0:
            raise InvalidRequest(f"{name} is empty: there is nothing to look for")
        return keys

    def specify(
        self, domains: Sequence[str], arguments: Mapping[str, Any], shape: Shape, owner: str, *,
        profile: str | None = None, on_failure: OnFailure = "partial",
    ) -> JobSpec:  # fmt: skip
        """Make the specification of the read, with *arguments* that fit the function."""
        try:
            spec = JobSpec(
                function=self.function, domains=tuple(domains), profile=profile, owner=owner, arguments=arguments,
                timeout=self.limits.timeout, max_bytes=self.limits.max_bytes, batch_size=self.dialect.batch_size,
                on_failure=on_failure, shape=shape, datetime_separator=self.dialect.datetime_separator,
                settings=self.jobs.settings,
            )  # fmt: skip
            check_call(self.jobs.functions, spec)
        except InvalidJob as error:
            raise InvalidRequest(f"params do not fit: {error}") from error
        return spec

    def _worker_listens(self) -> bool:
        if not self.enqueue:
            return False
        try:
            self.jobs.check_listening()
        except (NoWorker, StoreError) as error:
            _logger.info("no job is possible: %s", error)
            return False
        return True
