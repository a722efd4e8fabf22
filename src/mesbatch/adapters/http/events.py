"""Route ``POST /events`` of the trace: profiles, container ids and domains, as its contract has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import msgspec

from mesbatch.adapters.http.ids import KeyType
from mesbatch.adapters.http.options import Dialect, Limits
from mesbatch.adapters.http.request import Body, HttpRequest, check_names, read_body, with_inputs
from mesbatch.adapters.http.submission import Asked, Submission
from mesbatch.admission import Admission, AdmissionPolicy, LearnedBytes, Limiter, Reject
from mesbatch.codec.rows import Shape
from mesbatch.errors import InvalidRequest
from mesbatch.jobs import Jobs
from mesbatch.trace.read import Trace


class EventsRequest(Body):
    """Body of ``POST /events``, with its ids as they stand in it; unknown members are ignored, as older servers did."""

    profile: str
    container_ids: msgspec.Raw
    domains: list[str]
    params: dict[str, Any] = msgspec.field(default_factory=dict)


@dataclass(frozen=True)
class EventsRoute(Submission):
    """The route of the trace; *body* is its kind of `EventsRequest`."""

    body: type[EventsRequest]

    def read(self, request: HttpRequest, mimetype: str, shape: Shape, owner: str) -> Asked | Reject:
        events = read_body(request, self.limits.max_body, self.body)
        domains = check_names(events.domains, self.queries, self.dialect.words)
        self.check_table(domains, mimetype)
        if "profile" in events.params:
            raise InvalidRequest("params must not hold profile, which has a member of its own")
        arguments = self._profile(events) | events.params
        spec = self.specify(domains, arguments, shape, owner, profile=events.profile)
        keys = self.collect(memoryview(events.container_ids), "container_ids", spec)
        return keys if isinstance(keys, Reject) else Asked(spec, keys, events.inputs(), mimetype, owner)

    def _profile(self, events: EventsRequest) -> dict[str, str]:
        """Give the request's profile to a function that has a parameter for it."""
        parameters = signature(self.jobs.functions[self.function]).parameters
        return {"profile": events.profile} if "profile" in parameters else {}


def events_route(
    trace: Trace, policy: AdmissionPolicy, limiter: Limiter, jobs: Jobs, function: str, inputs: Sequence[str],
    key_type: KeyType | None, enqueue: bool, learned: LearnedBytes | None, dialect: Dialect, limits: Limits,
) -> EventsRoute:  # fmt: skip
    """Make the route from the arguments of `trace_blueprint` and `trace_app`."""
    return EventsRoute(
        trace.queries, Admission(policy, limiter), learned or LearnedBytes(), jobs, function, enqueue, dialect, limits,
        key_type, with_inputs(EventsRequest, inputs),
    )  # fmt: skip
