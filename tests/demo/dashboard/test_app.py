"""The routes of the dashboard, without a browser."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from mesbatch.browser import MODULES
from mesbatch.demo.attribution import attribute
from mesbatch.demo.comparison import incident_bytes
from mesbatch.demo.dashboard import worker
from mesbatch.demo.lineage import lineage
from mesbatch.demo.queries import DOMAINS
from mesbatch.demo.rows import container_ids
from mesbatch.demo.runs import TRACE
from mesbatch.demo.warehouse import build_warehouse, sqlite_url
from mesbatch.jobs import LocalJobs
from mesbatch.memory import rss
from mesbatch.store import DirectoryStore
from mesbatch.store.job_id import new_job_id

CIDS = 300


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    url = sqlite_url(tmp_path_factory.mktemp("warehouse") / "warehouse.sqlite")
    build_warehouse(url, CIDS)
    return url


@pytest.fixture
def jobs(warehouse, tmp_path, monkeypatch):
    def events(work):
        return TRACE.read(warehouse, work.keys, work.domains, on_failure=work.on_failure, max_bytes=work.max_bytes)

    class Waiting(LocalJobs):
        """A runner that accepts jobs, and runs none."""

        def start(self):
            pass

    with Waiting({"events": events}, DirectoryStore(tmp_path / "jobs"), app="nowhere:jobs") as found:
        yield found


@pytest.fixture
def client(jobs):
    pytest.importorskip("flask", reason="flask is not installed")
    from mesbatch.demo.dashboard.app import make_app

    return make_app(jobs, CIDS).test_client()


def events(client, keys, prefix="/api/trace", **headers):
    wanted = {"profile": "query_tool", "container_ids": keys, "domains": ["rejects"]}
    environ = {"werkzeug.socket": None}
    return client.post(f"{prefix}/events", json=wanted, headers=headers, environ_overrides=environ)


def test_the_page_and_its_modules_are_served_with_a_policy_that_lets_no_data_run(client):
    for path in ("/", "/page/main.js", "/page/style.css", "/page/icon.svg", *(f"/mesbatch/{name}" for name in MODULES)):
        response = client.get(path)
        assert response.status_code == 200, path
        assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")
        response.close()


@pytest.mark.parametrize("path", ["/demo/warehouse", "/api/trace/job/x"])
def test_a_name_that_another_site_made_point_to_this_machine_is_refused(client, path):
    for host in ("127.0.0.1:8000", "localhost"):
        assert client.get(path, headers={"Host": host}).status_code in (200, 404)
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000"):
        assert client.get(path, headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("path", ["/page/../app.py", "/page/%2e%2e/app.py", "/mesbatch/package.json/../../README.md"])
def test_nothing_else_is_served(client, path):
    assert client.get(path).status_code == 404


def test_the_page_learns_how_the_ids_are_made(client):
    told = client.get("/demo/warehouse").get_json()
    ids = told["ids"]
    made = [f"{ids['prefix']}{ids['first'] + ids['step'] * number:08x}" for number in range(CIDS)]
    assert made == list(container_ids(CIDS))
    assert told["cids"] == CIDS
    assert told["domains"] == list(DOMAINS)


def test_the_decision_is_the_one_that_the_server_would_make(client):
    def asked(**query):
        return client.get("/demo/decision", query_string=query).get_json()

    assert asked(profile="query_tool", keys=100, worker=1)["answer"] == "accept"
    assert asked(profile="query_tool", keys=20_001, worker=1)["answer"] == "enqueue"
    refused = asked(profile="query_tool", keys=60_000)
    assert (refused["answer"], refused["rule"]) == ("reject", "too-many-keys")
    assert "60,000 keys, limit 50,000" in refused["figures"]


def test_the_incident_is_counted_for_the_domains_that_it_read(client):
    told = client.get("/demo/decision?profile=query_tool&keys=114000&domain=history&domain=jobs").get_json()
    assert told["incident_bytes"] == incident_bytes(114_000, ["history"])


def test_a_trace_is_read_with_and_without_a_worker(client):
    for prefix in ("/api/trace", "/api/trace-without-worker"):
        response = events(client, list(container_ids(CIDS)), prefix, Accept="application/x-ndjson")
        assert response.status_code == 200
        assert response.get_data().splitlines()[-1].startswith(b'{"type":"complete"')


def test_many_ids_are_a_job_only_where_a_worker_listens(client):
    keys = [f"{number:016x}" for number in range(60_000)]
    assert events(client, keys).status_code == 202
    assert events(client, keys, "/api/trace-without-worker").status_code == 413


def test_memory_is_told_for_the_server_and_no_worker(client):
    told = client.get(f"/demo/memory?job={new_job_id()}").get_json()
    assert told["server"] > 2**20
    assert told["worker"] is None
    assert told["reads"] == 0


def test_only_the_page_itself_may_break_something(client):
    for path in ("/demo/cut", f"/demo/kill/{new_job_id()}"):
        assert client.post(path).status_code == 200
        assert client.post(path, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
        assert client.post(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert client.get(path).status_code == 405


def test_only_the_process_of_a_job_is_taken_for_one(jobs):
    store = jobs.store
    job_id = new_job_id()
    assert worker.worker_pid(store, job_id) is None
    store.create(job_id, {"status": "started", "pid": str(os.getpid())})
    assert worker.worker_pid(store, job_id) is None  # a process, but no worker's
    command = [sys.executable, "-c", "input()", worker.CHILD.decode()]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        store.change(job_id, {"pid": str(process.pid)})
        assert worker.worker_pid(store, job_id) == process.pid
        assert rss(process.pid) > 2**20
        worker.kill(process.pid)
        assert process.wait(10) == -signal.SIGKILL
    worker.kill(process.pid)  # it has gone: nothing happens
    assert rss(process.pid) is None


def test_a_lineage_charges_rejects_to_ancestors(client, jobs, warehouse):
    def events(work):
        work.conclude(attribute)
        return TRACE.read(warehouse, work.keys, work.domains, on_failure=work.on_failure, max_bytes=work.max_bytes)

    jobs.functions["events"] = events
    wanted = {
        "profile": "mid_section_defect", "container_ids": list(container_ids(CIDS)), "lineage": dict(lineage(CIDS)),
        "domains": ["upstream_history", "materials", "rejects"],
    }  # fmt: skip
    answer = client.post("/api/trace/events", json=wanted, environ_overrides={"werkzeug.socket": None})
    found = answer.json["aggregation"]["attribution"]
    assert found["rejects"] > 0
    assert max(found["by_equipment"].values()) <= found["rejects"], "no lot is charged twice to one equipment"
    assert min(found["by_material"].values()) > 0
