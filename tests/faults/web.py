"""Scenarios: the routes of the Flask adapter, the clients of a job, and permits.

Another adapter is a class beside `Live`, whose `ask` gives the status and the pieces of an answer.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mesbatch import Query, Trace
from mesbatch.admission import AdmissionPolicy, MachineLimiter
from mesbatch.client import JobClient, follow_store
from mesbatch.client.stream import JobStream
from mesbatch.errors import LimiterBusy, MesbatchError
from mesbatch.jobs.run import run_job
from mesbatch.store import DirectoryStore
from mesbatch.units import MiB
from tests.client.web import Web
from tests.faults.jobs import BATCH_SIZE, DOMAINS, KEYS, MOVES, TRUTH, Waiting
from tests.faults.scenario import Scenario
from tests.jobs import test_run
from tests.jobs.rig import until

NDJSON = "application/x-ndjson"
TRACE = Trace({domain: Query(f"select * from {domain} where cid in (:keys)") for domain in DOMAINS})
LEASE_SECONDS = 0.5  # of a permit in Redis


class Refused(MesbatchError):
    """An answer whose status says that there are no rows."""


def rows_of_lines(lines: list[Any]) -> dict[str, Counter[Any]]:
    """Give the rows of a stream whose last line says that it is whole."""
    assert lines, "an answer without a line"
    found: dict[str, Counter[Any]] = {domain: Counter() for domain in DOMAINS}
    for line in lines:
        if line["type"] == "records":
            found[line["domain"]].update(tuple(row.values()) for row in line["data"])
    for domain, rows in found.items():
        assert not rows - TRUTH[domain], "a row that is none, or came twice"
    last = lines[-1]
    assert [line["type"] for line in lines].count(last["type"]) == 1
    if last["type"] == "error":
        raise Refused(last["message"])
    if any(line["type"] == "warning" for line in lines):
        raise Refused("some domains failed")
    assert last["type"] == "complete"
    assert last["total_records"] == sum(rows.total() for rows in found.values())
    return found


class Application(Scenario):
    """An application of Flask with a database, a limiter of the machine, and a finished job in a directory."""

    truth: Any = TRUTH

    @contextmanager
    def opened(self, folder: Path, fixture: Callable[[str], Any]) -> Iterator[None]:
        flask = pytest.importorskip("flask", reason="no web framework: flask is not installed")
        from mesbatch.adapters.flask import Limits, trace_blueprint

        patch = fixture("monkeypatch").setattr
        patch("mesbatch.jobs.heart.LOOK_SECONDS", 60)
        patch("mesbatch.client.stream.FIRST_PAUSE", 0.001)
        patch("mesbatch.client.stream.LONGEST_PAUSE", 0.01)
        self.folder, self.path = folder, str(folder / "t.db")
        with closing(sqlite3.connect(self.path)) as con, con:
            for domain in DOMAINS:
                con.execute(f"create table {domain} (cid text, n int)")
                con.executemany(f"insert into {domain} values (?, ?)", TRUTH[domain].elements())
        self.store = DirectoryStore(folder / "jobs", lease_seconds=60)
        with (
            Waiting({"events": self.events}, self.store, app="nowhere:jobs") as self.jobs,
            closing(MachineLimiter(folder / "permits", 2, 64 * MiB)) as self.limiter,
        ):
            self.job_id = test_run.submitted(self.store, self.path, KEYS, domains=DOMAINS, batch_size=BATCH_SIZE)
            assert run_job(self.store, self.job_id, {"read": test_run.read}, "worker") == "finished"
            app = flask.Flask("faults")
            app.register_blueprint(
                trace_blueprint(
                    TRACE, AdmissionPolicy(), self.limiter, self.jobs, lambda: "ann", enqueue=False,
                    limits=Limits(wait=0.05),
                )
            )  # fmt: skip
            self.client = app.test_client()
            yield

    def events(self, work: Any) -> Any:
        """Read as the application does, now or in a worker."""
        return TRACE.read(
            lambda: sqlite3.connect(self.path, check_same_thread=False), work.keys, work.domains,
            max_bytes=work.max_bytes, on_failure=work.on_failure, batch_size=7,
        )  # fmt: skip

    def left(self) -> list[str]:
        permits = self.limiter.in_flight.permits
        return [f"{permits} permits"] if permits else []

    def ask(self, method: str, path: str, body: Any = None, accept: str = "application/json") -> bytes:
        """Ask the application, and read the answer to its end; raises where there is none."""
        with closing(
            self.client.open(f"/api/trace/{path}", method=method, json=body, headers={"Accept": accept}, buffered=False)
        ) as response:
            data = b"".join(response.response)
            if response.status_code != 200:
                assert response.status_code >= 400
                raise Refused(f"{response.status_code} {data[:200]!r}")
            return data


class Client(Application):
    """A client that follows a job over HTTP; the server is in the same process, and fails as well."""

    forks = False  # most of its operations are the server's
    name = "a client of a job over HTTP"

    @contextmanager
    def opened(self, folder: Path, fixture: Callable[[str], Any]) -> Iterator[None]:
        with super().opened(folder, fixture), Web(self.jobs) as self.web:
            self.web._server.handle_error = lambda *_: None  # type: ignore[attr-defined, method-assign]
            yield

    def act(self) -> Any:
        return self.followed(JobClient(self.web.url, timeout=5.0).follow(self.job_id, patience=0.05))

    def followed(self, stream: JobStream) -> Any:
        found: dict[str, Counter[Any]] = {domain: Counter() for domain in DOMAINS}
        with stream:
            for records in stream:
                found[records.domain].update(tuple(row.values()) for row in records.rows)
                assert not found[records.domain] - TRUTH[records.domain], "a row came twice"
        assert stream.aggregation is not None
        assert stream.aggregation["total"] == sum(n for _, n in MOVES)
        return found


class StoreClient(Client):
    """A client that follows a job in its store."""

    forks = True
    name = "a client of a job in its store"

    def act(self) -> Any:
        return self.followed(follow_store(self.store, self.job_id))


class Stored(Application):
    """The stream of a finished job."""

    name = "the stream of a job by Flask"

    def act(self) -> Any:
        data = self.ask("GET", f"job/{self.job_id}/stream", accept=NDJSON)
        return rows_of_lines([json.loads(line) for line in data.splitlines()])


class Page(Application):
    """The whole result of a finished job, as one JSON body."""

    name = "the result of a job by Flask"

    def act(self) -> Any:
        try:
            results = json.loads(self.ask("GET", f"job/{self.job_id}/result"))["results"]
        except ValueError as error:
            raise Refused(f"the body was cut: {error}") from error
        return {domain: Counter(tuple(row.values()) for row in results[domain]["data"]) for domain in DOMAINS}


class Live(Application):
    """Events that are read at once, as lines."""

    name = "events as lines by Flask"
    accept = NDJSON

    def act(self) -> Any:
        body = {"profile": "query_tool", "container_ids": KEYS, "domains": list(DOMAINS)}
        return self.rows(self.ask("POST", "events", body, self.accept))

    def rows(self, data: bytes) -> Any:
        return rows_of_lines([json.loads(line) for line in data.splitlines()])


class LiveJson(Live):
    """Events that are read at once, as one JSON body."""

    name = "events as a body by Flask"
    accept = "application/json"

    def rows(self, data: bytes) -> Any:
        try:
            answer = json.loads(data)
        except ValueError as error:
            raise Refused(f"the body was cut: {error}") from error
        if answer.get("error"):
            raise Refused(answer["error"])
        results = answer["results"]
        return {domain: Counter(tuple(row.values()) for row in results[domain]["data"]) for domain in DOMAINS}


class MachinePermits(Scenario):
    """Permits of all processes of a machine: two at most, and a third caller is told to wait."""

    name = "permits of the machine"
    truth: Any = ("one", "two", "busy")

    def begin(self, folder: Path) -> None:
        self.limiter: Any = MachineLimiter(folder / "permits", 2, 64 * MiB)

    def act(self) -> Any:
        came = []
        with self.limiter.permit(1, timeout=1.0):
            came.append("one")
            with self.limiter.permit(1, timeout=1.0):
                came.append("two")
                try:
                    with self.limiter.permit(1, timeout=0.01):
                        came.append("three")
                except LimiterBusy:
                    came.append("busy")
        return tuple(came)

    def left(self) -> list[str]:
        if self.limiter is None:
            return []
        found = self.limiter.in_flight
        return [f"{found.permits} permits, {found.waiting} wait"] if found.permits or found.waiting else []

    def again(self) -> Any:
        until(lambda: not self.left(), 2 * LEASE_SECONDS, "the end of a permit that nobody holds")
        return self.act()

    def end(self) -> None:
        self.limiter.close()
        self.limiter = None


class RedisPermits(MachinePermits):
    """Permits of all machines."""

    name = "permits in Redis"

    @contextmanager
    def opened(self, folder: Path, fixture: Callable[[str], Any]) -> Iterator[None]:
        pytest.importorskip("redis", reason="no redis client: redis is not installed")
        self.folder, self.url = folder, fixture("valkey_server").url
        yield

    def begin(self, folder: Path) -> None:
        from mesbatch.admission.redis import RedisLimiter

        self.limiter = RedisLimiter(self.url, f"faults-{uuid.uuid4().hex}", 2, 64 * MiB, lease=LEASE_SECONDS)


SCENARIOS = [Client, StoreClient, Stored, Page, Live, LiveJson, MachinePermits, RedisPermits]
