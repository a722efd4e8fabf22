"""One callable in every framework: mounted or returned, it gives the same answers, and everything back."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
pytest.importorskip("uvicorn", reason="no web server: uvicorn is not installed")

from tests.adapters.test_faults import NDJSON, active, permits, store_result
from tests.rig.site import Setting
from tests.rig.until import until
from tests.rig.uvicorn import uvicorn

MODULE = "tests.adapters.asgi.frameworks"


@pytest.fixture(scope="module", params=["bare", "starlette", "fastapi", "litestar", "quart", "django"])
def served(request, lots_database, tmp_path_factory):
    if request.param != "bare":
        pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    directory: Path = tmp_path_factory.mktemp(request.param)
    setting = Setting(lots_database, directory)
    with uvicorn(setting, f"{MODULE}:{request.param}", subprocess.Popen, "--factory") as site:
        yield SimpleNamespace(site=site, directory=directory, database=lots_database, framework=request.param)


def test_the_routes_are_mounted(served):
    answer = served.site.events(["lot0001", "lot0002"], ["odd"])
    assert (answer.status, answer.json["results"]["odd"]["count"]) == (200, 2)
    lines = served.site.events(["lot0001"], ["rows"], Accept=NDJSON).lines
    assert (lines[0]["type"], lines[-1]["type"], lines[-1]["total_records"]) == ("meta", "complete", 300)
    refused = served.site.events(["lot0001"], ["nothing"])
    assert (refused.status, refused.json["code"]) == (400, "INVALID_PARAMS")
    assert refused.headers["Content-Type"] == "application/problem+json"


def test_users_methods_and_paths_are_checked_as_in_flask(served):
    assert served.site.ask("POST", "/api/trace/events", {}, X_User="").json["code"] == "NO_PRINCIPAL"
    wrong = served.site.ask("GET", "/api/trace/events")
    assert (wrong.status, wrong.json["code"], "POST" in wrong.headers["Allow"]) == (405, "METHOD_NOT_ALLOWED", True)
    options = served.site.ask("OPTIONS", "/api/trace/job/x")
    assert (options.status, options.headers["Allow"]) == (200, "GET, DELETE, HEAD, OPTIONS")
    assert served.site.get("/nothing/here").json["code"] == "NOT_FOUND"
    assert served.site.get("/job/a/b/c").json["code"] == "JOB_NOT_FOUND"
    text = served.site.ask("POST", "/api/trace/events", b"{}", Content_Type="text/plain")
    assert (text.status, text.json["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_stored_result_has_pages_a_stream_and_an_etag(served):
    job_id = store_result(served.directory, 3)
    page = served.site.get(f"/job/{job_id}/result?domain=rows&offset=999&limit=2")
    assert [row["ID"] for row in page.json["results"]["rows"]["data"]] == [999, 1000]
    assert int(page.headers.get("Content-Length", 0)) in {0, len(page.body)}
    stream = served.site.get(f"/job/{job_id}/stream", Accept_Encoding="gzip")
    assert stream.lines[-1]["total_records"] == 3_000
    again = served.site.get(f"/job/{job_id}/stream", If_None_Match=stream.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    head = served.site.ask("HEAD", f"/api/trace/job/{job_id}/stream")
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", stream.headers["ETag"])


def test_a_view_returns_a_stream(served):
    answer = served.site.ask("GET", "/rows/odd", Accept_Encoding="gzip")
    assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip")
    assert (answer.lines[-1]["type"], answer.lines[-1]["total_records"]) == ("complete", 5)
    until(lambda: permits(served.directory) == 0)


@pytest.mark.parametrize("path", ["/rows/silent", "/rows/rows"])
def test_a_client_that_leaves_a_view_gives_everything_back_within_a_second(served, path):
    connection, response = served.site.open("GET", path, timeout=20)
    assert json.loads(response.readline())["type"] == "meta"
    until(lambda: permits(served.directory) == 1 and active(served.database) == 1)
    response.close()
    connection.close()
    left = time.monotonic()
    until(lambda: permits(served.directory) == 0 and active(served.database) == 0)
    assert time.monotonic() - left < 1


def test_a_silent_query_holds_up_no_other_route(served):
    connection, response = served.site.open("GET", "/rows/silent", timeout=20)
    waits = []
    for _ in range(50):
        begun = time.monotonic()
        assert served.site.get("/job/" + "f" * 32).status == 404
        waits.append(time.monotonic() - begun)
    response.close()
    connection.close()
    assert sorted(waits)[-3] < 0.25
    until(lambda: permits(served.directory) == 0)
