"""Media types that clients ask for, errors of the application, and problems in an application's own routes."""

from __future__ import annotations

import json
from functools import partial

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")

from flask import Flask, Response, redirect, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, HTTPException, TooManyRequests, Unauthorized

from mesbatch import MiB, read_sql_iter
from mesbatch.adapters.flask import Dialect, problem, stream_ndjson
from mesbatch.admission import ProcessLimiter
from mesbatch.errors import MesbatchError
from tests.adapters.flask.application import Application

NDJSON = "application/x-ndjson"


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    return Application(tmp_path_factory.mktemp("answers"))


# -- media types


@pytest.mark.parametrize(
    ("accept", "mimetype"),
    [
        ("application/x-ndjson", NDJSON),
        ("application/ndjson", "application/ndjson"),
        ("application/jsonl", "application/jsonl"),
        ("application/jsonl; charset=utf-8", "application/jsonl"),
        ("application/x-ndjson;charset=UTF-8, application/json;q=0.5", NDJSON),
        ("application/x-ndjson;version=1;q=0.4, application/json;q=0.5", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        ("text/html, application/json;indent=2;q=0.9, */*;q=0.1", "application/json"),
        ("application/x-ndjson, */*", NDJSON),
        ("application/*", "application/json"),
        ("*/*", "application/json"),
        ("application/json;q=0, application/jsonl", "application/jsonl"),
    ],
)
def test_the_answer_has_the_type_that_the_client_asks_for(application, accept, mimetype):
    with application.post(["holds"], headers={"Accept": accept}) as answer:
        assert (answer.status_code, answer.mimetype) == (200, mimetype)
        last = answer.get_data().splitlines()[-1]
        assert ("type" in json.loads(last)) is (mimetype != "application/json")


def test_an_early_failure_of_a_stream_is_a_problem_under_any_name(tmp_path):
    application = Application(tmp_path)
    application.jobs.functions["events"] = lambda work, profile: application.trace.read(
        "sqlite:////nowhere/x.db", ["a"]
    )
    answer = application.post(["holds"], headers={"Accept": "application/jsonl"})
    assert (answer.status_code // 100, answer.mimetype) == (5, "application/problem+json")


# -- errors of the application


class Calm(HTTPException):
    code, description = 420, "enhance your calm"


def refusing(error: Exception):
    def principal() -> str:
        raise error

    return principal


@pytest.mark.parametrize(
    ("error", "status", "code", "detail", "headers"),
    [
        (TooManyRequests("too soon", retry_after=7), 429, "TOO_MANY_REQUESTS", "too soon", {"Retry-After": "7"}),
        (
            Unauthorized("log in first", www_authenticate=WWWAuthenticate("basic", {"realm": "mes"})),
            401, "UNAUTHORIZED", "log in first", {"WWW-Authenticate": "Basic realm=mes"},
        ),
        (Forbidden("not on Sundays"), 403, "FORBIDDEN", "not on Sundays", {}),
        (Calm(), 420, "UNKNOWN_ERROR", "enhance your calm", {}),
    ],
    ids=["429", "401", "403", "420"],
)  # fmt: skip
def test_an_error_of_the_principal_keeps_its_words_headers_and_code(tmp_path, error, status, code, detail, headers):
    application = Application(tmp_path, principal=refusing(error))
    answer = application.post(["holds"])
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert (answer.json["status"], answer.json["code"], answer.json["detail"]) == (status, code, detail)
    assert {name: answer.headers[name] for name in headers} == headers


@pytest.mark.parametrize(("made", "status"), [(lambda: Response("mine", 403), 403), (lambda: redirect("/login"), 302)])
def test_an_answer_that_the_principal_made_itself_is_sent_as_it_is(tmp_path, made, status):
    def principal():
        raise HTTPException(response=made())

    application = Application(tmp_path, principal=principal)
    answer = application.post(["holds"])
    assert (answer.status_code, answer.mimetype) == (status, "text/html")


# -- routes of an application's own


@pytest.fixture
def limiter():
    return ProcessLimiter(permits=1, max_bytes=64 * MiB)


def dashboard(application, limiter, dialect=None) -> Flask:
    app = Flask("dashboard")
    app.register_error_handler(MesbatchError, partial(problem, dialect=dialect) if dialect else problem)

    @app.post("/history")
    def history():
        reader = read_sql_iter(
            "select * from moves where cid in (:keys)", application.connect, keys=request.json["lots"]
        )
        return stream_ndjson(reader, permit=limiter.permit(8 * MiB, timeout=0.05))

    return app


def test_one_line_makes_a_busy_limiter_503_with_retry_after_in_routes_of_an_application(application, limiter):
    client = dashboard(application, limiter).test_client()
    with limiter.permit(8 * MiB):
        busy = client.post("/history", json={"lots": ["c01"]})
    assert (busy.status_code, busy.mimetype, busy.json["code"]) == (503, "application/problem+json", "BUSY")
    assert int(busy.headers["Retry-After"]) >= 5
    with client.post("/history", json={"lots": ["c01"]}) as answer:
        assert answer.status_code == 200


@pytest.mark.parametrize("lots", [[""], ["a\0"], ["x", 5], [None], "abc"], ids=repr)
def test_keys_that_cannot_be_are_400_in_routes_of_an_application(application, limiter, lots):
    answer = dashboard(application, limiter).test_client().post("/history", json={"lots": lots})
    assert (answer.status_code, answer.json["code"]) == (400, "INVALID_PARAMS")
    assert limiter.in_flight.permits == 0


def test_an_application_with_a_dialect_has_its_own_errors_in_its_own_routes(application, limiter):
    dialect = Dialect(envelope=lambda found: {"why": found["code"]})
    answer = dashboard(application, limiter, dialect).test_client().post("/history", json={"lots": [""]})
    assert (answer.status_code, answer.json) == (400, {"why": "INVALID_PARAMS"})
