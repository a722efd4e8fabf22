"""Environment of the contract, read once and checked."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from mesbatch.admission import AdmissionPolicy, Cost, Enqueue, Load, Reject
from mesbatch.errors import InvalidSetting
from mesbatch.jobs import LocalJobs
from mesbatch.service_settings import ServiceSettings
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
    with pytest.raises(InvalidSetting, match="CACHE_SKIP_CID_THRESHOLD=60000 and TRACE_ASYNC_CID_THRESHOLD=20000"):
        Settings.from_env({"EVENT_FETCHER_CACHE_SKIP_CID_THRESHOLD": "60000"})
    with pytest.raises(InvalidSetting, match="MESBATCH_ASYNC_THRESHOLD=60000"):
        ServiceSettings.from_env({"MESBATCH_ASYNC_THRESHOLD": "60000"})


def test_a_limit_of_keys_below_the_threshold_of_jobs_is_accepted():
    policy = Settings.from_env({"TRACE_EVENTS_CID_LIMIT": "5000"}).policy()
    cost = Cost("query_tool", 5_001, streamed=True)
    assert policy.decide(cost, Load(worker_listens=True)) == Enqueue()
    refusal = policy.decide(cost, Load())
    assert isinstance(refusal, Reject)
    assert refusal.limit == 5_000


def test_neither_kind_of_settings_reads_the_others_variables():
    """Every variable of one kind, with another value than its default, leaves the other kind as it is."""
    assert not set(variables()) & set(variables(ServiceSettings))
    assert all(name.startswith("MESBATCH_") for name in variables(ServiceSettings))
    strange = dict.fromkeys([*variables(), *variables(ServiceSettings)], "\0 no value that any of them can have")
    of_trace = {name: text for name, text in strange.items() if name in variables()}
    of_service = {name: text for name, text in strange.items() if name not in variables()}
    assert ServiceSettings.from_env(of_trace) == ServiceSettings()
    assert Settings.from_env(of_service) == Settings()
    for kind, names in ((Settings, of_trace), (ServiceSettings, of_service)):
        for name, text in names.items():
            with pytest.raises(InvalidSetting, match=name):
                kind.from_env({name: text})


def test_the_settings_of_a_service_make_its_parts(tmp_path):
    settings = ServiceSettings.from_env({"MESBATCH_KEY_LIMIT": "30000", "MESBATCH_REDIS_URL": "redis://:hunter2@h/0"})
    assert "hunter2" not in repr(settings)
    assert repr(settings).startswith("ServiceSettings(key_limit=30000, ")
    refusal = settings.policy().decide(Cost("results", 30_001, streamed=True), Load())
    assert isinstance(refusal, Reject)
    assert (refusal.code, refusal.limit) == ("KEY_LIMIT_EXCEEDED", 30_000)
    with settings.jobs({}, app="m:jobs", directory=tmp_path) as jobs:
        assert jobs.settings == {
            "MESBATCH_BATCH_SIZE": 5_000, "MESBATCH_JOB_TTL_SECONDS": 3_600.0, "MESBATCH_REDIS_KEY_PREFIX": "mesbatch",
        }  # fmt: skip


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


def test_jobs_are_those_of_rq_only_where_workers_are_enabled_and_say_which(tmp_path, caplog):
    caplog.set_level("INFO", "mesbatch.settings")
    with Settings.from_env({}).jobs({}, app="m:jobs", directory=tmp_path) as local:
        assert isinstance(local, LocalJobs)
        assert local.chosen == (
            "LocalJobs, because TRACE_WORKER_ENABLED is false: 1 at once in processes of their own, with results in "
            f"{tmp_path / 'jobs'}"
        )
        assert caplog.messages == [f"jobs are {local.chosen}"]
    pytest.importorskip("rq", reason="rq is not installed")
    enabled = Settings.from_env({"TRACE_WORKER_ENABLED": "true", "TRACE_WORKER_QUEUE": "q7"})
    with enabled.jobs({}, app="m:jobs", directory=tmp_path) as jobs:
        assert jobs.queue.name == "q7"
        assert jobs.chosen == (
            "RQJobs, because TRACE_WORKER_ENABLED is true: workers of the queue 'q7', with results in the Redis of "
            "REDIS_URL"
        )
        assert caplog.messages[-1] == f"jobs are {jobs.chosen}"
        assert jobs.settings == {
            "TRACE_STREAM_BATCH_SIZE": 5_000, "TRACE_JOB_TTL_SECONDS": 3_600.0, "REDIS_KEY_PREFIX": "mes_wip",
        }  # fmt: skip
        jobs.store.close()
