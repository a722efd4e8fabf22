"""Wrong requests: each gets a problem with a stable type, never HTML, a traceback or SQL."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")

from tests.adapters.flask.application import Application

JOB = "0" * 32
GOOD = {"profile": "query_tool", "container_ids": ["c01"], "domains": ["holds"]}


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    return Application(tmp_path_factory.mktemp("bad"), max_body=1_000)


def check(response, status: int, code: str) -> None:
    assert response.status_code == status, response.data
    assert response.mimetype == "application/problem+json"
    problem = response.get_json()
    assert problem["type"] == f"urn:mesbatch:problem:{code.lower().replace('_', '-')}"
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["error"] == problem["detail"]
    text = response.get_data(as_text=True).lower()
    for forbidden in ("<html", "<!doctype", "traceback", "select ", "secret", ".py"):
        assert forbidden not in text


def post(application, body: bytes, kind: str | None = "application/json"):
    return application.client.post("/api/trace/events", data=body, content_type=kind)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"<html>",
        {**GOOD, "profile": 5},
        {**GOOD, "container_ids": "c01"},
        {**GOOD, "container_ids": []},
        {**GOOD, "container_ids": [None]},
        {**GOOD, "container_ids": [1.5]},
        {**GOOD, "container_ids": [True]},
        {**GOOD, "container_ids": ["c01", 1]},
        {**GOOD, "container_ids": [["c01"]]},
        {**GOOD, "container_ids": [""]},
        {**GOOD, "container_ids": ["a\0b"]},
        {**GOOD, "domains": []},
        {**GOOD, "domains": ["holds", "nothing"]},
        {**GOOD, "domains": ["holds'; drop table holds; --"]},
        {**GOOD, "domains": "holds"},
        {**GOOD, "params": []},
        {**GOOD, "params": {"unknown": 1}},
        {**GOOD, "params": {"station": 1}},
        {**GOOD, "params": {"work": 1}},
        {**GOOD, "params": {"profile": "mid_section_defect"}},
        {"profile": "query_tool"},
        {"container_ids": ["c01"], "domains": ["holds"]},
    ],
    ids=repr,
)
def test_a_body_that_is_not_one_of_ours_is_400(application, body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    check(post(application, data), 400, "INVALID_PARAMS")


def test_half_a_surrogate_pair_is_400(application):
    body = json.dumps(GOOD).encode().replace(b"c01", b"\\ud800")
    check(post(application, body), 400, "INVALID_PARAMS")


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_body_that_is_not_said_to_be_json_starts_nothing(application, kind):
    """These are the types that a page of another site can send without asking."""
    opened = application.opened
    check(post(application, json.dumps(GOOD).encode(), kind), 415, "UNSUPPORTED_MEDIA_TYPE")
    assert application.opened == opened


def test_json_may_have_a_charset(application):
    with post(application, json.dumps(GOOD).encode(), "Application/JSON; charset=utf-8") as answer:
        assert answer.status_code == 200


@pytest.mark.parametrize("member", ["params", "container_ids", "unknown"])
def test_deeply_nested_json_is_400(tmp_path, member):
    deep = b'{"x":' * 20_000 + b"1" + b"}" * 20_000
    body = json.dumps(GOOD | {member: None}).encode().replace(b"null", deep)
    check(post(Application(tmp_path), body), 400, "INVALID_PARAMS")


@pytest.mark.parametrize("path", ["/events", f"/job/{JOB}", f"/job/{JOB}/result", f"/job/{JOB}/stream"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_method_that_a_route_does_not_take_is_405_and_says_which_it_takes(application, path, method):
    allowed = {"/events": ["POST"], f"/job/{JOB}": ["GET", "DELETE"]}.get(path, ["GET"])
    if method not in allowed:
        response = application.client.open(f"/api/trace{path}", method=method)
        check(response, 405, "METHOD_NOT_ALLOWED")
        assert set(response.headers["Allow"].split(", ")) == {*allowed, "OPTIONS"}
    options = application.client.options(f"/api/trace{path}")
    assert (options.status_code, options.data) == (200, b"")
    assert set(options.headers["Allow"].split(", ")) == {*allowed, "OPTIONS"}


def test_an_unknown_profile_is_400(application):
    check(application.client.post("/api/trace/events", json={**GOOD, "profile": "x"}), 400, "INVALID_PROFILE")


def test_a_body_above_the_limit_is_not_parsed(application):
    body = b'{"container_ids": [' + b" " * 2_000
    check(post(application, body), 413, "BODY_TOO_LARGE")


def test_a_body_without_a_length_is_counted_as_it_comes(application):
    from io import BytesIO

    response = application.client.post(
        "/api/trace/events",
        input_stream=BytesIO(b" " * 5_000),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )
    check(response, 413, "BODY_TOO_LARGE")


def test_too_many_ids_without_a_worker_are_413_with_the_figures(tmp_path):
    application = Application(tmp_path)
    response = application.post(["holds"], ids=[f"x{n}" for n in range(50_001)])
    check(response, 413, "CID_LIMIT_EXCEEDED")
    assert (response.json["cid_count"], response.json["limit"]) == (50_001, 50_000)
    assert "Retry-After" not in response.headers


def test_the_profile_that_must_be_complete_is_never_refused_for_its_size(tmp_path):
    application = Application(tmp_path)
    body = {"profile": "mid_section_defect", "container_ids": [f"x{n}" for n in range(50_001)], "domains": ["holds"]}
    with application.client.post("/api/trace/events", json=body) as response:
        assert response.status_code == 200
        assert "streamed" in response.headers["X-Mesbatch-Warning"]


@pytest.mark.parametrize("accept", ["text/html", "image/png", "application/xml;q=0.5", "application/json;q=0"])
@pytest.mark.parametrize("path", ["/events", f"/job/{JOB}", f"/job/{JOB}/result", f"/job/{JOB}/stream"])
def test_a_media_type_that_is_not_served_is_406(application, accept, path):
    ask = application.client.post if path == "/events" else application.client.get
    more = {"json": GOOD} if path == "/events" else {}
    check(ask(f"/api/trace{path}", headers={"Accept": accept}, **more), 406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize("shape", ["", "columns", "arrays"])
def test_a_shape_that_is_not_served_is_400(application, shape):
    check(application.client.post(f"/api/trace/events?shape={shape}", json=GOOD), 400, "INVALID_PARAMS")


@pytest.mark.parametrize("query", ["offset=-1", "limit=-1", "offset=x", "limit=1.5", "offset=", f"limit={'9' * 400}"])
def test_a_page_that_cannot_be_is_400(application, query):
    check(application.client.get(f"/api/trace/job/{JOB}/result?{query}"), 400, "INVALID_PARAMS")


@pytest.mark.parametrize("query", ["from=-1", "from=x", "from=²"])
def test_a_place_in_a_stream_that_cannot_be_is_400(application, query):
    check(application.client.get(f"/api/trace/job/{JOB}/stream?{query}"), 400, "INVALID_PARAMS")


@pytest.mark.parametrize("job_id", [JOB, "x", "..%2f..%2fetc", "a" * 300, "'; drop table jobs", "%00", "*"])
@pytest.mark.parametrize("part", ["", "/result", "/stream"])
def test_a_job_that_is_not_there_is_404(application, job_id, part):
    check(application.client.get(f"/api/trace/job/{job_id}{part}"), 404, "JOB_NOT_FOUND")


def test_a_job_that_is_not_there_cannot_be_cancelled(application):
    check(application.client.delete(f"/api/trace/job/{JOB}"), 404, "JOB_NOT_FOUND")


@pytest.mark.parametrize("path", ["/events", f"/job/{JOB}"])
def test_without_a_user_nothing_is_done(tmp_path, path):
    application = Application(tmp_path)
    application.user = ""
    ask = application.client.post if path == "/events" else application.client.get
    check(ask(f"/api/trace{path}", **({"json": GOOD} if path == "/events" else {})), 401, "NO_PRINCIPAL")


def test_a_page_beyond_the_end_and_a_result_that_is_gone(tmp_path):
    from mesbatch.store import ResultWriter, new_job_id

    application = Application(tmp_path)
    store, job_id = application.jobs.store, new_job_id()
    store.create(job_id, {"status": "started", "owner": "ann"})
    writer = ResultWriter(store, store.acquire(job_id, "me"))
    check(application.client.get(f"/api/trace/job/{job_id}/result"), 409, "JOB_NOT_COMPLETE")
    writer.start("holds", [{"name": "ID"}])
    writer.publish("holds", b'[{"ID":1}]', rows=1, last_key=1)
    writer.end("holds")
    store.change(job_id, {"status": "finished"})
    check(application.client.get(f"/api/trace/job/{job_id}/result"), 404, "JOB_RESULT_EXPIRED")
    check(application.client.get(f"/api/trace/job/{job_id}/stream"), 404, "JOB_RESULT_EXPIRED")


def test_an_error_of_the_application_is_a_problem_without_its_words(tmp_path, caplog):
    application = Application(tmp_path)

    def fails(work, profile: str):
        raise RuntimeError("select secret from everything")

    application.jobs.functions["events"] = fails
    check(application.post(["holds"]), 500, "RUNTIME_ERROR")
    assert "select secret" in caplog.text
    assert application.limiter.in_flight.permits == 0
