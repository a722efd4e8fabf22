"""The account of a trace's NDJSON stream: its rows, bytes and times."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

RECORDS = b'{"type":"records"'  # these lines are long and many: they are not parsed


class StreamAccount:
    """An account of the lines of a stream whose domains follow one another; holds the last of them.

    >>> account = StreamAccount()
    >>> account.add(b'{"type":"domain_end","domain":"holds","count":0,"status":"complete"}')
    >>> account.add(b'{"type":"complete","total_records":0}')
    >>> account.result()["complete"], account.result()["domains"]["holds"]["status"]
    (True, 'complete')
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._nbytes = 0
        self._domains: dict[str, dict[str, Any]] = {}
        self._last: dict[str, Any] = {}
        self._began = self._domain_began = self._latest = clock()
        self._first: float | None = None
        self._domain_first: float | None = None

    def add(self, line: bytes) -> None:
        """Note one line, which has just come."""
        self._nbytes += len(line)
        if line.startswith(RECORDS):
            self._note_rows(self._clock())
            return
        self._last = json.loads(line)
        if self._last["type"] == "domain_end":
            self._note_end(self._last)

    def result(self) -> dict[str, Any]:
        """Give rows, bytes and seconds to the first row, the same for each domain with its status, and completeness."""
        domains = self._domains.values()
        return {
            "domains": self._domains,
            "rows": sum(domain["rows"] for domain in domains),
            "nbytes": self._nbytes,
            "first_row": None if self._first is None else self._first - self._began,
            "complete": self._last.get("type") == "complete" and all(d["status"] == "complete" for d in domains),
            "error": self._last.get("message"),
        }

    def _note_rows(self, now: float) -> None:
        self._first = now if self._first is None else self._first
        self._domain_first = now if self._domain_first is None else self._domain_first
        self._latest = now

    def _note_end(self, line: dict[str, Any]) -> None:
        """Note that a domain ended with its latest rows: its last line comes with the first rows of the next domain."""
        first = None if self._domain_first is None else self._domain_first - self._domain_began
        self._domains[line["domain"]] = {
            "rows": line["count"],
            "seconds": self._latest - self._domain_began,
            "first_row": first,
            "status": line["status"],
        }
        self._domain_began, self._domain_first = self._latest, None
