"""Small Flask application on SQLite, whose reads can be slow, fail, or stop at a gate."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from mesbatch import Query, Trace
from mesbatch.adapters.flask import Dialect, Limits, trace_blueprint
from mesbatch.adapters.http.request import Principal
from mesbatch.admission import AdmissionPolicy, ProcessLimiter
from mesbatch.jobs import LocalJobs, Work
from mesbatch.store import DirectoryStore
from mesbatch.trace.read import TraceReader
from mesbatch.units import MiB

NDJSON = "application/x-ndjson"
ROWS = 3_000
QUERIES = {
    "moves": Query("select * from moves where cid in (:keys)"),
    "holds": Query("select * from holds where cid in (:keys)"),
    "broken": Query("select secret_column from holds where cid in (:keys)"),
    "gated": Query("select cid, n, gate(n) as passed from moves where cid in (:keys)"),
}


class Application:
    """Application with its test *client*; *gate* holds the rows of the domain ``gated`` after the first 500."""

    def __init__(
        self, folder: Path, *, permits: int = 2, dialect: Dialect | None = None, principal: Principal | None = None,
        **limits: Any,
    ) -> None:  # fmt: skip
        self.path = str(folder / "mes.sqlite")
        with sqlite3.connect(self.path) as con:
            con.execute("create table moves (cid text, n int)")
            con.execute("create table holds (cid text, reason text)")
            con.executemany("insert into moves values (?, ?)", ((f"c{n % 30:02d}", n) for n in range(ROWS)))
            con.executemany("insert into holds values (?, ?)", [("c01", "dust"), ("c02", None)])
        con.close()
        self.gate, self.opened, self.closed = Event(), 0, 0
        self.limiter = ProcessLimiter(permits, 64 * MiB)
        self.trace = Trace(QUERIES)
        self.jobs = LocalJobs({"events": self.events}, DirectoryStore(folder / "jobs"), app="nowhere:jobs")
        self.flask = Flask("application")
        self.user = "ann"
        blueprint = trace_blueprint(
            self.trace, AdmissionPolicy(), self.limiter, self.jobs, principal or (lambda: self.user),
            enqueue=False, dialect=dialect or Dialect(), limits=Limits(**({"wait": 0.2} | limits)),
        )  # fmt: skip
        self.flask.register_blueprint(blueprint)

    @property
    def client(self) -> FlaskClient:
        return self.flask.test_client()

    def events(self, work: Work, profile: str, station: str = "") -> TraceReader:
        return self.trace.read(
            self.connect, work.keys, work.domains, max_bytes=work.max_bytes, on_failure=work.on_failure, batch_size=100
        )

    def connect(self) -> sqlite3.Connection:
        application = self

        class Counted(sqlite3.Connection):
            def close(self) -> None:
                application.closed += 1
                super().close()

        self.opened += 1
        con = sqlite3.connect(self.path, factory=Counted, check_same_thread=False)
        con.create_function("gate", 1, lambda n: 1 if n < 500 else self._pass())
        return con

    def _pass(self) -> int:
        """Wait for the gate, and return 1; after 10 s return 0, so that a test that waits in vain fails."""
        passed = self.gate.wait(10)
        self.gate.set()
        return int(passed)

    def post(self, domains: list[str], ids: list[Any] | None = None, **more: Any) -> Any:
        """Post a request, and return its response unread."""
        keys = [f"c{n:02d}" for n in range(30)] if ids is None else ids
        body = {"profile": "query_tool", "container_ids": keys, "domains": domains}
        return self.client.post("/api/trace/events", json=body, buffered=False, **more)

    def stream(self, domains: list[str], **more: Any) -> Any:
        return self.post(domains, headers={"Accept": NDJSON}, **more)


def pieces_of(response: Any) -> Iterator[bytes]:
    """Iterate over the pieces of the body."""
    yield from response.response
