"""Answers without rows, each in a route that was there before."""

from __future__ import annotations

import sqlite3

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")

from flask import Flask, Response

from mesbatch import read_sql_iter
from mesbatch.adapters.flask import Dialect, job_started, page, problem, rejected, stream_arrow, stream_job
from mesbatch.admission import Reject
from mesbatch.errors import DatabaseBusy, DatabaseTimeout, LimiterBusy, StatementError
from mesbatch.jobs.job import read_job
from mesbatch.store import DirectoryStore, ResultReader, ResultWriter, new_job_id


def answer(make, root: str = "") -> Response:
    """Ask a route below *root* whose view is *make*."""
    app = Flask("alone")
    app.add_url_rule("/", view_func=make)
    return app.test_client().get("/", base_url=f"http://host{root}")


def test_a_job_that_was_started_says_where_it_is():
    job = read_job("f" * 32, {"status": "queued"})
    found = answer(lambda: job_started(job, prefix="/traces"), "/mes")
    assert found.status_code == 202
    assert found.headers["Location"] == f"/mes/traces/job/{'f' * 32}"
    assert int(found.headers["Retry-After"]) >= 1
    assert found.json == {
        "stage": "events", "async": True, "job_id": "f" * 32,
        "status_url": f"/mes/traces/job/{'f' * 32}", "stream_url": f"/mes/traces/job/{'f' * 32}/stream",
    }  # fmt: skip


def test_a_refusal_for_now_says_when_to_come_back_and_not_to_all_the_same():
    waits = {int(answer(lambda: rejected(Reject("busy", retry_after=50.0))).headers["Retry-After"]) for _ in range(20)}
    assert min(waits) >= 50
    assert max(waits) <= 100
    assert len(waits) > 1


def test_a_refusal_for_ever_has_its_figures():
    found = answer(lambda: rejected(Reject("too many", key_count=9, limit=5)))
    assert (found.status_code, found.mimetype) == (413, "application/problem+json")
    assert (found.json["cid_count"], found.json["limit"], found.json["code"]) == (9, 5, "CID_LIMIT_EXCEEDED")
    assert "Retry-After" not in found.headers


@pytest.mark.parametrize(
    ("error", "status", "code", "again"),
    [
        (DatabaseBusy("no connection"), 503, "DATABASE_BUSY", True),
        (LimiterBusy("no permit", 7.0), 503, "BUSY", True),
        (DatabaseTimeout("60 s"), 504, "DATABASE_TIMEOUT", False),
        (StatementError("select secret"), 500, "STATEMENT_ERROR", False),
        (KeyError("secret"), 500, "KEY_ERROR", False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_a_problem_that_tells_no_sql(error, status, code, again):
    found = answer(lambda: problem(error))
    assert (found.status_code, found.json["code"]) == (status, code)
    assert ("Retry-After" in found.headers) is again
    assert "secret" not in found.text


def test_an_envelope_gets_the_members_of_the_problem():
    dialect = Dialect(envelope=sorted)
    found = answer(lambda: rejected(Reject("no"), dialect=dialect))
    assert (found.mimetype, found.json) == (
        "application/json", ["code", "detail", "error", "status", "title", "type"],
    )  # fmt: skip


def test_a_page_and_a_stream_need_only_a_store(tmp_path):
    store, job_id = DirectoryStore(tmp_path), new_job_id()
    store.create(job_id, {"status": "started"})
    writer = ResultWriter(store, store.acquire(job_id, "me"))
    writer.start("holds", [{"name": "ID"}])
    writer.publish("holds", b'[{"ID":1},{"ID":2}]', rows=2, last_key=2)
    writer.end("holds")
    writer.finish()
    found = answer(lambda: page(ResultReader(store, job_id), domain="holds", offset=1))
    assert found.json["results"] == {"holds": {"data": [{"ID": 2}], "count": 1, "total": 2}}
    lines = answer(lambda: stream_job(store, job_id)).text.splitlines()
    assert len(lines) == 5
    assert '"complete"' in lines[-1]


def test_an_arrow_table_without_rows_has_its_columns():
    ipc = pytest.importorskip("pyarrow.ipc", reason="no arrow library: pyarrow is not installed")
    found = answer(
        lambda: stream_arrow(read_sql_iter("select 1 as n, 'a' as lot where 0", lambda: sqlite3.connect(":memory:")))
    )
    assert ipc.open_stream(found.data).read_all().column_names == ["n", "lot"]
