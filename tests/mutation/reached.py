"""A plugin of pytest for the mutants: which functions a test calls, and a run of chosen tests in a chosen order.

Only functions are noted, not lines: a tracer that is asked at calls alone makes the tests some tenths slower. Other
processes are not seen, so a test that starts one is marked.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

RECORD = "MESBATCH_MUTATION_RECORD"  # the file that the notes are written to, a line of JSON for each test
CHOSEN = "MESBATCH_MUTATION_CHOSEN"  # a file of JSON: the tests to run in `first`, all that are known in `known`
# Not all of multiprocessing: logging asks it for the name of the process at every line.
_PROCESSES = (("/subprocess.py", "Popen.__init__"), ("/multiprocessing/process.py", "BaseProcess.start"))

_called: set[tuple[str, str]] = set()


def _note(frame: FrameType, event: str, argument: object) -> None:
    _called.add((frame.f_code.co_filename, frame.f_code.co_qualname))


def _trace(note: object) -> None:
    sys.settrace(note)  # type: ignore[arg-type]
    threading.settrace(note)  # type: ignore[arg-type]


def pytest_configure(config: pytest.Config) -> None:
    if RECORD in os.environ:
        _trace(_note)  # what is called while modules are imported


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if RECORD in os.environ:
        _trace(None)
        _write("", 0.0, passed=True)
    if CHOSEN in os.environ:
        chosen = json.loads(Path(os.environ[CHOSEN]).read_text())
        places = {test: place for place, test in enumerate(chosen["first"])}
        known = set(chosen["known"])
        new = [item for item in items if item.nodeid not in known]
        items[:] = new + sorted((item for item in items if item.nodeid in places), key=lambda i: places[i.nodeid])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if RECORD not in os.environ:
        return (yield)
    _trace(_note)
    try:
        return (yield)
    finally:
        _trace(None)


_reports: list[pytest.TestReport] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _reports.append(report)
    if report.when == "teardown" and RECORD in os.environ:
        seconds = sum(one.duration for one in _reports)
        _write(report.nodeid, seconds, passed=not any(one.failed for one in _reports))
    if report.when == "teardown":
        _reports.clear()


def _write(test: str, seconds: float, *, passed: bool) -> None:
    called = _called.copy()  # other threads may go on
    _called.clear()
    starts = any(name.endswith(file) and what == start for name, what in called for file, start in _PROCESSES)
    ours = sorted(f"{name.rpartition('/mesbatch/')[2]} {what}" for name, what in called if "/src/mesbatch/" in name)
    with Path(os.environ[RECORD]).open("a") as file:
        line = {"test": test, "seconds": round(seconds, 3), "passed": passed, "starts": starts, "calls": ours}
        file.write(json.dumps(line) + "\n")
