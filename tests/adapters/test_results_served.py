"""The routes of results behind gunicorn and uvicorn, before PostgreSQL: typed keys, now and in a job."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from mesbatch.jobs.run import run_job
from mesbatch.store import DirectoryStore, KeyList, read_keys
from tests.adapters.served import Service

DAYS = ["0001-01-01", "2026-02-25", "2026-02-26"]
BODY = {"queries": ["by_day"], "keys": DAYS}


def ask(served, method, path, body=None, **headers):
    return served.site.ask(method, f"/api/plain{path}", body, **headers)


def test_dates_are_keys_of_a_read(served):
    found = ask(served, "POST", "/results", BODY)
    assert found.status == 200, found.body
    rows = found.json["results"]["by_day"]["data"]
    assert [(row["day"], row["lot"]) for row in rows] == [("0001-01-01", "lot0003"), ("2026-02-25", "lot0001")]
    table = ask(served, "POST", "/results?format=csv", BODY).body.decode().splitlines()
    assert [line.split(",")[0] for line in table] == ["day", "0001-01-01", "2026-02-25"]


def test_dates_are_keys_of_a_job_and_a_double_click_is_one_job(served):
    first, second = (ask(served, "POST", "/results", BODY, prefer="respond-async") for _ in range(2))
    assert (first.status, first.json) == (202, second.json)
    job_id = first.json["job_id"]
    assert first.json["status_url"] == f"/api/plain/job/{job_id}"
    store = DirectoryStore(served.directory / "jobs")
    stored = msgspec.json.decode(store.facts(job_id)["keys"], type=KeyList)
    assert list(read_keys(store, stored)) == list(map(date.fromisoformat, DAYS))
    functions = Service(served.database, served.directory).jobs.functions
    assert run_job(store, job_id, functions, "worker") == "finished"
    status = ask(served, "GET", f"/job/{job_id}").json
    assert (status["status"], status["queries"], status["key_count"]) == ("finished", ["by_day"], 3)
    page = ask(served, "GET", f"/job/{job_id}/result?query=by_day&offset=1&limit=1").json
    assert [row["lot"] for row in page["results"]["by_day"]["data"]] == ["lot0001"]
    assert ask(served, "GET", f"/job/{job_id}/stream").lines[-1]["queries"]["by_day"]["rows"] == 2
    assert ask(served, "POST", "/results", BODY, prefer="respond-async").json["job_id"] != job_id


@pytest.mark.parametrize("keys", [["25.2.2026"], [20260225], "2026-02-25"])
def test_what_is_no_date_is_refused(served, keys):
    found = ask(served, "POST", "/results", {"queries": ["by_day"], "keys": keys})
    assert (found.status, found.json["code"]) == (400, "INVALID_PARAMS")
