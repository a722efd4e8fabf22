"""Every operation of every scenario fails; a sample for each commit, all of them with ``-m long``."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.faults import disk, exports, jobs, reads, web, wires
from tests.faults.sweep import count_points, drawn, inject, kill

pytestmark = pytest.mark.slow

SCENARIOS = {
    scenario.name: scenario for scenario in (*reads.SCENARIOS, *exports.SCENARIOS, *jobs.SCENARIOS, *web.SCENARIOS)
}
MEMORY = Path("/dev/shm")
SAMPLE = 8  # operations of each mode of each scenario


@pytest.fixture
def faulty(monkeypatch):
    """Let operations count, and let nothing wait long for what will not come."""
    monkeypatch.setattr("mesbatch.read.part.PAUSES", (0.0, 0.0))
    logging.disable()  # thousands of tracebacks
    with monkeypatch.context() as patch:
        disk.install(patch)
        wires.install(patch)
        yield monkeypatch
    logging.disable(logging.NOTSET)


@pytest.fixture
def scenario(request, tmp_path, faulty):
    """Open a scenario in a folder in memory, where that can be had: some sync a thousand small files."""
    made = SCENARIOS[request.param]()
    with ExitStack() as opened:
        folder = opened.enter_context(TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else tmp_path))
        opened.enter_context(made.opened(Path(folder), request.getfixturevalue))
        yield made


@pytest.mark.parametrize("scenario", SCENARIOS, indirect=True)
def test_a_sample_of_failures(scenario, record_property):
    total = 0
    for mode in scenario.modes:
        count = count_points(scenario, mode)
        total += inject(scenario, mode, drawn(f"{scenario.name} {mode}", count, SAMPLE))
    record_property("injected", total)
    assert total


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.long)])
@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if SCENARIOS[name].forks], indirect=True)
def test_kills(scenario, kills, record_property):
    assert kills * len(SCENARIOS) <= 300
    count = count_points(scenario, "once")
    record_property("injected", kill(scenario, drawn(f"{scenario.name} kill", count, kills)))


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("scenario", SCENARIOS, indirect=True)
def test_every_failure(scenario, record_property):
    total = 0
    for mode in scenario.modes:
        total += inject(scenario, mode, range(1, count_points(scenario, mode) + 1))
    record_property("injected", total)
    assert total
