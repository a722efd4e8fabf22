"""The number of injected failures, by test, at the end of a run: the property *injected* of a test's report."""

from __future__ import annotations

from typing import Any

import pytest

injected: dict[str, int] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call":
        for name, value in report.user_properties:
            if name == "injected":
                injected[report.nodeid.partition("::")[2]] = int(str(value))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if injected:
        terminalreporter.section("injected failures")
        for name, count in injected.items():
            terminalreporter.write_line(f"{count:7,} {name}")
        terminalreporter.write_line(f"{sum(injected.values()):7,} in all")
