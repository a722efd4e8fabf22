"""Answers as ASGI callables, to be returned by a view, mounted, or called by one."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from mesbatch.adapters.asgi.sending import Opened, opened, send_answer
from mesbatch.adapters.asgi.threads import CALLS
from mesbatch.adapters.asgi.types import Receive, Scope, Send
from mesbatch.adapters.http.answers import Answer, answer_error, answer_job, answer_refusal
from mesbatch.adapters.http.body import ReadBody
from mesbatch.adapters.http.options import Dialect, Limits
from mesbatch.adapters.http.request import HttpRequest
from mesbatch.adapters.http.stored import lines_answer, page_answer
from mesbatch.adapters.http.untaken import Untaken, watch
from mesbatch.admission.answer import Reject
from mesbatch.errors import InvalidRequest
from mesbatch.jobs import Job
from mesbatch.store import ResultReader, Store

Make = Callable[[HttpRequest], Answer]


class AsgiAnswer:
    """Answer that is made and sent when it is called: ``await answer(scope, receive, send)``.

    Starlette and Litestar send what a view returns. For frameworks that want a response of their own, `opened` gives
    status, headers and the body's pieces. *make* makes the answer of a request, in a thread. An answer that has a
    *body* holds its read and permit from the beginning, and gives them back if nobody calls it within 5 s.

    Args:
        make: A function that makes the answer of a request, in a thread.
        dialect: The style of the answer.
        limits: The limits of the request.
        body: The rows, whose read and permit the answer holds from the beginning, and gives back if nobody calls it
            within 5 s.

    >>> from mesbatch.errors import JobNotFound
    >>> isinstance(problem(JobNotFound("there is no such job")), AsgiAnswer)
    True
    """

    def __init__(
        self,
        make: Make,
        *,
        dialect: Dialect = Dialect(),  # noqa: B008  # frozen
        limits: Limits = Limits(),  # noqa: B008
        body: ReadBody | None = None,
    ) -> None:
        self._make, self._dialect, self._limits = make, dialect, limits
        self._untaken: Untaken | None = None
        if body is not None:
            give_up = _closing(body)
            self._untaken = Untaken(give_up)
            weakref.finalize(self, watch.queue.put, give_up).atexit = False
            watch.start()
            watch.queue.put(self._untaken)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(read_request(scope))
        await send_answer(answer, scope, receive, send, self._dialect, self._limits)

    @asynccontextmanager
    async def opened(self, scope: Scope | None = None) -> AsyncIterator[Opened]:
        """Begin with the answer, and give its *status*, *headers* and *body*, an asynchronous iterator of bytes.

        Without the request's *scope* nothing is compressed. Leaving the block gives everything back; a framework that
        sends the body after its view has returned calls `open` instead.
        """
        request = HttpRequest({}, {}, _no_body, str) if scope is None else read_request(scope)
        async with opened(await self._answer(request), self._dialect, self._limits) as begun:
            yield begun

    async def open(self, scope: Scope | None = None) -> Opened:
        """Begin with the answer; closing the body, by its end, ``aclose()`` or the collector, gives everything back."""
        context = self.opened(scope)
        begun = await context.__aenter__()

        async def body() -> Any:
            try:
                async for piece in begun.body:
                    yield piece
            finally:
                await context.__aexit__(None, None, None)

        return Opened(begun.status, begun.headers, body())

    async def _answer(self, request: HttpRequest) -> Answer:
        try:
            if self._untaken is not None:
                self._untaken.take()
            return await CALLS.call(self._make, request)
        except Exception as error:  # noqa: BLE001  # a status, whatever it is
            return answer_error(error, self._dialect)


def _closing(body: ReadBody) -> Callable[[], bool]:
    """Make a function that gives back what *body* holds before it has begun."""

    def give_up() -> bool:
        body.close()
        return True

    return give_up


def read_request(
    scope: Scope, principal: Callable[[], Any] = str, body: Callable[[int], Any] | None = None
) -> HttpRequest:
    """Read *scope* as `mesbatch.adapters.http` takes it."""
    headers: dict[str, str] = {}
    for name, value in scope.get("headers", ()):
        text, key = value.decode("latin-1"), name.decode("latin-1").lower()
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    query = dict(reversed(pairs))  # the first of several
    root = scope.get("root_path", "").rstrip("/")
    return HttpRequest(query, headers, body or _no_body, principal, scope.get("http_version", "1.1"), root)


def _no_body(max_body: int) -> bytes:
    raise InvalidRequest("this answer reads no body")


def problem(error: Exception, *, dialect: Dialect = Dialect()) -> AsgiAnswer:  # noqa: B008  # frozen
    """Answer a request that failed with *error*: a problem with a stable ``type``, without any SQL or traceback.

    An error with status 500 is logged with its traceback.

    Args:
        error: The exception.
        dialect: The style of the answer.
    """
    found = answer_error(error, dialect)
    return AsgiAnswer(lambda request: found, dialect=dialect)


def rejected(decision: Reject, *, dialect: Dialect = Dialect()) -> AsgiAnswer:  # noqa: B008
    """Answer a request that admission refused: 413, or 503 with a ``Retry-After`` that differs between clients.

    Args:
        decision: The refusal.
        dialect: The style of the answer.
    """
    found = answer_refusal(decision, dialect)
    return AsgiAnswer(lambda request: found, dialect=dialect)


def job_started(job: Job, *, prefix: str) -> AsgiAnswer:
    """Answer 202: the read goes on as *job*, which a `job_app` or `trace_app` shows below *prefix*.

    Args:
        job: The job that was submitted.
        prefix: The path before the job routes, below that of the application.
    """

    def make(request: HttpRequest) -> Answer:
        status_url = f"{request.root}{prefix}/job/{job.job_id}"
        return answer_job(job, status_url, f"{status_url}/stream")

    return AsgiAnswer(make)


def page(result: ResultReader, *, domain: str = "", offset: int = 0, limit: int = 0) -> AsgiAnswer:
    """Send a page of the rows of a domain, or of each domain, as JSON.

    Reads only the chunks of the page, one after the other, once it is sent. An error is then a problem.

    Args:
        result: The result of the job.
        domain: The name of the domain; an empty text means each.
        offset: The number of rows before the page.
        limit: The most rows of the page; 0 means all of them.
    """
    return AsgiAnswer(lambda request: page_answer(request, result, domain, offset, limit))


def stream_job(store: Store, job_id: str, *, from_: int = 0) -> AsgiAnswer:
    """Send the result of a job as NDJSON, from its *from_*-th ``records`` line on, also while the job writes it.

    Nothing here checks the owner of the job: a route of your own calls `Jobs.get` first. An unknown job is a problem.

    Args:
        store: The store of the job.
        job_id: The job.
        from_: The number of ``records`` lines that the client has already.
    """
    return AsgiAnswer(lambda request: lines_answer(request, store, job_id, from_, lean=True))
