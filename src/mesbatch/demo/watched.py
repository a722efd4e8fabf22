"""The inside of a watched process: import, report, call, report."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO


def main() -> None:
    """Read the work from stdin as JSON; write one JSON line when the imports are done and one with the result."""
    reports = _take_stdout()
    work = json.load(sys.stdin)
    for module in work["preload"]:
        import_module(module)
    function = _find(work["target"])
    _forget_peak()
    _report(reports, rss=resident_memory())
    begin = time.monotonic()
    result = function(**work["arguments"])
    seconds = time.monotonic() - begin
    _report(reports, seconds=seconds, peak=peak_memory(), result=result)


def resident_memory() -> int:
    """The memory that this process holds now, in bytes; its peak so far where there is no /proc."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return peak_memory()


def peak_memory() -> int:
    """The most memory that this process has held, in bytes.

    Linux: VmHWM, because ``ru_maxrss`` starts at what the *parent* held when it started this process.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _take_stdout() -> TextIO:
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the function prints must not end up among the reports
    return reports


def _find(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def _forget_peak() -> None:
    with suppress(OSError):  # not Linux, or not allowed: then the peak includes that of the imports
        Path("/proc/self/clear_refs").write_text("5")


def _report(reports: TextIO, **values: Any) -> None:
    json.dump(values, reports)
    reports.write("\n")
    reports.flush()


if __name__ == "__main__":
    main()
