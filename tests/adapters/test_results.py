"""An ordinary dashboard's five routes, in plain words, by either adapter."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mesbatch import Query, Trace
from mesbatch.adapters.http.options import Limits
from mesbatch.admission import ProcessLimiter, result_policy
from mesbatch.client import JobStream
from mesbatch.errors import CorruptChunk, InvalidJob
from mesbatch.jobs import LocalJobs, Work
from mesbatch.jobs.run import run_job
from mesbatch.keys.collect import flat
from mesbatch.sink.stream import ByteStream
from mesbatch.store import DirectoryStore
from mesbatch.units import MiB

DAYS = [f"2026-02-{day:02d}" for day in range(1, 11)]
QUERIES = {
    "orders": Query("select day, id, amount from orders where day >= :since", keyset=("day", "id")),
    "by_day": Query("select day, id, amount from orders where day in (:keys)"),
    "also_by_day": Query("select day, amount from orders where day in (:keys)"),
    "broken": Query("select secret_column from orders"),
    "broken_by_day": Query("select secret_column from orders where day in (:keys)"),
}
TRACE_WORDS = ("domain", "cid", "container", "profile", "stage", "CID_", "EVENTS_")


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


class Dashboard:
    """The application with one *adapter*; its jobs run when `run` is called."""

    def __init__(self, folder: Path, adapter: str, **options: Any) -> None:
        self.path = str(folder / "orders.sqlite")
        with sqlite3.connect(self.path) as con:
            con.execute("create table orders (day text, id int, amount real)")
            con.executemany("insert into orders values (?, ?, ?)", ((DAYS[n % 10], n, n / 2) for n in range(2_000)))
        con.close()
        self.adapter, self.user, self.listening = adapter, "ann", True
        self.seen: list[Any] = []
        self.jobs = LocalJobs({"results": self.results}, DirectoryStore(folder / "jobs"), app="nowhere:jobs")
        self.jobs.start = self.jobs.attend = lambda: None  # type: ignore[method-assign]  # `run` runs them
        arguments = (QUERIES, self.jobs, ProcessLimiter(4, 64 * MiB))
        if adapter == "flask":
            flask = pytest.importorskip("flask", reason="no web framework: flask is not installed")
            from mesbatch.adapters.flask import result_blueprint

            self.app = flask.Flask("orders")
            self.app.register_blueprint(result_blueprint(*arguments, lambda: self.user, **options))
        else:
            from mesbatch.adapters.asgi import result_app

            self.app = result_app(*arguments, lambda scope: self.user, url_prefix="/api", **options)

    def results(self, work: Work, since: str = "2026-02-01") -> Any:
        if work.keys is not None:
            self.seen += list(flat(work.keys))
        self.inputs = {name: work.inputs[name].read() for name in work.inputs}
        bound = {n: replace(q, params={"since": since}) if ":since" in q.sql else q for n, q in QUERIES.items()}
        return Trace(bound).read(
            lambda: sqlite3.connect(self.path, check_same_thread=False), work.keys, work.domains, after=work.after,
            max_bytes=work.max_bytes, on_failure=work.on_failure,
        )  # fmt: skip

    def post(self, body: Any, query: str = "", **headers: str) -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", f"/api/results{query}", data, **headers)

    def ask(self, method: str, url: str, data: bytes = b"", **headers: str) -> Response:
        named = {"content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        if self.adapter == "flask":
            found = self.app.test_client().open(url, method=method, data=data, headers=named)
            return Response(found.status_code, {k.lower(): v for k, v in found.headers.items()}, found.get_data())
        return asyncio.run(_call(self.app, method, url, data, named))

    def run(self, job_id: str) -> str:
        return run_job(self.jobs.store, job_id, self.jobs.functions, "worker")


async def _call(app: Any, method: str, url: str, data: bytes, headers: dict[str, str]) -> Response:
    path, _, query = url.partition("?")
    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(), "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()], "root_path": "",
    }  # fmt: skip
    came = [{"type": "http.request", "body": data, "more_body": False}]
    sent: list[Any] = []

    async def receive() -> Any:
        return came.pop() if came else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    found = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Response(sent[0]["status"], found, b"".join(one.get("body", b"") for one in sent[1:]))


@pytest.fixture(params=["flask", "asgi"])
def adapter(request) -> str:
    return request.param


@pytest.fixture
def dashboard(tmp_path, adapter) -> Dashboard:
    return Dashboard(tmp_path, adapter)


def speaks_plainly(response: Response) -> bool:
    told = (str(response.headers) + response.body.decode()).replace("orders where", "")
    return not [word for word in TRACE_WORDS if word in told]


def test_a_query_without_keys_is_read_now_without_an_envelope(dashboard):
    found = dashboard.post({"queries": ["orders"], "params": {"since": "2026-02-10"}})
    assert found.status == 200, found.body
    assert list(found.json) == ["results", "aggregation"]
    assert found.json["results"]["orders"]["count"] == 200
    assert found.json["results"]["orders"]["data"][0] == {"day": "2026-02-10", "id": 9, "amount": 4.5}
    assert speaks_plainly(found)


def test_several_queries_share_their_keys(dashboard):
    found = dashboard.post({"queries": ["by_day", "also_by_day"], "keys": DAYS[:2]})
    assert {name: one["count"] for name, one in found.json["results"].items()} == {"by_day": 400, "also_by_day": 400}


def test_the_stream_speaks_of_queries_and_keys(dashboard):
    found = dashboard.post({"queries": ["by_day"], "keys": DAYS[:3]}, accept="application/x-ndjson")
    meta, start, *records, end, complete = found.lines
    assert (meta["queries"], meta["key_count"]) == (["by_day"], 3)
    assert (start["type"], start["query"], end["type"], end["query"]) == (
        "query_start", "by_day", "query_end", "by_day"
    )  # fmt: skip
    assert {line["query"] for line in records} == {"by_day"}
    assert complete["queries"]["by_day"]["rows"] == 600 == complete["total_records"]
    assert speaks_plainly(found)


def test_csv_and_arrow_by_format_and_accept(dashboard):
    body = {"queries": ["orders"], "params": {"since": "2026-02-10"}}
    by_format, by_accept = dashboard.post(body, "?format=csv"), dashboard.post(body, accept="text/csv")
    assert by_format.body == by_accept.body
    assert len(by_format.body.splitlines()) == 201
    assert 'filename="orders.csv"' in by_format.headers["content-disposition"]
    pytest.importorskip("pyarrow", reason="no arrow library: pyarrow is not installed")
    import pyarrow.ipc

    table = pyarrow.ipc.open_stream(dashboard.post(body, "?format=arrow").body).read_all()
    assert (table.num_rows, table.column_names) == (200, ["day", "id", "amount"])
    several = dashboard.post({"queries": ["by_day", "also_by_day"], "keys": DAYS}, "?format=csv")
    assert (several.status, "2 queries are no table" in several.json["detail"]) == (400, True)


def test_a_job_without_keys_by_preference(dashboard):
    accepted = dashboard.post({"queries": ["orders"]}, prefer="respond-async")
    assert (accepted.status, accepted.headers["preference-applied"]) == (202, "respond-async")
    assert list(accepted.json) == ["async", "job_id", "status_url", "stream_url"]
    assert accepted.headers["location"] == accepted.json["status_url"] == f"/api/job/{accepted.json['job_id']}"
    job_id, url = accepted.json["job_id"], accepted.json["status_url"]
    waiting = dashboard.ask("GET", f"{url}/result")
    assert (waiting.status, waiting.json["code"]) == (409, "JOB_NOT_COMPLETE")
    assert dashboard.run(job_id) == "finished"
    status = dashboard.ask("GET", url)
    assert (status.json["status"], status.json["queries"], status.json["key_count"]) == ("finished", ["orders"], 0)
    assert status.json["progress"]["queries"]["orders"]["rows"] == 2_000
    page = dashboard.ask("GET", f"{url}/result?query=orders&offset=5&limit=3")
    assert list(page.json) == ["results", "aggregation"]
    assert (page.json["results"]["orders"]["count"], page.json["results"]["orders"]["total"]) == (3, 2_000)
    stream = dashboard.ask("GET", accepted.json["stream_url"])
    assert stream.lines[-1]["queries"]["orders"]["rows"] == 2_000
    assert dashboard.ask("GET", f"{url}/result?format=csv").body.count(b"\r\n") == 2_001
    unknown = dashboard.ask("GET", f"{url}/result?query=nothing")
    assert (unknown.status, unknown.json["code"]) == (400, "INVALID_PARAMS")
    assert all(map(speaks_plainly, (accepted, waiting, status, page, stream, unknown)))


def test_the_client_follows_the_plain_stream_of_a_job(dashboard):
    accepted = dashboard.post({"queries": ["orders"]}, prefer="respond-async").json
    assert dashboard.run(accepted["job_id"]) == "finished"
    body = dashboard.ask("GET", accepted["stream_url"]).body
    with JobStream(lambda first: ByteStream((line for line in body.splitlines()), None)) as stream:
        records = list(stream)
    assert {one.domain for one in records} == {"orders"}
    assert sum(len(one.rows) for one in records) == 2_000
    assert [column["name"] for column in stream.columns["orders"]] == ["day", "id", "amount"]
    other = body.replace(b'"id":7,', b'"id":8,')
    with pytest.raises(CorruptChunk):
        list(JobStream(lambda first: ByteStream((line for line in other.splitlines()), None)))


def test_a_job_is_cancelled_and_there_for_its_owner_only(dashboard):
    url = dashboard.post({"queries": ["orders"]}, prefer="respond-async").json["status_url"]
    dashboard.user = "bob"
    assert dashboard.ask("DELETE", url).status == dashboard.ask("GET", url).status == 404
    dashboard.user = "ann"
    cancelled = dashboard.ask("DELETE", url)
    assert (cancelled.status, cancelled.json["status"]) == (202, "cancelled")
    assert speaks_plainly(cancelled)


def test_many_keys_are_a_job_and_too_many_are_refused_in_plain_words(tmp_path, adapter):
    dashboard = Dashboard(tmp_path, adapter, policy=result_policy(cache_limit=1, async_threshold=2, key_limit=4))
    body = {"queries": ["by_day"], "keys": DAYS[:5]}
    accepted = dashboard.post(body)
    assert accepted.status == 202
    assert dashboard.run(accepted.json["job_id"]) == "finished"
    assert dashboard.ask("GET", accepted.json["status_url"]).json["key_count"] == 5
    (tmp_path / "2").mkdir()
    without = Dashboard(
        tmp_path / "2", adapter, policy=result_policy(cache_limit=1, async_threshold=2, key_limit=4), enqueue=False
    )
    refused = without.post(body)
    assert (refused.status, refused.json["code"]) == (413, "KEY_LIMIT_EXCEEDED")
    assert (refused.json["key_count"], refused.json["limit"]) == (5, 4)
    assert refused.json["type"] == "urn:mesbatch:problem:key-limit-exceeded"
    assert speaks_plainly(refused)
    assert without.post(body | {"keys": DAYS[:4]}, prefer="respond-async").status == 200  # nobody would run it


def test_keys_have_a_type(tmp_path, adapter):
    dashboard = Dashboard(tmp_path, adapter, key_type=date)
    dashboard.post({"queries": ["by_day"], "keys": DAYS[:2]})
    assert dashboard.seen == [date(2026, 2, 1), date(2026, 2, 2)]
    refused = dashboard.post({"queries": ["by_day"], "keys": ["no day"]})
    assert (refused.status, "keys is not what this route takes" in refused.json["detail"]) == (400, True)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"queries": ["nothing"]}, "unknown query 'nothing'"),
        ({"queries": []}, "queries is empty"),
        ({"queries": ["orders"], "keys": DAYS}, "keys do not fit"),
        ({"queries": ["by_day"]}, "keys do not fit"),
        ({"queries": ["by_day"], "keys": []}, "keys is empty"),
        ({"queries": ["by_day"], "keys": "2026"}, "keys must be an array"),
        ({"queries": ["orders"], "params": {"until": "x"}}, "params do not fit"),
        ({"queries": ["orders"], "param": {}}, "unknown field `param`"),
    ],
)
def test_what_does_not_fit_is_named(dashboard, body, detail):
    refused = dashboard.post(body)
    assert (refused.status, refused.json["code"]) == (400, "INVALID_PARAMS")
    assert detail in refused.json["detail"]


def test_a_failure_is_an_answer_of_the_only_query_and_a_name_beside_others(dashboard):
    alone = dashboard.post({"queries": ["broken"]})
    assert alone.status == 500
    assert b"secret" not in alone.body
    beside = dashboard.post({"queries": ["by_day", "broken_by_day"], "keys": DAYS[:1]})
    assert (beside.status, beside.json["code"]) == (200, "PARTIAL_FAILURE")
    assert (beside.json["failed_queries"], beside.json["results"]["by_day"]["count"]) == (["broken_by_day"], 200)
    assert beside.json["error"] == "one or more queries failed"
    stream = dashboard.post(
        {"queries": ["by_day", "broken_by_day"], "keys": DAYS[:1]}, accept="application/x-ndjson"
    ).lines
    (warning,) = [line for line in stream if line["type"] == "warning"]
    assert (warning["code"], warning["failed_queries"]) == ("PARTIAL_FAILURE", ["broken_by_day"])
    assert warning["failed_keys"][0]["query"] == "broken_by_day"


def test_members_become_inputs(tmp_path, adapter):
    dashboard = Dashboard(tmp_path, adapter, inputs=("lineage",))
    assert dashboard.post({"queries": ["orders"], "lineage": {"a": 1}}).status == 200
    assert json.loads(dashboard.inputs["lineage"]) == {"a": 1}
    (tmp_path / "2").mkdir()
    with pytest.raises(InvalidJob, match="'keys' is a member of its own"):
        Dashboard(tmp_path / "2", adapter, inputs=("keys",))


def test_a_body_is_limited_and_may_be_compressed(tmp_path, adapter):
    import gzip

    dashboard = Dashboard(tmp_path, adapter, limits=Limits(max_body=200))
    body = json.dumps({"queries": ["orders"], "params": {"since": "2026-02-10"}}).encode()
    assert dashboard.post(gzip.compress(body), content_encoding="gzip").json["results"]["orders"]["count"] == 200
    for data, headers in ((body + b" " * 200, {}), (gzip.compress(body + b" " * 200), {"content_encoding": "gzip"})):
        refused = dashboard.post(data, **headers)
        assert (refused.status, refused.json["code"]) == (413, "BODY_TOO_LARGE")


def test_other_methods_are_refused(dashboard):
    found = dashboard.ask("GET", "/api/results")
    assert (found.status, found.json["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert "POST" in found.headers["allow"]
