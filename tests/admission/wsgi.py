"""Bare WSGI application whose answers hold a permit of the whole machine while they are sent."""

from __future__ import annotations

import json
import os
import random
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mesbatch.admission import MachineLimiter, Reject, http_answer
from mesbatch.errors import LimiterBusy

PIECES = 5


class Application:
    """Application that gunicorn makes in each worker, from the arguments in its command line."""

    def __init__(self, directory: str, permits: int) -> None:
        self._limiter = MachineLimiter(Path(directory) / "permits", permits, max_bytes=100, max_waiting=4)
        self._spans = Path(directory) / "spans"

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/unlimited":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return self._answer()
        try:
            with self._limiter.permit(10, principal=environ["QUERY_STRING"], timeout=0.3) as permit:
                start_response("200 OK", [("Content-Type", "text/plain")])
                return permit.holding(self._answer())
        except LimiterBusy as busy:
            refusal = http_answer(Reject(str(busy), retry_after=busy.retry_after), jitter=random.random())
            start_response(f"{refusal.status} Busy", list(refusal.headers.items()))
            return [json.dumps(refusal.problem).encode()]

    def _answer(self) -> Iterator[bytes]:
        """Do a few pieces of work, and note when the first began and the last ended."""
        with self._spans.open("a") as spans:
            start = time.monotonic()
            try:
                for _ in range(PIECES):
                    yield zlib.compress(os.urandom(300_000))[:100]
            finally:
                spans.write(f"{start} {time.monotonic()}\n")
