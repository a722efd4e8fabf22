"""Results that the first implementation left in Redis, served by our routes as its clients know them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("flask", reason="no web framework: flask is not installed")
pytest.importorskip("rq", reason="rq is not installed")

import redis
from flask import Flask

from mesbatch.adapters.flask import job_routes
from mesbatch.jobs.rq import RQJobs
from mesbatch.store.redis import RedisStore
from tests.rig.valkey_or_skip import valkey_or_skip

GOLDEN = Path(__file__).parents[2] / "store" / "golden"
JOB = "/api/trace/job/trace-evt-0123456789ab"


@pytest.fixture(scope="module")
def server():
    with valkey_or_skip() as server:
        yield server


@pytest.fixture
def client(server):
    """Make a client of routes over an empty Redis."""
    with redis.Redis.from_url(server.url) as connection:
        connection.flushall()
    store = RedisStore(server.url)
    with store, RQJobs({}, store, app="nowhere:jobs", url=server.url) as jobs:
        app = Flask("golden")
        app.register_blueprint(job_routes(jobs, lambda: "ann"))
        yield app.test_client()


def restore(server, name: str) -> None:
    with redis.Redis.from_url(server.url) as connection:
        for key, entry in golden(name).items():
            value = entry["value"]
            if isinstance(value, dict):
                connection.hset(key, mapping=value)
            else:
                connection.set(key, value)
            connection.expire(key, entry["ttl"])


def golden(name: str):
    text = (GOLDEN / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if name.endswith("ndjson") else json.loads(text)


def test_the_stream_has_every_member_of_the_recorded_one(client, server):
    restore(server, "redis_chunked.json")
    lines = [json.loads(line) for line in client.get(f"{JOB}/stream").data.splitlines()]
    expected = golden("stream.ndjson")
    assert [line["type"] for line in lines] == [line["type"] for line in expected]
    assert [{member: line[member] for member in theirs} for line, theirs in zip(lines, expected)] == expected


def test_the_result_and_its_page_are_the_recorded_ones(client, server):
    restore(server, "redis_chunked.json")
    assert client.get(f"{JOB}/result").json == golden("result.json")
    page = client.get(f"{JOB}/result?domain=upstream_history&offset=2&limit=3").json
    assert page == golden("result_page.json")


def test_the_status_has_every_member_of_the_recorded_one(client, server):
    restore(server, "redis_chunked.json")
    expected, found = golden("status.json")["queued"], client.get(JOB).json
    assert set(expected) <= set(found)
    for member in set(expected) - {"elapsed_seconds", "progress"}:  # those go on; a text became an object
        assert found[member] == expected[member]


def test_the_oldest_layout_is_one_line(client, server):
    restore(server, "redis_legacy.json")
    lines = [json.loads(line) for line in client.get(f"{JOB}/stream").data.splitlines()]
    assert lines == golden("legacy_stream.ndjson")
