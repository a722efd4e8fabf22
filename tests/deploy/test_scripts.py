"""Scripts start, stop and status, run as an operator runs them without systemd."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig.postgres import RigUnavailable
from tests.rig.site import ROOT, free_port
from tests.rig.until import until
from tests.rig.valkey import PrivateValkey

pytest.importorskip("gunicorn", reason="no web server: gunicorn is not installed")
pytest.importorskip("flask", reason="no web framework: flask is not installed")
pytest.importorskip("rq", reason="rq is not installed")


class Operator:
    """Operator that runs the scripts, whose files are all in *folder*."""

    def __init__(self, folder: Path, redis: str) -> None:
        self.run, self.port = folder / "run", free_port()
        (folder / "env").write_text(
            f"TRACE_WORKER_ENABLED=true\nTRACE_WORKER_COUNT=2\nREDIS_URL={redis}\nDATABASE_URL=sqlite:///{folder}/x.db\n"
        )
        self._environment = os.environ | {
            "MES_RUN": str(self.run),
            "MES_ENV_FILE": str(folder / "env"),
            "MES_BIND": f"127.0.0.1:{self.port}",
            "MES_PYTHON": sys.executable,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "TMPDIR": str(folder),
        }

    def __call__(self, script: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "deploy" / script)]
        return subprocess.run(
            command, env=self._environment | more, capture_output=True, text=True, check=False, timeout=100
        )

    def pid(self, name: str) -> int:
        return int((self.run / f"{name}.pid").read_text())

    def answers(self) -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/api/lots")
            return connection.getresponse().read() != b""
        except OSError:
            return False
        finally:
            connection.close()


@pytest.fixture
def operator(tmp_path):
    try:
        with PrivateValkey() as server:
            operator = Operator(tmp_path, server.url)
            try:
                yield operator
            finally:
                operator("stop")
    except RigUnavailable as error:
        pytest.skip(str(error))


def test_processes_that_were_started_run_until_they_are_stopped(operator):
    assert operator("status").returncode == 1
    started = operator("start")
    assert started.returncode == 0, started.stderr
    assert started.stdout.count("started, process") == 3
    until(operator.answers)
    status = operator("status")
    assert status.returncode == 0
    assert [line.split()[0] for line in status.stdout.splitlines()] == ["web", "worker-1", "worker-2"]

    again = operator("start")
    assert again.stdout.count("runs already") == 3

    os.kill(operator.pid("worker-1"), signal.SIGKILL)
    until(lambda: operator("status").returncode == 1)
    assert "worker-1 does not run" in operator("status").stdout

    stopped = operator("stop")
    assert stopped.stdout.count("stopped") == 2
    assert not operator.answers()
    assert operator("status").returncode == 1
    assert not list(operator.run.glob("*.pid"))


def test_a_process_that_cannot_start_says_why(operator):
    done = operator("start", MES_APP="nowhere:app", GUNICORN_TIMEOUT="1")
    assert done.returncode == 1
    assert "web did not start" in done.stderr
    assert "GUNICORN_TIMEOUT=1" in done.stderr


def test_the_number_of_another_process_is_not_ours(operator):
    operator.run.mkdir()
    (operator.run / "web.pid").write_text(str(os.getpid()))
    assert "web does not run" in operator("status").stdout
    assert operator("stop").returncode == 0
