"""Environment of the contract, read once and checked."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from mesbatch.admission import AdmissionPolicy, Cost, Enqueue, Load, Reject
from mesbatch.errors import InvalidSetting
from mesbatch.jobs import LocalJobs
from mesbatch.settings import Settings, variables
from mesbatch.units import MiB

DEFAULTS = {
    "TRACE_EVENTS_CID_LIMIT": 50_000,
    "TRACE_ASYNC_CID_THRESHOLD": 20_000,
    "EVENT_FETCHER_CACHE_SKIP_CID_THRESHOLD": 10_000,
    "DB_SLOW_FETCHMANY_SIZE": 5_000,
    "TRACE_STREAM_BATCH_SIZE": 5_000,
    "DB_SLOW_CALL_TIMEOUT_MS": 300.0,  # seconds
    "DB_SLOW_MAX_CONCURRENT": 5,
    "TRACE_JOB_TTL_SECONDS": 3_600.0,
    "TRACE_JOB_TIMEOUT_SECONDS": 1_800.0,
    "TRACE_WORKER_QUEUE": "trace-events",
    "TRACE_WORKER_COUNT": 1,
    "TRACE_WORKER_ENABLED": False,
    "TRACE_EVENTS_MAX_WORKERS": 2,
    "EVENT_FETCHER_MAX_WORKERS": 2,
    "REDIS_URL": "redis://localhost:6379/0",
    "REDIS_KEY_PREFIX": "mes_wip",
    "GUNICORN_WORKERS": 2,
    "GUNICORN_THREADS": 4,
    "GUNICORN_TIMEOUT": 360,
}


def test_without_an_environment_every_variable_has_its_default():
    settings = Settings.from_env({})
    assert {one.metadata["name"]: getattr(settings, one.name) for one in fields(settings)} == DEFAULTS
    assert list(variables()) == list(DEFAULTS)


def test_the_written_defaults_are_the_defaults():
    assert Settings.from_env(variables()) == Settings.from_env({}) == Settings()


def test_the_environment_is_read_once(monkeypatch):
    monkeypatch.setenv("TRACE_WORKER_QUEUE", "other")
    settings = Settings.from_env()
    monkeypatch.setenv("TRACE_WORKER_QUEUE", "third")
    assert settings.worker_queue == "other"
    with pytest.raises(FrozenInstanceError):
        settings.worker_queue = "fourth"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TRACE_EVENTS_CID_LIMIT", "many"),
        ("TRACE_EVENTS_CID_LIMIT", "-1"),
        ("TRACE_EVENTS_CID_LIMIT", "1e5"),
        ("DB_SLOW_FETCHMANY_SIZE", "0"),
        ("DB_SLOW_CALL_TIMEOUT_MS", "nan"),
        ("DB_SLOW_CALL_TIMEOUT_MS", "-5"),
        ("TRACE_JOB_TTL_SECONDS", "inf"),
        ("TRACE_WORKER_ENABLED", "perhaps"),
        ("TRACE_WORKER_QUEUE", "two words"),
        ("REDIS_KEY_PREFIX", "a\nb"),
        ("GUNICORN_THREADS", "4.5"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(name, text):
    with pytest.raises(InvalidSetting, match=name) as refused:
        Settings.from_env({name: text})
    assert repr(text) in str(refused.value)


def test_thresholds_out_of_order_are_refused_by_name():
    with pytest.raises(InvalidSetting, match="TRACE_ASYNC_CID_THRESHOLD=60000"):
        Settings.from_env({"TRACE_ASYNC_CID_THRESHOLD": "60000"})


@pytest.mark.parametrize("text", ["http://:hunter2@host/0", "hunter2"])
def test_a_secret_is_in_no_message(text):
    with pytest.raises(InvalidSetting, match="REDIS_URL") as refused:
        Settings.from_env({"REDIS_URL": text})
    assert "hunter2" not in str(refused.value)


def test_a_secret_is_in_no_repr():
    settings = Settings.from_env({"REDIS_URL": "redis://user:hunter2@host:6379/0"})
    assert "hunter2" not in repr(settings) + str(settings) + f"{settings}"
    assert settings.redis_url == "redis://user:hunter2@host:6379/0"


def test_policy_and_limiter_have_the_limits_of_the_environment(tmp_path):
    settings = Settings.from_env({"TRACE_EVENTS_CID_LIMIT": "30000", "DB_SLOW_MAX_CONCURRENT": "3"})
    policy = settings.policy()
    assert isinstance(policy, AdmissionPolicy)
    assert policy.decide(Cost("query_tool", 25_000, streamed=True), Load(worker_listens=True)) == Enqueue()
    refusal = policy.decide(Cost("query_tool", 30_001, streamed=True), Load())
    assert isinstance(refusal, Reject)
    assert refusal.limit == 30_000
    limiter = settings.limiter(tmp_path)
    assert (limiter.limit.permits, limiter.limit.nbytes) == (3, 24 * MiB)
    limiter.close()


def test_jobs_are_those_of_rq_only_where_workers_are_enabled(tmp_path):
    with Settings.from_env({}).jobs({}, app="m:jobs", directory=tmp_path) as local:
        assert isinstance(local, LocalJobs)
    pytest.importorskip("rq", reason="rq is not installed")
    enabled = Settings.from_env({"TRACE_WORKER_ENABLED": "true", "TRACE_WORKER_QUEUE": "q7"})
    with enabled.jobs({}, app="m:jobs", directory=tmp_path) as jobs:
        assert jobs.queue.name == "q7"
        assert jobs.settings == {
            "TRACE_STREAM_BATCH_SIZE": 5_000, "TRACE_JOB_TTL_SECONDS": 3_600.0, "REDIS_KEY_PREFIX": "mes_wip",
        }  # fmt: skip
        jobs.store.close()
