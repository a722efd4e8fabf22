"""Routes while Redis does not answer: those without need of it go on, and the others tell clients to come back."""

from __future__ import annotations

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")
pytest.importorskip("rq", reason="rq is not installed")

from flask import Flask

from mesbatch import settings
from mesbatch.adapters.flask import trace_blueprint
from mesbatch.settings import Settings
from tests.adapters.flask.application import Application

AWAY = {"TRACE_WORKER_ENABLED": "true", "REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"}


@pytest.fixture
def client(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "REDIS_PATIENCE_SECONDS", 0.1)
    application, found = Application(tmp_path), Settings.from_env(AWAY)
    app = Flask("away")
    with found.jobs({"events": application.events}, app="nowhere:jobs", directory=tmp_path) as jobs, jobs.store:
        app.register_blueprint(
            trace_blueprint(application.trace, found.policy(), application.limiter, jobs, lambda: "ann")
        )
        yield app.test_client()


def events(client, count: int, profile: str = "query_tool"):
    ids = [f"c{number:02d}" for number in range(count)]
    return client.post("/api/trace/events", json={"profile": profile, "container_ids": ids, "domains": ["holds"]})


def test_a_small_request_is_read_now(client):
    assert events(client, 30).json["results"]["holds"]["count"] == 2


def test_a_large_one_is_decided_as_without_a_worker(client):
    assert events(client, 50_001).json["code"] == "CID_LIMIT_EXCEEDED"
    for count, profile in ((30_000, "query_tool"), (50_001, "mid_section_defect")):
        with events(client, count, profile) as response:
            assert response.status_code == 200


@pytest.mark.parametrize("part", ["", "/result", "/stream"])
def test_a_job_that_nobody_can_look_for_is_asked_for_later(client, part):
    response = client.get(f"/api/trace/job/{'0' * 32}{part}")
    assert (response.status_code, response.json["code"]) == (503, "STORE_UNAVAILABLE")
    assert int(response.headers["Retry-After"]) >= 5
    assert "hunter2" not in response.text
