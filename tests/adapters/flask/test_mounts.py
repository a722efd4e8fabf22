"""Routes that are mounted anywhere: each 202 points to where its job is."""

from __future__ import annotations

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")

from flask import Blueprint, Flask, g
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from mesbatch.adapters.flask import job_routes, job_started, trace_blueprint
from mesbatch.admission import AdmissionPolicy
from mesbatch.jobs import LocalJobs
from mesbatch.jobs.job import read_job
from tests.adapters.flask.application import Application

JOB = "f" * 32
MANY = {"profile": "query_tool", "container_ids": [f"x{n}" for n in range(20_001)], "domains": ["holds"]}


class Waiting(LocalJobs):
    """Jobs that are accepted and not run."""

    def start(self) -> None:
        pass


@pytest.fixture
def application(tmp_path):
    application = Application(tmp_path)
    with Waiting({"events": application.events}, application.jobs.store, app="nowhere:jobs") as jobs:
        application.jobs = jobs
        yield application


def trace_of(application, **options):
    return trace_blueprint(
        application.trace, AdmissionPolicy(), application.limiter, application.jobs, lambda: "ann", **options
    )


def start(client, path, **environ):
    started = client.post(path, json=MANY, environ_overrides=environ)
    assert started.status_code == 202, started.text
    assert started.json["status_url"] == started.headers["Location"]
    return started.json


def follow(client, path, root="", **environ):
    """Start a job at *path*, and return its URL, after a look at it and at its stream."""
    told = start(client, path, **environ)
    for url in (told["status_url"], told["stream_url"]):
        assert url.startswith(root)
    shown = client.get(told["status_url"].removeprefix(root), environ_overrides=environ)
    assert (shown.status_code, shown.json["job_id"]) == (200, told["job_id"])
    with client.get(told["stream_url"].removeprefix(root), environ_overrides=environ) as stream:
        assert stream.status_code == 200
    assert client.delete(told["status_url"].removeprefix(root), environ_overrides=environ).status_code == 202
    return told["status_url"].removesuffix(told["job_id"])


def test_a_prefix_that_is_given_with_the_registration(application):
    app = Flask("app")
    app.register_blueprint(trace_of(application), url_prefix="/mes/v2")
    assert follow(app.test_client(), "/mes/v2/events") == "/mes/v2/job/"


def test_a_blueprint_within_a_blueprint(application):
    app, parent = Flask("app"), Blueprint("api", __name__, url_prefix="/v1")
    parent.register_blueprint(trace_of(application))
    app.register_blueprint(parent)
    assert follow(app.test_client(), "/v1/api/trace/events") == "/v1/api/trace/job/"


def test_a_prefix_with_a_variable(application):
    app = Flask("app")
    app.register_blueprint(trace_of(application, url_prefix="/<tenant>/trace"))
    assert follow(app.test_client(), "/acme%20inc/trace/events") == "/acme%20inc/trace/job/"
    assert app.test_client().get("/acme/trace/job/a/b").json["code"] == "JOB_NOT_FOUND"


def test_a_variable_that_the_application_takes_out_of_the_url_and_puts_back(application):
    app = Flask("app")
    blueprint = trace_of(application, url_prefix="/<tenant>/trace")
    blueprint.url_value_preprocessor(lambda endpoint, values: setattr(g, "tenant", values.pop("tenant")))
    blueprint.url_defaults(lambda endpoint, values: values.setdefault("tenant", g.tenant))
    app.register_blueprint(blueprint)
    assert follow(app.test_client(), "/acme/trace/events") == "/acme/trace/job/"


@pytest.mark.parametrize("mount", ["SCRIPT_NAME", "dispatcher", "proxy"])
def test_an_application_below_a_path(application, mount):
    app = Flask("app")
    app.register_blueprint(trace_of(application))
    if mount == "SCRIPT_NAME":
        assert follow(app.test_client(), "/api/trace/events", "/mes", SCRIPT_NAME="/mes") == "/mes/api/trace/job/"
    elif mount == "dispatcher":
        app.wsgi_app = DispatcherMiddleware(Flask("other"), {"/mes": app.wsgi_app})
        assert follow(app.test_client(), "/mes/api/trace/events") == "/mes/api/trace/job/"
    else:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)
        environ = {"HTTP_X_FORWARDED_PREFIX": "/mes"}
        assert follow(app.test_client(), "/api/trace/events", "/mes", **environ) == "/mes/api/trace/job/"


def test_two_traces_in_one_application(application):
    app = Flask("app")
    app.register_blueprint(trace_of(application, url_prefix="/one"))
    app.register_blueprint(trace_of(application), url_prefix="/two", name="second")
    assert follow(app.test_client(), "/one/events") == "/one/job/"
    assert follow(app.test_client(), "/two/events") == "/two/job/"


@pytest.fixture
def app():
    """Make an application with a route of its own that starts jobs; a mistake in it is raised."""
    app = Flask("app")
    app.testing = True
    app.add_url_rule("/start/<lot>", view_func=lambda lot: job_started(read_job(JOB, {"status": "queued"})))
    return app


def test_a_view_of_the_application_finds_the_routes_of_jobs(application, app):
    app.register_blueprint(job_routes(application.jobs, lambda: "ann"), url_prefix="/jobs")
    assert app.test_client().get("/start/a").headers["Location"] == f"/jobs/job/{JOB}"


def test_a_view_is_told_where_its_application_has_no_routes_of_jobs_or_several(application, app):
    with pytest.raises(RuntimeError, match="registered: none"):
        app.test_client().get("/start/a")
    two = Flask("two")
    two.testing = True
    two.register_blueprint(trace_of(application))
    two.register_blueprint(job_routes(application.jobs, lambda: "ann"), url_prefix="/jobs")
    two.add_url_rule("/start/<lot>", view_func=app.view_functions["<lambda>"])
    with pytest.raises(RuntimeError, match="registered: mesbatch_trace, mesbatch_jobs"):
        two.test_client().get("/start/a")
