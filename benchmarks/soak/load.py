"""Clients of a dashboard as they come: small reads, streams, jobs, slow ones, wrong ones, some that leave early."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random
from threading import Event, Lock, Thread
from typing import Any

from tests.rig.site import Site

DOMAINS = ["history", "materials", "rejects"]
NDJSON = "application/x-ndjson"
SMALL, STREAMED, JOB = (20, 400), (1_200, 2_800), (4_200, 9_000)  # ids of a request
PATIENCE = 120.0  # seconds for one request with all waiting
STEP = 1_000  # from which of the ids a request begins, so that the same rows are asked for again and again
SLOW_SECONDS, PIECE = 0.2, 65_536  # some 300 kB/s: a stream takes half a minute


class Account:
    """How requests ended, and the rows of each that was whole; two whole answers to one question must be the same."""

    def __init__(self) -> None:
        self.endings: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._rows: dict[tuple[str, int, int], int] = {}
        self._lock = Lock()

    def add(self, kind: str, ending: str) -> None:
        with self._lock:
            self.endings[f"{kind}: {ending}"] += 1

    def whole(self, kind: str, asked: tuple[str, int, int], rows: int) -> None:
        self.add(kind, "whole")
        with self._lock:
            if self._rows.setdefault(asked, rows) != rows:
                self.wrong.append(f"{asked} had {self._rows[asked]:,} rows, and now has {rows:,}")

    def strange(self, what: str) -> None:
        with self._lock:
            self.wrong.append(what)


class Client(Thread):
    """A client that asks one thing after the other until *stop*."""

    def __init__(self, site: Site, ids: list[str], account: Account, stop: Event, seed: int) -> None:
        super().__init__(daemon=True, name=f"client-{seed}")
        self._site, self._ids, self._account, self._over, self._chance = site, ids, account, stop, Random(seed)
        self._headers = {"X-User": f"user {seed}"}
        self._kinds: list[Callable[[], None]] = [
            *[self._small] * 4, *[self._stream] * 3, *[self._leave] * 4, *[self._job] * 2, self._cancel, self._slow,
            self._wrong,
        ]  # fmt: skip

    def run(self) -> None:
        while not self._over.is_set():
            kind = self._chance.choice(self._kinds)
            name = kind.__name__.strip("_")
            try:
                kind()
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                self._account.add(name, f"cut ({type(error).__name__})")
            self._over.wait(self._chance.uniform(0, 0.5))

    # -- what they ask

    def _small(self) -> None:
        first, count, domains = self._question(SMALL)
        connection, response = self._ask(first, count, domains, "application/json")
        try:
            if self._is_answered("small", response):
                found = json.loads(response.read())
                if "error" in found:
                    self._account.add("small", "failed, and said so")
                else:
                    rows = sum(domain["count"] for domain in found["results"].values())
                    self._account.whole("small", (domains[0], first, count), rows)
        finally:
            connection.close()

    def _stream(self, kind: str = "stream", pause: float = 0.0) -> None:
        first, count, domains = self._question(STREAMED)
        connection, response = self._ask(first, count, domains, NDJSON)
        try:
            if self._is_answered(kind, response):
                self._end(kind, (domains[0], first, count), response, pause=pause)
        finally:
            connection.close()

    def _slow(self) -> None:
        self._stream("slow", SLOW_SECONDS)

    def _leave(self) -> None:
        """Read a part of an answer, at times nothing of it, and hang up."""
        first, count, domains = self._question(self._chance.choice([STREAMED, JOB]))
        connection, response = self._ask(first, count, domains, NDJSON)
        try:
            if response.status == 202 and self._chance.random() < 0.7:
                path = json.loads(response.read())["stream_url"]
                connection.close()
                connection, response = self._open("GET", path, NDJSON)
            response.read(self._chance.choice([0, 1, 5_000, 200_000]))
            self._account.add("leave", "left")
        finally:
            connection.close()

    def _job(self) -> None:
        first, count, domains = self._question(JOB)
        if (job := self._submit("job", first, count, domains)) is None:
            return
        until = time.monotonic() + PATIENCE
        while not self._follow(job["stream_url"], (domains[0], first, count)) and time.monotonic() < until:
            self._over.wait(1)

    def _follow(self, path: str, asked: tuple[str, int, int]) -> bool:
        """Read the stream of a job to its end; False where Redis is away just now."""
        connection, response = self._open("GET", path, NDJSON)
        try:
            if response.status == 200:
                self._end("job", asked, response)
            elif response.status != 503:
                self._account.add("job", f"stream {response.status}")
            return response.status != 503 or self._over.is_set()
        finally:
            connection.close()

    def _cancel(self) -> None:
        first, count, domains = self._question(JOB)
        if (job := self._submit("cancel", first, count, domains)) is None:
            return
        self._over.wait(self._chance.uniform(0, 1.5))
        connection, response = self._open("DELETE", job["status_url"], "application/json")
        with suppress(OSError, http.client.HTTPException):
            response.read()
            self._account.add("cancel", f"answered {response.status}")
        connection.close()

    def _wrong(self) -> None:
        method, path, body = self._chance.choice(
            [
                ("POST", "/api/trace/events", b"{"),
                ("POST", "/api/trace/events", {"profile": "x", "container_ids": ["a"], "domains": ["history"]}),
                ("GET", f"/api/trace/job/{'0' * 32}/stream", None),
                ("PUT", "/api/trace/events", None),
                ("GET", "/api/lots", None),
            ]
        )
        connection, response = self._site.open(method, path, body, self._headers, PATIENCE)
        try:
            response.read()
            self._account.add("wrong", f"answered {response.status}")
        finally:
            connection.close()

    # -- how

    def _question(self, size: tuple[int, int]) -> tuple[int, int, list[str]]:
        count = self._chance.randrange(*size, 100 if size[1] > 1_000 else 20)
        first = STEP * self._chance.randrange((len(self._ids) - count) // STEP + 1)
        return first, count, [self._chance.choice(DOMAINS)]

    def _ask(self, first: int, count: int, domains: list[str], accept: str) -> Any:
        ids = self._ids[first : first + count]
        body = {"profile": "query_tool", "container_ids": ids, "domains": domains}
        return self._site.open("POST", "/api/trace/events", body, {**self._headers, "Accept": accept}, PATIENCE)

    def _open(self, method: str, path: str, accept: str) -> Any:
        return self._site.open(method, path, None, {**self._headers, "Accept": accept}, PATIENCE)

    def _submit(self, kind: str, first: int, count: int, domains: list[str]) -> dict[str, Any] | None:
        connection, response = self._ask(first, count, domains, NDJSON)
        try:
            if response.status != 202:
                if self._is_answered(kind, response):  # no worker listens just now
                    self._end(kind, (domains[0], first, count), response)
                return None
            return dict(json.loads(response.read()))
        finally:
            connection.close()

    def _is_answered(self, kind: str, response: http.client.HTTPResponse) -> bool:
        if response.status == 200:
            return True
        response.read()
        self._account.add(kind, f"refused {response.status}")
        if response.status == 503 and (again := response.headers["Retry-After"]):
            self._over.wait(min(2.0, float(again)))
        elif response.status not in (202, 413, 503):
            self._account.strange(f"{kind}: {response.status}")
        return False

    def _end(
        self, kind: str, asked: tuple[str, int, int], response: http.client.HTTPResponse, *, pause: float = 0.0
    ) -> None:
        """Read lines to their end, and take the last one's account."""
        tail = b""
        while piece := response.read(PIECE):
            tail = (tail + piece)[-8_192:]
            if pause and self._over.wait(pause):
                break
        last = json.loads(tail.splitlines()[-1]) if tail.endswith(b"\n") else {"type": "nothing"}
        if last["type"] == "complete" and b'"type":"warning"' not in tail:
            self._account.whole(kind, asked, last["total_records"])
        else:
            self._account.add(kind, "failed, and said so" if last["type"] in ("complete", "error") else "cut")
