"""Members of a body that become inputs, and compressed bodies, through ASGI as through Flask."""

from __future__ import annotations

import asyncio
import gzip
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mesbatch import Query, Trace
from mesbatch.adapters.asgi import Limits, trace_app
from mesbatch.admission import AdmissionPolicy, ProcessLimiter
from mesbatch.admission.trace_table import trace_rules
from mesbatch.jobs import LocalJobs
from mesbatch.store import DirectoryStore
from mesbatch.store.inputs import StoredInputs, decode_handles
from mesbatch.units import MiB

LINEAGE = {f"c{n:02d}": [f"c{n + 1:02d}"] for n in range(30)}
BODY = {"profile": "query_tool", "container_ids": ["c00", "c01"], "domains": ["moves"], "lineage": LINEAGE}
PIECE = 1_000  # bytes of a message: a body comes in many


class Application:
    """A trace of SQLite with the input ``lineage``; with *enqueue* every request becomes a job, which is not run."""

    def __init__(self, folder: Path, *, enqueue: bool = False, **limits: Any) -> None:
        self.path = str(folder / "mes.sqlite")
        with sqlite3.connect(self.path) as con:
            con.execute("create table moves (cid text, n int)")
            con.executemany("insert into moves values (?, ?)", ((f"c{n % 30:02d}", n) for n in range(300)))
        con.close()
        self.seen: list[dict[str, bytes]] = []
        self.jobs = LocalJobs({"events": self.events}, DirectoryStore(folder / "jobs"), app="nowhere:jobs")
        self.jobs.start = self.jobs.attend = lambda: None  # type: ignore[method-assign]
        none = {"cache_limit": 0, "async_threshold": 0, "cid_limit": 0} if enqueue else {}
        self.app = trace_app(
            Trace({"moves": Query("select * from moves where cid in (:keys)")}), AdmissionPolicy(trace_rules(**none)),
            ProcessLimiter(2, 64 * MiB), self.jobs, lambda scope: "ann", inputs=("lineage",), enqueue=enqueue,
            limits=Limits(**limits),
        )  # fmt: skip

    def events(self, work: Any) -> Any:
        self.seen.append({name: work.inputs[name].read() for name in work.inputs})
        return Trace({"moves": Query("select * from moves where cid in (:keys)")}).read(
            lambda: sqlite3.connect(self.path, check_same_thread=False), work.keys, work.domains
        )

    def post(self, data: bytes, **headers: str) -> tuple[int, Any]:
        return asyncio.run(self._post(data, headers))

    async def _post(self, data: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        named = {"content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        scope = {
            "type": "http", "method": "POST", "path": "/events", "query_string": b"", "http_version": "1.1",
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        }  # fmt: skip
        pieces = [data[at : at + PIECE] for at in range(0, len(data), PIECE)] or [b""]
        messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        messages[-1]["more_body"] = False
        coming, sent = iter(messages), list[Any]()

        async def receive() -> Any:
            return next(coming, None) or await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:]))


@pytest.mark.parametrize("compressed", [False, True])
def test_members_are_inputs_of_a_read(tmp_path, compressed):
    application, body = Application(tmp_path), json.dumps(BODY).encode()
    status, found = (
        application.post(gzip.compress(body), content_encoding="gzip") if compressed else application.post(body)
    )
    assert (status, found["results"]["moves"]["count"]) == (200, 20)
    assert [json.loads(seen["lineage"]) for seen in application.seen] == [LINEAGE]


@pytest.mark.parametrize("compressed", [False, True])
def test_members_are_stored_with_a_job(tmp_path, compressed):
    application, body = Application(tmp_path, enqueue=True), json.dumps(BODY).encode()
    status, found = (
        application.post(gzip.compress(body), content_encoding="gzip") if compressed else application.post(body)
    )
    assert status == 202
    facts = application.jobs.store.facts(found["job_id"])
    assert dict(StoredInputs(application.jobs.store, decode_handles(facts["inputs"]))["lineage"].members()) == LINEAGE


def test_decompressed_bytes_are_limited(tmp_path):
    body = json.dumps(BODY).encode()
    application = Application(tmp_path, max_body=len(body))
    assert application.post(gzip.compress(body), content_encoding="gzip")[0] == 200
    for data, headers in ((body + b" ", {}), (gzip.compress(body + b" "), {"content_encoding": "gzip"})):
        status, found = application.post(data, **headers)
        assert (status, found["code"]) == (413, "BODY_TOO_LARGE")
        assert ("once it is decompressed" in found["error"]) is bool(headers)


@pytest.mark.parametrize(
    ("data", "encoding", "expected"),
    [
        (b"no gzip", "gzip", (400, "INVALID_PARAMS")),
        (gzip.compress(json.dumps(BODY).encode())[:-9], "gzip", (400, "INVALID_PARAMS")),
        (json.dumps(BODY).encode(), "br", (415, "UNSUPPORTED_MEDIA_TYPE")),
    ],
    ids=["other", "cut", "another encoding"],  # gzip writes the time, which would be in the test's own name
)
def test_a_body_that_cannot_be_decompressed_is_refused(tmp_path, data, encoding, expected):
    status, found = Application(tmp_path).post(data, content_encoding=encoding)
    assert (status, found["code"]) == expected
