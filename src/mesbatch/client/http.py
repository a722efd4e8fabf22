"""Client of the HTTP contract: submit, look at, cancel and follow jobs."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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


class JobClient:
    """Client of the jobs at *url*, such as ``https://host/api/trace``; *headers* are sent with each request.

    *timeout* is the number of seconds that the server may take for an answer, or between two lines of a stream.

    Raises:
        ValueError: *url* is neither http nor https.
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
        """Ask for events that are too many to be read at once, and return the id of the job.

        Raises:
            RequestRefused: the server does not accept it, or answers without a job.
        """
        wanted = {"profile": profile, "container_ids": list(container_ids), "domains": list(domains)}
        answer = self._json("POST", "/events", wanted | ({"params": dict(params)} if params else {}))
        if "job_id" not in answer:
            raise RequestRefused("the server read the events at once: there is no job to follow", 200)
        return str(answer["job_id"])

    def status(self, job_id: str) -> dict[str, Any]:
        """Ask the server for the status of a job.

        Raises:
            JobNotFound: there is no such job, or another user has it.
        """
        return self._json("GET", f"/job/{quote(job_id, safe='')}")

    def wait(self, job_id: str, timeout: float | None = None) -> dict[str, Any]:
        """Wait for the end of a job, and return its last status.

        Raises:
            TimeoutError: it did not end within *timeout* seconds.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while (found := self.status(job_id))["status"] not in ENDED:
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

    def _json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        try:
            with self._open(method, path, body) as response:
                answer: dict[str, Any] = json.loads(response.read() or b"{}")
        except MesbatchError:
            raise
        except (Cut, OSError, http.client.HTTPException, ValueError) as error:
            raise RequestRefused(f"{method} {path}: no answer that is JSON: {error}", None) from error
        return answer

    def _open(self, method: str, path: str, body: Any = None) -> Any:
        headers = {**self._headers, "Accept": "application/json, application/x-ndjson"}
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
        told = json.loads(error.read())
    except (ValueError, OSError):
        told = {}
    words = told.get("detail") or told.get("error") or error.reason
    code = told.get("code") or ""
    if error.code == http.client.NOT_FOUND:
        return JobNotFound(f"{words} {code}".strip())
    if error.code in PASSING and method == "GET":
        return Cut(f"{method} {path}: {error.code} {words}")
    return RequestRefused(f"{method} {path}: {error.code} {code} {words}".replace("  ", " "), error.code)
