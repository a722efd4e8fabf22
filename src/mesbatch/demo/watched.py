"""The inside of a watched process: import, report, call, report."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, TextIO

from mesbatch.memory import RssMark, peak_rss


def main() -> None:
    """Read the work from stdin as JSON; write one JSON line when the imports are done and one with the result."""
    reports = _take_stdout()
    work = json.load(sys.stdin)
    for module in work["preload"]:
        import_module(module)
    function = _find(work["target"])
    mark = RssMark()
    _report(reports, rss=mark.start or peak_rss())
    begin = time.monotonic()
    result = function(**work["arguments"])
    seconds = time.monotonic() - begin
    _report(reports, seconds=seconds, peak=mark.peak or peak_rss(), result=result)


def _take_stdout() -> TextIO:
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # prints of the function must not end up among the reports
    return reports


def _find(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def _report(reports: TextIO, **values: Any) -> None:
    json.dump(values, reports)
    reports.write("\n")
    reports.flush()


if __name__ == "__main__":
    main()
