"""Requests of any kind: each gets an answer or a problem, never a fault of ours, and leaves no permit."""

from __future__ import annotations

import gzip
import json
from random import Random
from urllib.parse import unquote

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from mesbatch.adapters.flask import Limits, result_blueprint
from tests.adapters.flask.application import Application
from tests.fuzz.budget import TIMEOUT, corpus, fuzz_briefly, fuzz_long
from tests.fuzz.damage import damaged, seeds
from tests.store.results import written

METHODS = ["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"]
FORMS = ["application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.arrow.stream"]
HEADERS = {
    "Accept": ["application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.arrow.stream",
        "*/*", "", "text/html", "application/*;q=0.1", "a,,;q=x", "application/json;q=0", ";" * 50, "\xff"],
    "Content-Type": ["application/json", "application/json; charset=utf-16", "text/plain", "", "x/y;z=", "\xff",
        "multipart/form-data"],
    "Content-Encoding": ["gzip", "identity", "br", "gzip, gzip", "", "zstd"],
    "Accept-Encoding": ["gzip", "zstd", "gzip;q=0", "*", "identity;q=0", "br;q=1, *;q=x", "zstd;q=nan"],
    "Prefer": ["respond-async", "wait=10", ",,=", "respond-async; x"],
    "Range": ["bytes=0-5", "rows=1-", "x"],
    "If-None-Match": ["*", '"x"'],
    "Content-Length": ["0", "5", "-1", "x", "99999999"],
    "Expect": ["100-continue"],
    "X-Requested-With": ["x"],
    "Transfer-Encoding": ["chunked", "x"],
    "Origin": ["null"],
}  # fmt: skip
QUERY = {
    "shape": ["objects", "arrays", "", "x"],
    "domain": ["a", "b", "", "moves", "'; drop", "\0", "é"],
    "query": ["a", "holds", ""],
    "offset": ["0", "2", "5", "-1", "x", "", "9" * 40, "1e3", "٣", " 1", "+1", "0x1"],
    "limit": ["0", "1", "-1", "", "9" * 400, "1_0", "²"],
    "from": ["0", "1", "3", "99", "-1", "x", "", "9" * 5_000],
    "format": ["csv", "json", "ndjson", "arrow", "", "parquet"],
    "x": ["1", "%"],
    "separator": [";", "", "\n"],
}  # fmt: skip
BODIES = [
    {"profile": "query_tool", "container_ids": ["c01", "c02"], "domains": ["holds", "moves"]},
    {"profile": "mid_section_defect", "container_ids": ["c01"], "domains": ["holds"]},
    {"profile": "query_tool", "container_ids": ["c01"], "domains": ["broken", "holds"]},
    {"profile": "query_tool", "container_ids": [1, 2], "domains": ["holds"], "params": {"station": "x"}},
    {"queries": ["holds"], "keys": ["c01", "c05"]},
    {"queries": ["moves", "broken"], "keys": ["c01"], "params": {}},
    {"keys": ["c01"]},
]
VALUES = [
    None, True, 0, -1, 2.5, 1e308, 2**70, "", "c01", "\0", "\ud800", "é" * 50, [], [None], ["c01"] * 30, [["c01"]],
    [1, "c01"], {}, {"station": 1}, {"profile": "x"}, {"$ref": "x"}, ["holds"], ["nothing"], ["holds", "holds"],
    "query_tool",
    [2**70], [1.5],
]  # fmt: skip
NAMES = ["profile", "container_ids", "domains", "params", "queries", "keys", "inputs", "x", "", "é"]


