"""The routes of the trace and of jobs as one ASGI application each, to be mounted anywhere."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from logging import getLogger
from typing import Any

from mesbatch.adapters.asgi.answers import read_request
from mesbatch.adapters.asgi.live import check_movable
from mesbatch.adapters.asgi.request import BodyReader
from mesbatch.adapters.asgi.sending import send_answer
from mesbatch.adapters.asgi.threads import CALLS, WAITS, Threads
from mesbatch.adapters.asgi.types import App, Receive, Scope, Send
from mesbatch.adapters.http.answers import Answer, answer_error, answer_problem
from mesbatch.adapters.http.body import ReadBody
from mesbatch.adapters.http.events import events_route
from mesbatch.adapters.http.ids import KeyType
from mesbatch.adapters.http.job_routes import JobRoutes
from mesbatch.adapters.http.options import Dialect, Limits
from mesbatch.adapters.http.request import HttpRequest
from mesbatch.adapters.http.results import results_route
from mesbatch.adapters.http.submission import Submission
from mesbatch.admission import AdmissionPolicy, LearnedBytes, Limiter
from mesbatch.errors import InvalidJobId
from mesbatch.jobs import Jobs
from mesbatch.problem import Problem
from mesbatch.trace.query import Query
from mesbatch.trace.read import Trace

Principal = Callable[[Scope], str | Awaitable[str]]
Handler = Callable[[HttpRequest, str], Answer]

_JOB = re.compile(r"/job/([^/]+)(/result|/stream)?")
_logger = getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """Handlers of one path by their methods; *threads* run them, and *max_body* bytes of a body are read for them."""

    handlers: dict[str, Handler]
    threads: Threads = CALLS
    max_body: int = 0


def trace_app(
    trace: Trace,
    policy: AdmissionPolicy,
    limiter: Limiter,
    jobs: Jobs,
    principal: Principal,
    *,
    function: str = "events",
    inputs: Sequence[str] = (),
    key_type: KeyType | None = None,
    url_prefix: str = "",
    enqueue: bool = True,
    learned: LearnedBytes | None = None,
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> App:
    """Make an ASGI application of the five routes of the trace: ``POST /events`` and those of `job_app`.

    It works like `mesbatch.adapters.flask.trace_blueprint`.

    Args:
        trace: The queries of all domains.
        policy: The table that decides whether a request is read now, becomes a job or is refused.
        limiter: The permits that answers hold until their last byte.
        jobs: The jobs that requests may become.
        principal: A function that names the user of a request by its scope; only that user sees its job. It may be a
            coroutine function; else it is called in a thread.
        function: The name, in the allow-list of *jobs*, of the function that reads the domains.
        inputs: Members of the body that are not parsed: the function opens one as ``work.inputs[name]``.
        key_type: The type of the ids, as JSON writes them; by default they are texts and integers.
        url_prefix: The path before the routes, below the path where a framework mounts the application.
        enqueue: False makes no new jobs.
        learned: The bytes per key that earlier reads had.
        dialect: The style of the answers.
        limits: The limits of one request.

    Raises:
        InvalidJob: *jobs* does not allow *function*, or one of *inputs* cannot be the name of one.
    """
    events = events_route(
        trace, policy, limiter, jobs, function, inputs, key_type, enqueue, learned, dialect, limits
    )  # fmt: skip
    return _Application(jobs, principal, url_prefix, dialect, limits, {"/events": _submitting(events, url_prefix)})


def result_app(
    queries: Trace | Mapping[str, Query],
    jobs: Jobs,
    limiter: Limiter,
    principal: Principal,
    *,
    policy: AdmissionPolicy | None = None,
    function: str = "results",
    inputs: Sequence[str] = (),
    key_type: KeyType | None = None,
    url_prefix: str = "",
    enqueue: bool = True,
    learned: LearnedBytes | None = None,
    dialect: Dialect = Dialect(),  # noqa: B008
    limits: Limits = Limits(),  # noqa: B008
) -> App:
    """Make an ASGI application of ``POST /results`` and the routes of `job_app`, for any named *queries*.

    It does what `mesbatch.adapters.flask.result_blueprint` does, below the path where a framework mounts it.

    Args:
        queries: The queries by name, or a trace of them; their names, and whether they have keys, are checked here.
        jobs: The jobs that requests may become.
        limiter: The permits that answers hold until their last byte.
        principal: A function of the scope of a request, also a coroutine function, that names its user; only that user
            sees its job.
        policy: The table that decides whether a request is read now, becomes a job or is refused, for the profile
            ``results``; by default `result_policy`.
        function: The name, in the allow-list of *jobs*, of the function that reads the queries, now or in a worker. It
            gets the request's ``params`` as its arguments: the client sets each of its parameters.
        inputs: Members of the body that are not parsed: the function opens one as ``work.inputs[name]``, where a client
            sent it, and a job stores it beside its keys.
        key_type: The type of the keys (date, datetime, UUID, Decimal, int, str) as JSON writes them; by default they
            are texts and integers.
        url_prefix: The path before the routes, below that of the mount.
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
    return _Application(
        jobs, principal, url_prefix, route.dialect, limits, {"/results": _submitting(route, url_prefix)}
    )  # fmt: skip


