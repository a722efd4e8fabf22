"""A visitor who asks the dashboard for events, as its browser does, and reads the answer to its end."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from tests.rig.site import Site

PATIENCE = 600.0  # seconds, with all waiting
TAIL = 4_096  # bytes: the last line of a stream


@dataclass
class Ending:
    """The end of a request: the *kind* of answer, the reason *why* if it is not whole, the number of *refusals*."""

    kind: str = "cut"
    whole: bool = False
    rows: int = 0
    refusals: int = 0
    why: str = "nothing came"


class Visitor(Thread):
    """A client that asks for *ids*, comes back when it is told so, and follows a job."""

    def __init__(
        self, site: Site, user: str, ids: Sequence[str], domains: list[str], accept: str = "application/x-ndjson"
    ) -> None:
        super().__init__(daemon=True)
        self._site, self._headers = site, {"X-User": user, "Accept": accept}
        self._body = json.dumps(
            {"profile": "mid_section_defect", "container_ids": list(ids), "domains": domains}
        ).encode()
        self.ending = Ending()

    def run(self) -> None:
        until = time.monotonic() + PATIENCE
        try:
            while not self._ask() and time.monotonic() < until:
                pass
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.ending.why = f"{type(error).__name__}: {error}"

    def _ask(self) -> bool:
        connection, response = self._site.open(
            "POST", "/api/trace/events", self._body, {**self._headers, "Content-Type": "application/json"}, PATIENCE
        )
        try:
            if response.status == 503:
                response.read()
                self.ending.refusals += 1
                Event().wait(float(response.headers["Retry-After"]))
                return False
            if response.status == 202:
                self._follow(json.loads(response.read()))
            elif "ndjson" in response.headers["Content-Type"]:
                self._take("stream", response)
            else:
                self._take_json(response)
            return True
        finally:
            connection.close()

    def _follow(self, started: dict[str, Any]) -> None:
        until = time.monotonic() + PATIENCE
        while self._get(started["status_url"])["status"] in {"queued", "started"} and time.monotonic() < until:
            Event().wait(0.5)
        connection, response = self._site.open("GET", started["stream_url"], None, self._headers, PATIENCE)
        try:
            self._take("job", response)
        finally:
            connection.close()

    def _get(self, path: str) -> dict[str, Any]:
        connection, response = self._site.open("GET", path, None, {**self._headers, "Accept": "application/json"})
        try:
            found: dict[str, Any] = json.loads(response.read())
            return found
        finally:
            connection.close()

    def _take(self, kind: str, response: http.client.HTTPResponse) -> None:
        tail = b""
        while piece := response.read(65_536):
            tail = (tail + piece)[-TAIL:]
        last = json.loads(tail.splitlines()[-1])
        self.ending.kind, self.ending.whole = kind, last["type"] == "complete"
        self.ending.rows, self.ending.why = last.get("total_records", 0), last.get("message", "")

    def _take_json(self, response: http.client.HTTPResponse) -> None:
        """Read an object to its end: one that was cut has no end, and then reading raises."""
        tail = b""
        while piece := response.read(65_536):
            tail = (tail + piece)[-TAIL:]
        self.ending.kind, self.ending.whole, self.ending.why = "json", tail.rstrip().endswith(b"}"), "it was cut"


def wait_for_small_route(site: Site) -> float:
    """Measure the seconds that another route takes now."""
    begin = time.monotonic()
    assert site.ask("GET", "/api/lots").status == 200
    return time.monotonic() - begin
