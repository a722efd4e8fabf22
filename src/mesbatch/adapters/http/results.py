"""Route ``POST /results`` of an ordinary dashboard: named queries, with keys or without any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from mesbatch.adapters.http.accept import preferences
from mesbatch.adapters.http.ids import KeyType
from mesbatch.adapters.http.options import Dialect, Limits
from mesbatch.adapters.http.request import Body, HttpRequest, check_names, read_body, with_inputs
from mesbatch.adapters.http.submission import Asked, Submission
from mesbatch.admission import Admission, AdmissionPolicy, LearnedBytes, Limiter, Reject, result_policy
from mesbatch.admission.result_table import RESULTS
from mesbatch.codec.rows import Shape
from mesbatch.errors import InvalidRequest, StatementError
from mesbatch.jobs import Jobs
from mesbatch.keys.collect import Keys
from mesbatch.trace.query import Query, check_keyed
from mesbatch.trace.read import Trace
from mesbatch.trace.words import PLAIN_WORDS

PREFIX = "/api"


class ResultsRequest(Body, forbid_unknown_fields=True):
    """Body of ``POST /results``: names of *queries* (all of them, if absent), and *keys* if they have any."""

    queries: list[str] | None = None
    keys: msgspec.Raw = msgspec.Raw(b"null")
    params: dict[str, Any] = msgspec.field(default_factory=dict)


@dataclass(frozen=True)
class ResultsRoute(Submission):
    """The route of results; *body* is its kind of `ResultsRequest`."""

    body: type[ResultsRequest]

    def read(self, request: HttpRequest, mimetype: str, shape: Shape, owner: str) -> Asked | Reject:
        asked = read_body(request, self.limits.max_body, self.body)
        names = check_names(list(self.queries) if asked.queries is None else asked.queries, self.queries, PLAIN_WORDS)
        self.check_table(names, mimetype)
        keyed = bytes(memoryview(asked.keys)[:4]) != b"null"
        try:
            check_keyed(self.queries, names, keyed=keyed, going_on=False)
        except StatementError as error:
            raise InvalidRequest(f"keys do not fit: {error}") from error
        # One query that fails is a failed answer; of several, the others are whole.
        spec = self.specify(
            names, asked.params, shape, owner, profile=RESULTS, on_failure="raise" if len(names) == 1 else "partial"
        )
        keys: Keys | Reject | None = self.collect(memoryview(asked.keys), "keys", spec) if keyed else None
        if isinstance(keys, Reject):
            return keys
        as_job = "respond-async" in preferences(request.headers.get("prefer", ""))
        return Asked(spec, keys, asked.inputs(), mimetype, owner, as_job)


def results_route(
    queries: Trace | Mapping[str, Query], jobs: Jobs, limiter: Limiter, policy: AdmissionPolicy | None, function: str,
    inputs: Sequence[str], key_type: KeyType | None, enqueue: bool, learned: LearnedBytes | None, dialect: Dialect,
    limits: Limits,
) -> ResultsRoute:  # fmt: skip
    """Make the route from the arguments of `result_blueprint` and `result_app`."""
    named = queries.queries if isinstance(queries, Trace) else dict(queries)
    return ResultsRoute(
        named, Admission(policy or result_policy(), limiter), learned or LearnedBytes(), jobs, function, enqueue,
        in_plain_words(dialect), limits, key_type, with_inputs(ResultsRequest, inputs),
    )  # fmt: skip


def in_plain_words(dialect: Dialect) -> Dialect:
    """Give *dialect* with the words of an ordinary dashboard."""
    return replace(dialect, words=PLAIN_WORDS)
