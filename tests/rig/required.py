"""Skips that this machine must not have: ``MESBATCH_REQUIRE=postgres,apsw`` turns them into a failed run.

A test that lacks something skips with a reason that names it; the run fails when a required name stands in a reason.
"""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

skipped: dict[str, str] = {}


def missing(reason: str, required: str) -> bool:
    """Return True if *reason* names one of the comma-separated *required* words.

    >>> missing("could not import 'apsw': No module named 'apsw'", "postgres,apsw")
    True
    >>> missing("no browser on this machine", "postgres,apsw")
    False
    """
    words = set(re.findall(r"\w+", reason.casefold()))
    return any(name.strip().casefold() in words for name in required.split(",") if name.strip())


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note(report)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if (told := getattr(session.config, "workeroutput", None)) is not None:
        told["skipped"] = skipped  # a module that is skipped as a whole is known to this worker alone
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of several workers has ended (pytest-xdist)."""
    skipped.update(getattr(node, "workeroutput", {}).get("skipped", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for test, reason in skipped.items():
        terminalreporter.write_line(f"REQUIRED BUT SKIPPED {test}: {reason}", red=True)


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2])
        if missing(reason, os.environ.get("MESBATCH_REQUIRE", "")):
            skipped[report.nodeid] = reason