def job_app(
    jobs: Jobs,
    principal: Principal,
    *,
    url_prefix: str = "",
    dialect: Dialect = Dialect(),  # noqa: B008
) -> App:
    """Make an ASGI application of ``GET`` and ``DELETE /job/<id>``, and ``GET`` of its ``/result`` and ``/stream``.

    Args:
        jobs: The jobs that the routes show.
        principal: A function that names the user of a request by its scope; a job of another user is not found.
        url_prefix: The path before the routes.
        dialect: The style of the answers.

    >>> def make_app(jobs: Jobs) -> App:
    ...     return job_app(jobs, lambda scope: "ann", url_prefix="/mes")
    """
    return _Application(jobs, principal, url_prefix, dialect, Limits(), {})


def _submitting(submission: Submission, url_prefix: str) -> Route:
    def answer(request: HttpRequest, job_id: str) -> Answer:
        return submission.answer(request, lambda new: _urls(f"{request.root}{url_prefix}", new))

    return Route({"POST": answer}, WAITS, submission.limits.max_body)


def _urls(prefix: str, job_id: str) -> tuple[str, str]:
    return f"{prefix}/job/{job_id}", f"{prefix}/job/{job_id}/stream"


class _Application:
    def __init__(
        self, jobs: Jobs, principal: Principal, prefix: str, dialect: Dialect, limits: Limits, more: dict[str, Route]
    ) -> None:
        self._jobs, self._principal, self._prefix = jobs, principal, prefix.rstrip("/")
        self._dialect, self._limits, self._more = dialect, limits, more
        routes = JobRoutes(jobs, dialect, lean=True)
        self._of_job = {
            None: Route({"GET": routes.show, "DELETE": routes.cancel}),
            "/result": Route({"GET": routes.result}),
            "/stream": Route({"GET": routes.follow}),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                answer = await self._answer(scope, receive)
                await send_answer(answer, scope, receive, send, self._dialect, self._limits)
            case "lifespan":
                await _live(receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        try:
            path = self._path(scope)
            route, job_id = self._find(path)
            method = "GET" if scope["method"] == "HEAD" else scope["method"]
            handler = route.handlers.get(method)
            if handler is None:
                return self._other_method(scope["method"], route)
            return await self._handle(scope, receive, route, handler, job_id)
        except Exception as error:  # noqa: BLE001  # a status, whatever it is
            return _of_framework(error, self._dialect) or answer_error(error, self._dialect)

    async def _handle(self, scope: Scope, receive: Receive, route: Route, handler: Handler, job_id: str) -> Answer:
        """Run *handler* in a thread, after all that a client may take its time for was done in the event loop."""
        name = await _outcome(self._name(scope))
        body = BodyReader(read_request(scope).headers, receive)
        if route.max_body:
            await body.read(route.max_body)
        work = asyncio.ensure_future(
            route.threads.call(self._run, handler, read_request(scope, name, body.give), job_id)
        )
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            work.add_done_callback(_close_late)
            raise

    def _run(self, handler: Handler, request: HttpRequest, job_id: str) -> Answer:
        self._jobs.attend()
        answer = handler(request, job_id)
        if isinstance(answer.body, ReadBody):
            check_movable(answer.body)
        return answer

    async def _name(self, scope: Scope) -> Any:
        if inspect.iscoroutinefunction(self._principal):
            return await self._principal(scope)
        found = await CALLS.call(self._principal, scope)
        return await found if inspect.isawaitable(found) else found

    def _path(self, scope: Scope) -> str:
        """Find the path below the place where the application is mounted: frameworks cut it off, or only tell it.

        Litestar puts a slash at the end.
        """
        path, root = str(scope["path"]).rstrip("/"), str(scope.get("root_path", "")).rstrip("/")
        return path[len(root) :] if root and path.startswith(f"{root}/") else path

    def _find(self, path: str) -> tuple[Route, str]:
        below = path.removeprefix(self._prefix) if path.startswith(f"{self._prefix}/") else None
        if below is not None and (found := self._more.get(below)) is not None:
            return found, ""
        if below is not None and (job := _JOB.fullmatch(below)) is not None:
            return self._of_job[job[2]], job[1]
        if below is not None and below.startswith("/job/"):
            raise InvalidJobId(f"{below[5:65]!r} is no job id, nor a part of a job")
        raise _NotHere(path)

    def _other_method(self, method: str, route: Route) -> Answer:
        allowed = [*route.handlers, *(["HEAD"] if "GET" in route.handlers else []), "OPTIONS"]
        if method == "OPTIONS":
            return Answer(200, {"Allow": ", ".join(allowed)})
        told = f"this takes {' or '.join(route.handlers)}, not {method[:20]}"
        answer = answer_problem(Problem(HTTPStatus.METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", told), self._dialect)
        answer.headers["Allow"] = ", ".join(allowed)
        return answer


class _NotHere(Exception):
    """A path that is none of ours."""

    status_code, detail = int(HTTPStatus.NOT_FOUND), "there is nothing at this path"


def _of_framework(error: Exception, dialect: Dialect) -> Answer | None:
    """Answer an exception of a framework, such as Starlette's ``HTTPException`` of a principal, with its own words."""
    status = getattr(error, "status_code", None)
    if not isinstance(status, int) or not HTTPStatus.BAD_REQUEST <= status < 600:
        return None
    name = HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "unknown error"
    detail = str(getattr(error, "detail", "") or name)
    answer = answer_problem(Problem(status, re.sub(r"\W+", "_", name).upper(), detail), dialect)
    answer.headers.update(getattr(error, "headers", None) or {})
    return answer


async def _outcome(work: Awaitable[Any]) -> Callable[[], Any]:
    """Await *work*, and make a function that returns what it returned, or raises what it raised."""
    try:
        found = await work
    except Exception as error:  # noqa: BLE001  # raised where the name is asked for
        failure = error

        def fail() -> Any:
            raise failure

        return fail
    return lambda: found


def _close_late(work: asyncio.Future[Answer]) -> None:
    """Give back what an answer holds whose client left while it was made."""
    if not work.cancelled() and work.exception() is None:
        CALLS.submit(work.result().close)


async def _live(receive: Receive, send: Send) -> None:
    """Take part in the start and the end of a server that runs this application alone."""
    while True:
        match (await receive())["type"]:
            case "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            case "lifespan.shutdown":
                await send({"type": "lifespan.shutdown.complete"})
                return
