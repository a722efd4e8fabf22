"""Eight reads of 114,000 keys at once in 384 MiB: ours end, and the incident's, the red control, are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from threading import Event

import pytest

from mesbatch.admission import MachineLimiter
from mesbatch.admission.claims import InFlight
from mesbatch.units import MiB
from tests.admission.hands import ROOT
from tests.admission.readers import THREADS, build
from tests.rig.cage_or_skip import cage_or_skip
from tests.rig.cgroup import MemoryCage

LIMIT = 384 * MiB
PROCESSES = 2  # gunicorn's workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("cage") / "rejects.sqlite"
    build(str(path))
    return str(path)


@pytest.fixture
def cage():
    with cage_or_skip(LIMIT) as cage:
        yield cage


def start(cage: MemoryCage, way: str, database: str, permits: str) -> list[subprocess.Popen[str]]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    command = [sys.executable, "-m", "tests.admission.readers", way, database, permits]
    return [cage.popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT) for _ in range(PROCESSES)]


def test_eight_reads_through_admission_all_end_and_nobody_is_killed(cage, database, tmp_path):
    processes = start(cage, "ours", database, str(tmp_path / "permits"))
    outputs = [process.communicate(timeout=300)[0] for process in processes]

    assert [process.returncode for process in processes] == [0] * PROCESSES
    outcomes = [outcome for output in outputs for outcome in json.loads(output)]
    read = {outcome for outcome in outcomes if outcome.startswith("read")}
    assert len(outcomes) == PROCESSES * THREADS
    assert set(outcomes) - read <= {"enqueue", "refused 503"}
    assert outcomes.count("enqueue") >= PROCESSES  # those whose service has a worker
    assert len(read) == 1, "no two answers may differ, and somebody must have read"
    assert cage.kills() == 0
    assert MachineLimiter(tmp_path / "permits", 2, 32 * MiB).in_flight == InFlight(0, 0, 0)


def test_the_incidents_pipeline_under_the_same_load_is_killed(cage, database, tmp_path):
    pytest.importorskip("pandas", reason="the incident's pipeline needs pandas")
    processes = start(cage, "incident", database, str(tmp_path / "permits"))
    until = time.monotonic() + 300
    while all(process.poll() is None for process in processes) and time.monotonic() < until:
        Event().wait(0.05)

    for process in processes:
        process.stdout.close()
    assert -signal.SIGKILL in [process.poll() for process in processes]
    assert cage.kills() >= 1
    for process in processes:
        process.kill()
        process.wait()