class Routes:
    """An application with both families of routes, a finished job of its user, and one of somebody else."""

    def __init__(self, folder):
        self.application = Application(folder, max_body=20_000)
        jobs = self.application.jobs
        jobs.functions["results"] = lambda work: self.application.events(work, "")
        queries = {name: query for name, query in self.application.trace.queries.items() if name != "gated"}
        self.application.flask.register_blueprint(
            result_blueprint(
                queries, jobs, self.application.limiter, lambda: self.application.user,
                enqueue=False, limits=Limits(wait=0.2, max_body=20_000),
            )
        )  # fmt: skip
        rows = [{"ID": f"lot{n}", "N": n} for n in range(5)]
        self.jobs = [written(jobs.store, [("a", rows[:3]), ("a", rows[3:])], ("a", "b")) for _ in range(2)]
        for job_id, owner in zip(self.jobs, ("ann", "bob")):
            jobs.store.change(job_id, {"owner": owner})
        self.prefixes = ["/api/trace", self.prefix_of_results()]

    def prefix_of_results(self):
        rules = [rule.rule for rule in self.application.flask.url_map.iter_rules()]
        return next(rule.removesuffix("/results") for rule in rules if rule.endswith("/results"))

    def ask(self, seed):
        return self.check(**request(Random(seed), self.prefixes, self.jobs))

    def check(self, method, path, headers=None, body=b""):
        client = self.application.client
        answer = client.open(path, method=method, headers=headers or {}, data=body)
        with answer:
            data = answer.get_data()
        status = answer.status_code
        assert status < 500 or status == 503, (status, data)
        if status >= 400 and method != "HEAD" and data and self.is_ours(method, path):
            assert answer.mimetype == "application/problem+json", (status, data)
            assert json.loads(data)["status"] == status
        lowered = data[:2_000].lower()
        assert b"traceback" not in lowered
        assert b"secret_column" not in lowered
        assert self.application.limiter.in_flight.permits == 0
        assert self.application.opened == self.application.closed
        return f"{status // 100}xx"

    def is_ours(self, method, path):
        """Tell whether a route of ours is asked, by any method: other paths are the application's to answer."""
        try:
            self.application.flask.url_map.bind("x").match(unquote(path.partition("?")[0]), method)
        except MethodNotAllowed:
            return True
        except (NotFound, RequestRedirect):
            return False
        return True


def request(chance, prefixes, jobs):
    """A request that some client could send, or that nobody should."""
    route = chance.choice(["events"] * 3 + ["results"] * 3 + ["job"] * 4 + ["other"])
    prefix = prefixes[route == "results"] if route in ("events", "results") else chance.choice(prefixes)
    job = chance.choice([jobs[0]] * 6 + [jobs[1], "0" * 32, "x", "..%2f..", "%00", "a" * 300, ""])
    part = chance.choice(["", "/result", "/result", "/result", "/stream", "/stream", "/stream", "/x", "//"])
    path = f"{prefix}/{route}"
    if route == "job":
        path = f"{prefix}/job/{job}{part}"
    elif route == "other":
        path = f"{prefix}/{chance.choice(['', 'x', 'job', '..', '%ff'])}"
    method = chance.choice(METHODS) if chance.random() < 0.2 else "GET" if route == "job" else "POST"
    names = chance.sample(sorted(QUERY), chance.choice([0, 0, 0, 1, 2]))
    query = "&".join(f"{name}={chance.choice(QUERY[name])}" for name in names)
    named = chance.sample(sorted(HEADERS), chance.choice([0, 0, 1, 2]))
    headers = {"Content-Type": "application/json"} | {name: chance.choice(HEADERS[name]) for name in named}
    return {
        "method": method, "path": path + (f"?{query}" if query else ""), "headers": headers,
        "body": body_of(chance, headers, route),
    }  # fmt: skip


def body_of(chance, headers, route):
    fitting = [body for body in BODIES if ("profile" in body) == (route == "events")]
    body = dict(chance.choice(BODIES if chance.random() < 0.1 else fitting))
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        body[chance.choice(NAMES)] = chance.choice(VALUES)
    data = json.dumps(body).encode()
    if chance.random() < 0.2:
        data = damaged(data, chance.randrange(2**32))
    if headers.get("Content-Encoding") == "gzip" and chance.random() < 0.8:
        data = gzip.compress(data)
        data = damaged(data, chance.randrange(2**32)) if chance.random() < 0.3 else data
    return chance.choice([data] * 9 + [b""])


@pytest.fixture(scope="module")
def routes(tmp_path_factory):
    return Routes(tmp_path_factory.mktemp("routes"))


@pytest.mark.parametrize("asked", corpus("requests"), ids=str)
def test_a_kept_request_gets_an_answer(routes, asked):
    path = asked["path"].replace("JOB", routes.jobs[0]).replace("RESULTS", routes.prefixes[1])
    routes.check(asked["method"], path, asked.get("headers"), asked.get("body", "").encode("latin-1"))


def test_any_request_gets_an_answer_and_leaves_no_permit(routes):
    endings = fuzz_briefly(routes.ask, 300, seed=seeds())
    assert min(endings["2xx"], endings["4xx"]) > 20, endings


@pytest.mark.long
@pytest.mark.timeout(TIMEOUT)
def test_minutes_of_requests_get_answers_and_leave_no_permit(routes):
    fuzz_long(routes.ask, seed=seeds())
