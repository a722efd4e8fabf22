"""Members of a body that become inputs of a function: read now or in a job, and held once."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from mesbatch.adapters.flask import Limits, trace_blueprint
from mesbatch.admission import AdmissionPolicy
from mesbatch.admission.trace_table import trace_rules
from mesbatch.errors import InvalidJob
from mesbatch.store.inputs import StoredInputs, decode_handles
from mesbatch.units import MiB
from tests.adapters.flask.application import Application

LINEAGE = {f"c{n:02d}": [f"c{n + 1:02d}"] for n in range(30)}


class Counting:
    """A count of the ancestors that the input names for the rows that pass."""

    def __init__(self, lineage: Any) -> None:
        self.lineage, self.ancestors = dict(lineage), 0

    def add(self, domain: str, batch: Any) -> None:
        self.ancestors += sum(len(self.lineage[row[0]]) for row in batch.rows)

    def result(self) -> dict[str, Any]:
        return {"ancestors": self.ancestors}

    state = result

    def restore(self, state: Any) -> None:
        self.ancestors = state["ancestors"]


class WithInputs(Application):
    """The application, whose function opens the input ``lineage``; with *enqueue* every request becomes a job."""

    def __init__(self, folder: Any, *, enqueue: bool = False, **limits: Any) -> None:
        super().__init__(folder)
        self.seen: list[dict[str, bytes]] = []
        self.jobs.functions["lineage"] = self.with_lineage
        self.jobs.start = self.jobs.attend = lambda: None  # type: ignore[method-assign]  # jobs are not run
        policy = (
            AdmissionPolicy(trace_rules(cache_limit=0, async_threshold=0, cid_limit=0))
            if enqueue
            else AdmissionPolicy()
        )
        self.flask.register_blueprint(
            trace_blueprint(
                self.trace, policy, self.limiter, self.jobs, lambda: self.user, function="lineage", enqueue=enqueue,
                inputs=("lineage", "seed_container_ids"), url_prefix="/lineage", limits=Limits(**limits),
            ), name="with_inputs",
        )  # fmt: skip

    def with_lineage(self, work: Any, profile: str) -> Any:
        self.seen.append({name: bytes(work.inputs[name].read()) for name in work.inputs})
        if "lineage" in work.inputs:
            work.aggregate(lambda: Counting(work.inputs["lineage"].members()))
        return self.events(work, profile)

    def send(self, data: bytes, **headers: str) -> Any:
        return self.client.post("/lineage/events", data=data, content_type="application/json", headers=headers)


def body(**more: Any) -> bytes:
    asked = {"profile": "query_tool", "container_ids": list(LINEAGE), "domains": ["moves"], **more}
    return json.dumps(asked).encode()


@pytest.fixture
def application(tmp_path):
    return WithInputs(tmp_path)


def test_a_request_that_is_read_now_opens_the_members_of_its_body(application):
    response = application.send(body(lineage=LINEAGE, seed_container_ids=["c00"], other=1))
    assert response.json["aggregation"] == {"ancestors": 3_000}
    (seen,) = application.seen
    assert list(seen) == ["lineage", "seed_container_ids"]
    assert json.loads(seen["lineage"]) == LINEAGE


def test_a_member_that_was_not_sent_is_no_input(application):
    assert application.send(body(seed_container_ids=[])).json["aggregation"] is None
    assert list(application.seen[0]) == ["seed_container_ids"]


def test_a_job_gets_them_from_its_store(tmp_path):
    application = WithInputs(tmp_path, enqueue=True)
    response = application.send(body(lineage=LINEAGE, seed_container_ids=["c00"]))
    assert response.status_code == 202, response.json
    facts = application.jobs.store.facts(response.json["job_id"])
    stored = StoredInputs(application.jobs.store, decode_handles(facts["inputs"]))
    assert dict(stored["lineage"].members()) == LINEAGE
    assert list(stored["seed_container_ids"].elements()) == ["c00"]


@pytest.mark.parametrize("names", [("profile",), ("params",), ("../x",), ("a b",)])
def test_a_name_that_no_input_can_have_is_refused_at_once(application, names):
    with pytest.raises(InvalidJob):
        trace_blueprint(
            application.trace, AdmissionPolicy(), application.limiter, application.jobs, lambda: "ann", inputs=names
        )


def test_a_body_may_be_compressed(application):
    data = gzip.compress(body(lineage=LINEAGE))
    assert application.send(data, **{"Content-Encoding": "gzip"}).json["aggregation"] == {"ancestors": 3_000}
    two = gzip.compress(body(lineage=LINEAGE)[:50]) + gzip.compress(body(lineage=LINEAGE)[50:])
    assert application.send(two, **{"Content-Encoding": "gzip"}).json["aggregation"] == {"ancestors": 3_000}


@pytest.mark.parametrize(
    "data",
    [b"no gzip", gzip.compress(body())[:-9], gzip.compress(body()) + b"x", b""],
    ids=["other", "cut", "longer", "none"],  # gzip writes the time, which would be in the test's own name
)
def test_a_body_that_is_no_gzip_is_refused(application, data):
    response = application.send(data, **{"Content-Encoding": "gzip"})
    assert (response.status_code, response.json["code"]) == (400, "INVALID_PARAMS")


def test_another_compression_is_refused(application):
    response = application.send(body(), **{"Content-Encoding": "br"})
    assert (response.status_code, response.json["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_the_limit_is_the_applications_and_counts_decompressed_bytes(tmp_path):
    whole = body(lineage=LINEAGE)
    application = WithInputs(tmp_path, max_body=len(whole))
    for data, headers in ((whole, {}), (gzip.compress(whole), {"Content-Encoding": "gzip"})):
        assert application.send(data, **headers).json["aggregation"] == {"ancestors": 3_000}
    longer = whole + b" "
    for data, headers in ((longer, {}), (gzip.compress(longer), {"Content-Encoding": "gzip"})):
        response = application.send(data, **headers)
        assert (response.status_code, response.json["code"]) == (413, "BODY_TOO_LARGE")
        assert f"{len(whole):,}" in response.json["detail"]


def test_a_bomb_is_refused_before_it_is_large(tmp_path):
    application = WithInputs(tmp_path, max_body=MiB)
    bomb = gzip.compress(bytes(200 * MiB), 1)
    assert len(bomb) < MiB
    tracemalloc.start()
    try:
        response = application.send(bomb, **{"Content-Encoding": "gzip"})
        assert tracemalloc.get_traced_memory()[1] < 8 * MiB
    finally:
        tracemalloc.stop()
    assert response.status_code == 413


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_body_is_held_once_until_its_job_has_it(tmp_path, encoding):
    application = WithInputs(tmp_path, enqueue=True, max_body=64 * MiB)
    lineage = {f"c{n:07d}": "x" * 1_000 for n in range(30_000)}
    data = body(lineage=lineage)
    del lineage
    size = len(data)
    sent = gzip.compress(data, 1) if encoding == "gzip" else data
    del data
    tracemalloc.start()
    try:
        response = application.send(sent, **{"Content-Encoding": encoding})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert response.status_code == 202
    assert size < peak < 1.3 * size + 5 * MiB


# -- a function that concludes


@pytest.fixture
def concluding(tmp_path):
    application = WithInputs(tmp_path)

    def conclude(work):
        return {"rows": sum(1 for _ in work.rows("moves", ["c00", "c01"])), "domains": list(work.domains)}

    def function(work, profile):
        work.conclude(conclude)
        return application.events(work, profile)

    application.jobs.functions["lineage"] = function
    return application


def kept_files():
    links = Path("/proc/self/fd").iterdir()
    return sum(" (deleted)" in str(link.readlink()) for link in links if link.is_symlink())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system has no /proc")
@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
def test_it_concludes_now_and_keeps_no_file(concluding, accept):
    before = kept_files()
    answer = concluding.send(body(domains=["moves", "holds"]), Accept=accept)
    if accept == "application/json":
        found = answer.json["aggregation"]
    else:
        (found,) = [line["data"] for line in map(json.loads, answer.data.splitlines()) if line["type"] == "aggregation"]
    assert found == {"rows": 200, "domains": ["moves", "holds"]}
    assert kept_files() == before
    early = concluding.client.post("/lineage/events", data=body(), content_type="application/json", buffered=False)
    assert next(early.response)
    early.close()
    assert kept_files() == before


def test_a_conclusion_that_cannot_be_drawn_is_no_whole_answer(concluding):
    answer = concluding.send(body(domains=["holds"]), Accept="application/x-ndjson")
    lines = list(map(json.loads, answer.data.splitlines()))
    assert lines[-1]["type"] == "error"
    assert "there is no domain 'moves'" in lines[-1]["message"]
