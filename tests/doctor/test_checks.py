"""Checks of the doctor beside real processes: a Valkey, a gunicorn, and environments that differ."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mesbatch.doctor import checks
from mesbatch.doctor.processes import RunningProcess, find_processes, gunicorn_settings
from mesbatch.memory.cgroup import MemoryLimit
from mesbatch.settings import Settings
from mesbatch.units import GiB, MiB
from tests.rig.cage_or_skip import cage_or_skip
from tests.rig.site import ROOT
from tests.rig.until import until
from tests.rig.valkey_or_skip import valkey_or_skip

RULES = (
    "~{prefix}:* ~mesbatch:* ~rq:* resetchannels &rq:* -@all +@read +@write +@transaction +@scripting +@connection "
    "+@pubsub +info +time -@dangerous"
)  # as docs/jobs.md has them
ENABLED = {"TRACE_WORKER_ENABLED": "true", "TRACE_WORKER_COUNT": "2"}


def texts(findings, grade: str = "problem") -> str:
    found = [finding for finding in findings if finding.grade == grade]
    assert grade != "problem" or all(finding.remedy for finding in found)
    return "\n".join(map(str, found))


def process(kind: str, pid: int | None = None, **environment: str) -> RunningProcess:
    return RunningProcess(pid or os.getpid(), kind, ["python", "-m", "gunicorn"], environment)


@pytest.fixture(scope="module")
def server():
    pytest.importorskip("redis", reason="redis is not installed")
    with valkey_or_skip() as server:
        yield server


def test_a_redis_that_may_evict_is_a_problem_and_one_that_may_not_is_none(server):
    import redis

    settings = Settings.from_env({**ENABLED, "REDIS_URL": server.url})
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        assert "may evict keys (maxmemory-policy allkeys-lru)" in texts(checks._redis(settings, []))
        client.config_set("maxmemory-policy", "noeviction")
    assert texts(checks._redis(settings, [])) == ""


def test_a_redis_that_is_away_is_a_problem_without_its_password():
    pytest.importorskip("redis", reason="redis is not installed")
    settings = Settings.from_env({**ENABLED, "REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"})
    found = texts(checks._redis(settings, []))
    assert "not reachable" in found
    assert "hunter2" not in found


@pytest.fixture
def limited():
    """Start a server of our own, and give its URL for a user with other *rules* of access."""
    redis = pytest.importorskip("redis", reason="redis is not installed")

    with valkey_or_skip() as own:

        def user(rules):
            with redis.Redis.from_url(own.url) as client:
                client.execute_command("ACL", "SETUSER", "ann", "reset", "on", ">secret", *rules.split())
            return Settings.from_env({**ENABLED, "REDIS_URL": own.url.replace("//", "//ann:secret@")})

        yield user


def test_a_wrong_password_is_a_problem(limited):
    settings = limited("~* &* +@all")
    wrong = replace(settings, redis_url=settings.redis_url.replace("secret", "wrong"))
    found = texts(checks._redis(wrong, []))
    assert "does not know this user and password" in found
    assert "wrong" not in found


@pytest.mark.parametrize(
    ("rules", "refused"),
    [
        (RULES.format(prefix="mes_wip"), ""),
        (RULES.format(prefix="other"), "refuses jobs in mes_wip:*"),
        (RULES.format(prefix="mes_wip").replace("~mesbatch:*", ""), "refuses workers in mesbatch:*"),
        (RULES.format(prefix="mes_wip").replace("~rq:*", ""), "refuses queues in rq:*"),
        (RULES.format(prefix="mes_wip").replace("&rq:*", ""), "refuses commands to workers"),
        (RULES.format(prefix="mes_wip").replace("+@scripting", ""), "refuses jobs in mes_wip:*"),
    ],
)
def test_each_rule_of_access_that_is_missing_is_a_problem(limited, rules, refused):
    found = texts(checks._redis(limited(rules), []))
    assert refused in found
    assert bool(found) == bool(refused)


def test_trying_leaves_nothing_behind(server):
    import redis

    with redis.Redis.from_url(server.url) as client:
        client.flushdb()
        assert texts(checks._redis(Settings.from_env({**ENABLED, "REDIS_URL": server.url}), [])) == ""
        assert client.keys("*") == []


def test_too_few_workers_on_the_queue_are_a_problem(server):
    import redis

    from mesbatch.jobs.listening import Listening

    settings = Settings.from_env({**ENABLED, "REDIS_URL": server.url, "TRACE_WORKER_QUEUE": "q1"})
    with redis.Redis.from_url(server.url) as client:
        Listening(client, "q2").beat("other")
        Listening(client, "q1").beat("one")
        assert "1 of 2 workers listen on the queue q1" in texts(checks._queue(settings, []))
        Listening(client, "q1").beat("two")
    assert texts(checks._queue(settings, [])) == ""


def test_a_sync_worker_is_a_problem_and_gthread_is_none(tmp_path):
    pytest.importorskip("gunicorn", reason="no web server: gunicorn is not installed")
    for options, expected in ((["-k", "sync"], "sync workers"), (["-k", "gthread"], ""), (["--threads", "4"], "")):
        web = RunningProcess(os.getpid(), "web", ["python", "-m", "gunicorn", *options, "m:app"], dict(os.environ))
        assert expected in texts(checks._gunicorn(Settings(), [web]))


def test_a_running_gunicorn_is_found_with_the_settings_of_its_file(tmp_path):
    pytest.importorskip("gunicorn", reason="no web server: gunicorn is not installed")
    (tmp_path / "m.py").write_text(
        "def app(environ, start_response):\n    start_response('200 OK', [])\n    return []\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "GUNICORN_THREADS": "7"}
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        str(ROOT / "deploy/gunicorn.conf.py"),
        "-b",
        "127.0.0.1:0",
        "m:app",
    ]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as child:
        try:
            web = until(lambda: next((one for one in find_processes() if one.pid == child.pid), None))
            told = gunicorn_settings(web)
        finally:
            child.terminate()
    assert (web.kind, told["worker_class"], told["threads"]) == ("web", "gthread", "7")


def test_a_timeout_below_the_slow_querys_is_a_problem():
    settings = Settings.from_env({"GUNICORN_TIMEOUT": "30"})
    assert "GUNICORN_TIMEOUT is 30 s" in texts(checks._gunicorn(settings, []))


def test_a_process_without_a_limit_of_memory_is_a_problem(monkeypatch):
    monkeypatch.setattr(checks, "find_limits", lambda **_: [MemoryLimit(8 * GiB, 0)])
    assert "no limit of memory" in texts(checks._memory(Settings(), [process("web")]))


def test_a_process_with_a_limit_is_none():
    with cage_or_skip(300 * MiB) as cage, cage.popen(["sleep", "60"]) as child:
        until(lambda: child.pid in cage.processes())
        found = list(checks._memory(Settings(), [process("web", child.pid)]))
        child.kill()
    assert "is limited to 300.0 MiB" in texts(found, "ok")


def test_settings_that_differ_are_a_problem_by_name():
    same = [process("web", TRACE_STREAM_BATCH_SIZE="5000"), process("worker")]
    assert texts(checks._same_settings(Settings(), same)) == ""
    differ = [process("web"), process("worker", TRACE_STREAM_BATCH_SIZE="100", REDIS_KEY_PREFIX="x")]
    found = texts(checks._same_settings(Settings(), differ))
    assert "TRACE_STREAM_BATCH_SIZE differs: 5000 in web" in found
    assert "REDIS_KEY_PREFIX differs" in found
    assert "TRACE_JOB_TTL_SECONDS has 'x'" in texts(
        checks._same_settings(Settings(), [process("web", TRACE_JOB_TTL_SECONDS="x")])
    )


def test_a_hostile_or_full_spill_directory_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(checks, "SPILL_BYTES", 1)
    monkeypatch.setattr(checks, "_filesystem", lambda directory: "ext4")
    tmp_path.chmod(0o777)
    assert "cannot be spilled" in texts(checks._spill(Settings(), []))
    tmp_path.chmod(0o700)
    assert texts(checks._spill(Settings(), [])) == ""
    monkeypatch.setattr(checks, "SPILL_BYTES", 1 << 60)
    assert "free, spilling may take" in texts(checks._spill(Settings(), []))
    monkeypatch.setattr(checks, "_filesystem", lambda directory: "tmpfs")
    assert "is memory (tmpfs)" in texts(checks._spill(Settings(), []))


def test_the_kind_of_a_file_system_is_read():
    assert checks._filesystem(Path("/proc")) == "proc"


def test_an_old_driver_is_a_problem(monkeypatch):
    monkeypatch.setattr(checks, "_needed_versions", lambda: {"msgspec": "999.0"})
    assert "is older than 999.0" in texts(checks._drivers(Settings(), []))
    monkeypatch.setattr(checks, "requires", lambda name: ["flask>=3.1; extra == 'flask'", "rq<4,>=2.8", "click"])
    monkeypatch.undo()
    assert texts(checks._drivers(Settings(), [])) == ""


def test_the_versions_that_are_needed_are_read_from_the_package(monkeypatch):
    monkeypatch.setattr(checks, "requires", lambda name: ["flask>=3.1; extra == 'flask'", "rq<4,>=2.8", "click"])
    assert checks._needed_versions() == {"flask": "3.1", "rq": "2.8"}
