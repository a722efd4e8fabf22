"""Client of the HTTP contract: submit, look at, cancel and follow jobs."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from mesbatch.client.stream import PATIENCE_SECONDS, Cut, JobStream, unbroken
from mesbatch.errors import JobNotFound, MesbatchError, RequestRefused
from mesbatch.store.protocol import ENDED

TIMEOUT_SECONDS = 30.0  # for a line; a server that follows the contract sends one every 5 s
POLL_SECONDS = 0.5
PASSING = {http.client.BAD_GATEWAY, http.client.SERVICE_UNAVAILABLE, http.client.GATEWAY_TIMEOUT}


ACCEPT = "application/json, application/x-ndjson"
LINES = {"application/x-ndjson", "application/ndjson", "application/jsonl"}


class JobClient:
    """Client of the HTTP contract of a server: submit, look at, cancel and follow jobs.

    Args:
        url: The address of the routes, such as ``https://host/api/trace``.
        headers: Headers that are sent with each request, such as a token.
        timeout: Seconds that the server may take for an answer, or between two lines of a stream.

    Raises:
        ValueError: *url* is neither http nor https.

    >>> client = JobClient("https://mes.example/api/trace", headers={"Authorization": "Bearer ..."}, timeout=10.0)
    >>> client.follow("0" * 32)
    <mesbatch.client.stream.JobStream object at ...>
    """

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = TIMEOUT_SECONDS) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise ValueError(f"url must begin with http:// or https://, got {url[:80]!r}")
        self._url, self._headers, self._timeout = url.rstrip("/"), dict(headers or {}), timeout

    def submit(
        self,
        profile: str,
        container_ids: Sequence[Any],
        domains: Sequence[str],
        params: Mapping[str, Any] | None = None,
    ) -> str:
        """Ask for events that are too many to be read at once, and return the id of the job; see `read` for any number.

        Raises:
            RequestRefused: the server does not accept it, or reads the events at once; then nothing of them is loaded.
        """
        with self._ask_for_events(profile, container_ids, domains, params) as response:
            if response.status != http.client.ACCEPTED:
                raise RequestRefused("the server reads the events at once: there is no job, so use read()", 200)
            return self._job_of(response)

    def read(
        self,
        profile: str,
        container_ids: Sequence[Any],
        domains: Sequence[str],
        params: Mapping[str, Any] | None = None,
        *,
        patience: float = PATIENCE_SECONDS,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> JobStream:
        """Ask for events, and follow their records, whether the server reads them at once or makes a job of them.

        Holds one line and its rows. A job goes on when the stream is closed before its end. What is read at once is
        asked for one time: a connection that breaks raises `ReadInterrupted`, and nothing is read twice.

        Raises:
            RequestRefused: the server does not accept it, or does not give lines.
        """
        response = self._ask_for_events(profile, container_ids, domains, params)
        if response.status == http.client.ACCEPTED:
            with response:
                return self.follow(self._job_of(response), patience=patience, on_progress=on_progress)
        if response.headers.get_content_type() not in LINES:
            response.close()
            raise RequestRefused(f"the server answers with {response.headers.get_content_type()}, not with lines", 200)
        given = iter([_Lines(response)])
        return JobStream(lambda _: next(given, None) or _broken(), patience=0.0, on_progress=on_progress)

    def status(self, job_id: str) -> dict[str, Any]:
        """Ask the server for the status of a job.

        Raises:
            JobNotFound: there is no such job, or another user has it.
        """
        return self._json("GET", f"/job/{quote(job_id, safe='')}")

    def wait(self, job_id: str, timeout: float | None = None) -> dict[str, Any]:
        """Wait for the end of a job, and return its last status.

        A server that is being restarted is asked again, for a minute.

        Raises:
            TimeoutError: it did not end within *timeout* seconds.
            RequestRefused: the server gave no status for a minute.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while (found := self._patient_status(job_id))["status"] not in ENDED:
            if until is not None and time.monotonic() > until:
                raise TimeoutError(f"job {job_id} is {found['status']} after {timeout} s")
            time.sleep(POLL_SECONDS)
        return found

    def cancel(self, job_id: str) -> None:
        """Ask the job to stop."""
        self._json("DELETE", f"/job/{quote(job_id, safe='')}")

    def follow(
        self,
        job_id: str,
        *,
        patience: float = PATIENCE_SECONDS,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> JobStream:
        """Follow the records of a job from the first one on, also while it runs; see `JobStream`.

        Raises:
            JobNotFound: there is no such job, or another user has it; raised with the first record.
        """
        path = f"/job/{quote(job_id, safe='')}/stream?from="
        return JobStream(
            lambda first: _Lines(self._open("GET", f"{path}{first}")), patience=patience, on_progress=on_progress
        )

    def _patient_status(self, job_id: str) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self.status(job_id)
            except RequestRefused as error:
                if not isinstance(error.__cause__, Cut) or time.monotonic() > until:
                    raise
            time.sleep(POLL_SECONDS)

    def _ask_for_events(
        self, profile: str, container_ids: Sequence[Any], domains: Sequence[str], params: Mapping[str, Any] | None
    ) -> Any:
        wanted = {"profile": profile, "container_ids": list(container_ids), "domains": list(domains)}
        body = wanted | ({"params": dict(params)} if params else {})
        with _told("POST", "/events"):
            return self._open("POST", "/events", body, accept="application/x-ndjson, application/json;q=0.5")

    def _job_of(self, response: Any) -> str:
        with _told("POST", "/events"):
            return str(json.loads(response.read())["job_id"])

    def _json(self, method: str, path: str) -> dict[str, Any]:
        with _told(method, path), self._open(method, path) as response:
            answer = json.loads(response.read() or b"{}")
            if not isinstance(answer, dict):
                raise TypeError(f"{type(answer).__name__} instead of an object")
        return answer

    def _open(self, method: str, path: str, body: Any = None, *, accept: str = ACCEPT) -> Any:
        headers = {**self._headers, "Accept": accept}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = Request(self._url + path, data, headers, method=method)  # noqa: S310  # the scheme was checked
        try:
            return urlopen(request, timeout=self._timeout)  # noqa: S310
        except HTTPError as error:
            with error:
                raise _refusal(error, method, path) from error
        except (URLError, OSError, http.client.HTTPException) as error:
            raise Cut(f"{method} {path}: {error}") from error


@contextmanager
def _told(method: str, path: str) -> Iterator[None]:
    """Raise `RequestRefused` where there is no answer, or none that is JSON."""
    try:
        yield
    except MesbatchError:
        raise
    except Cut as error:
        raise RequestRefused(f"{error}", None) from error
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise RequestRefused(f"{method} {path}: no answer that is JSON: {error}", None) from error


def _broken() -> _Lines:
    raise Cut("what is read at once is not asked for again")


class _Lines:
    """Lines of a response, until it breaks off."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from unbroken(self._response)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Cut(f"the connection broke: {error}") from error

    def close(self) -> None:
        self._response.close()


def _refusal(error: HTTPError, method: str, path: str) -> Exception:
    try:
        answer = json.loads(error.read())
    except (ValueError, OSError):
        answer = None
    told = answer if isinstance(answer, dict) else {}
    words = told.get("detail") or told.get("error") or error.reason
    code = told.get("code") or ""
    if error.code == http.client.NOT_FOUND:
        return JobNotFound(f"{words} {code}".strip())
    if error.code in PASSING and method == "GET":
        return Cut(f"{method} {path}: {error.code} {words}")
    return RequestRefused(f"{method} {path}: {error.code} {code} {words}".replace("  ", " "), error.code)
