"""The report of the demo: aligned lines of rows, seconds and memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mesbatch.demo.watch import Watched
from mesbatch.units import format_bytes


def trace_report(traced: Watched) -> Iterator[str]:
    """Write the lines about one trace: each domain, all of them, and the memory that it took."""
    result = traced.result
    yield f"{'domain':<20}{'rows':>12}{'rows/s':>12}{'first row':>12}  status"
    for name, domain in result["domains"].items():
        yield _domain_line(name, domain, domain["seconds"], domain["status"])
    yield _domain_line("all", result, traced.seconds, "complete" if result["complete"] else "NOT complete")
    yield ""
    yield f"{format_bytes(result['nbytes'])} of NDJSON in {traced.seconds:,.1f} s"
    yield f"peak memory {format_bytes(traced.above)} above the imports, which hold {format_bytes(traced.baseline)}"
    if result["error"]:
        yield f"the stream ended with an error: {result['error']}"


def comparison_heading() -> str:
    """Write the line above the `comparison_line` of each pipeline."""
    return f"{'pipeline':<20}{'rows':>12}{'seconds':>12}  peak above the imports"


def comparison_line(name: str, run: Watched) -> str:
    """Write the line with the rows, seconds and memory of one pipeline."""
    return f"{name:<20}{run.result['rows']:>12,}{run.seconds:>12,.1f}  {format_bytes(run.above)}"


def _domain_line(name: str, part: dict[str, Any], seconds: float, status: str) -> str:
    first = "-" if part["first_row"] is None else f"{part['first_row']:.2f} s"
    pace = "-" if not part["rows"] else f"{part['rows'] / seconds:,.0f}"
    return f"{name:<20}{part['rows']:>12,}{pace:>12}{first:>12}  {status}"
