"""The shipped settings of nginx, before a real gunicorn: large requests pass, streams flow, breaks are errors."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

pytest.importorskip("gunicorn", reason="no web server: gunicorn is not installed")
pytest.importorskip("flask", reason="no web framework: flask is not installed")

from mesbatch.adapters.flask import Limits
from mesbatch.demo.rows import container_ids
from mesbatch.settings import Settings
from mesbatch.units import MiB
from tests.rig.nginx import nginx, shipped
from tests.rig.postgres import RigUnavailable
from tests.rig.site import Setting, Site, free_port, gunicorn

ROWS = 3_000  # of the application


@contextmanager
def in_front(folder, upstream: int, settings: str | None = None) -> Iterator[Site]:
    try:
        with nginx(folder, upstream, settings or shipped()) as port:
            yield Site(port, None)
    except RigUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("behind")


@pytest.fixture(scope="module")
def server(folder) -> Iterator[Site]:
    setting = Setting("", folder, variables={"BEHIND": str(folder), "GUNICORN_WORKERS": "1"})
    with gunicorn(setting, "tests.deploy.behind:make_app()") as site:
        yield site


@pytest.fixture(scope="module")
def site(server, tmp_path_factory) -> Iterator[Site]:
    with in_front(tmp_path_factory.mktemp("nginx"), server.port) as site:
        yield site


def test_nginx_takes_as_large_a_body_and_waits_as_long_as_the_application():
    text = shipped()
    assert int(re.search(r"client_max_body_size (\d+)m;", text)[1]) * MiB == Limits().max_body
    assert f"{Limits().max_body:,}" in text
    assert int(re.search(r"proxy_read_timeout (\d+)s;", text)[1]) >= Settings().gunicorn_timeout


def test_the_ids_of_the_incident_pass(site):
    body = {"profile": "mid_section_defect", "container_ids": list(container_ids(114_000)), "domains": ["moves"]}
    body["container_ids"][0] = "c01"
    answer = site.ask("POST", "/mes/api/trace/events", body)
    assert answer.status == 200
    assert answer.json["results"]["moves"]["count"] == ROWS // 30


def test_without_the_settings_the_ids_of_the_incident_do_not_pass(server, tmp_path):
    settings = shipped().replace("client_max_body_size 32m;", "")
    with in_front(tmp_path, server.port, settings) as site:
        answer = site.ask("POST", "/mes/api/trace/events", {"container_ids": list(container_ids(114_000))})
    assert (answer.status, answer.json["code"]) == (413, "BODY_TOO_LARGE")


def test_a_body_above_the_limit_of_both_is_a_problem(site):
    answer = site.ask("POST", "/mes/api/trace/events", b" " * (Limits().max_body + 1))
    assert answer.status == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.json["code"], answer.json["status"]) == ("BODY_TOO_LARGE", 413)


def test_a_body_of_the_limit_itself_reaches_the_application(site):
    answer = site.ask("POST", "/mes/api/trace/events", b" " * Limits().max_body)
    assert (answer.status, answer.json["code"]) == (400, "INVALID_PARAMS")


def test_rows_leave_before_the_last_one_is_read(site, folder):
    gate = folder / "gate"
    connection, response = site.open("GET", "/mes/waiting", timeout=30)
    with closing(connection):
        kinds = [json.loads(response.readline())["type"] for _ in range(3)]
        assert kinds[-1] == "records"
        assert not gate.exists()
        gate.touch()
        assert json.loads(response.read().splitlines()[-1])["total_records"] == ROWS
    gate.unlink()


def test_a_stream_that_breaks_off_is_an_error_at_the_client(site):
    connection, response = site.open("GET", "/mes/breaking", timeout=30)
    assert response.status == 200
    with closing(connection), pytest.raises(http.client.IncompleteRead) as broken:
        response.read()
    assert broken.value.partial.startswith(b'{"stage"')


def test_with_http_1_0_a_stream_that_breaks_off_looks_whole(server, tmp_path):
    settings = shipped().replace("proxy_http_version 1.1;", "")
    with in_front(tmp_path, server.port, settings) as site:
        answer = site.ask("GET", "/mes/breaking")
    with pytest.raises(json.JSONDecodeError):
        assert answer.json


def test_the_urls_of_a_job_begin_with_the_prefix(site):
    answer = site.ask("GET", "/mes/job", Script_Name="/evil")
    assert answer.status == 202
    assert answer.headers["Location"] == answer.json["status_url"] == f"/mes/api/trace/job/{'f' * 32}"
    assert site.ask("GET", answer.json["status_url"]).json["code"] == "JOB_NOT_FOUND"


def test_the_prefix_alone_leads_to_its_folder(site):
    answer = site.ask("GET", "/mes")
    assert (answer.status, answer.headers["Location"].endswith("/mes/")) == (308, True)


def test_a_server_that_is_away_is_a_problem_that_says_when_to_come_back(tmp_path):
    with in_front(tmp_path, free_port()) as site:
        answer = site.ask("GET", "/mes/api/trace/job/x")
    assert (answer.status, answer.json["code"], answer.headers["Retry-After"]) == (503, "BUSY", "5")
    assert answer.headers["Content-Type"] == "application/problem+json"
