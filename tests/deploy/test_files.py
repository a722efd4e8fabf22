"""Files of a deployment, which agree with the code and with systemd."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mesbatch.settings import Settings, variables

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def test_the_example_has_every_variable_with_its_default():
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    written = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert written == variables()


def test_the_example_is_read_as_the_defaults():
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    assert Settings.from_env(dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")) == Settings()


def configuration(monkeypatch, **variables: str) -> dict:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    return runpy.run_path(str(DEPLOY / "gunicorn.conf.py"))


def test_gunicorn_has_threads_and_more_patience_than_a_slow_query(monkeypatch):
    found = configuration(monkeypatch)
    assert (found["worker_class"], found["workers"], found["threads"]) == ("gthread", 2, 4)
    assert found["timeout"] > Settings().call_timeout


def test_a_timeout_below_the_slow_querys_is_refused(monkeypatch):
    with pytest.raises(SystemExit, match="GUNICORN_TIMEOUT=200"):
        configuration(monkeypatch, GUNICORN_TIMEOUT="200")


def test_gunicorn_itself_accepts_its_settings(monkeypatch):
    pytest.importorskip("gunicorn", reason="no web server: gunicorn is not installed")
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        str(DEPLOY / "gunicorn.conf.py"),
        "--check-config",
        "http.client:parse_headers",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_redis_never_evicts():
    assert re.search(r"^maxmemory-policy noeviction$", (DEPLOY / "redis" / "redis.conf").read_text(), re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_has_limits_of_memory_and_few_rights(unit):
    text = unit.read_text()
    high, most = (int(re.search(rf"^{name}=(\d+)M$", text, re.MULTILINE)[1]) for name in ("MemoryHigh", "MemoryMax"))
    assert high < most
    for line in (
        "MemorySwapMax=0",
        "OOMPolicy=continue",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "KillMode=mixed",
    ):
        assert f"\n{line}\n" in text


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_a_unit(unit, tmp_path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze: Debian has it in the package systemd")
    # Programs that the unit names exist where it is deployed; here this machine's own take their place.
    text = unit.read_text()
    text = (
        re.sub(r"/srv/mes/\.venv/bin/\w+", "/bin/true", text)
        .replace("=mes\n", "=root\n")
        .replace("/srv/mes", str(tmp_path))
    )
    copy = tmp_path / unit.name.replace("@", "@1")
    copy.write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", "--recursive-errors=no", str(copy)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
