"""The figures as a table for people, as JSON, and as a picture."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.harness import Measured
from mesbatch.units import MiB

Results = Mapping[str, Sequence[Measured]]
HEADINGS = ("", "s", "x best loop", "CPU s", "first s", "above MiB", "allowed", "memray MiB")
COLOURS = {"loop": "#8a97a6", "peer": "#d9a441", "ours": "#1f77b4"}


def table(results: Results) -> str:
    """Write one table for each comparison, the fastest first."""
    tables = [f"{title}\n{_aligned(measured)}" for title, measured in results.items()]
    return "\n\n".join([*tables, *complaints(results)])


def complaints(results: Results) -> list[str]:
    """List every problem with memory or results; empty if all is well."""
    return [
        f"PROBLEM {title}: {one.case.name} {problem}"
        for title, measured in results.items()
        for one in measured
        for problem in one.problems
    ]


def machine() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "machine": platform.platform(),
    }


def figures(results: Results) -> dict[str, Any]:
    """Give everything that the table shows, for machines."""
    return {
        "measured_on": machine(),
        "comparisons": {title: [_figures_of(one) for one in measured] for title, measured in results.items()},
    }


def plot(path: Path, results: Results) -> None:
    """Draw a bar of seconds for each case, with its memory in words."""
    from matplotlib.figure import Figure

    shown = {title: [one for one in measured if not one.died] for title, measured in results.items()}
    heights = [len(measured) + 2 for measured in shown.values()]
    figure = Figure(figsize=(9, 0.8 + 0.32 * sum(heights)), layout="constrained")
    panels = figure.subplots(len(shown), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, (title, measured) in zip(panels, shown.items()):
        _bars(panel, title, sorted(measured, key=lambda one: -one.seconds))
    panels[-1].set_xlabel("seconds (grey: written by hand, blue: mesbatch); MiB above the imports")
    figure.savefig(path, dpi=110)


def in_words(results: Results, tell: Callable[[Measured], str]) -> str:
    """Give a line for each case, as *tell* has it, and its problems below it."""
    lines: list[str] = []
    for title, measured in results.items():
        lines.append(title)
        for one in measured:
            lines += [f"  {tell(one)}", *(f"    PROBLEM {problem}" for problem in one.problems)]
    return "\n".join(lines)


def plot_memory(path: Path, results: Results) -> None:
    """Draw a bar of MiB above the imports for each case, on a scale of powers of ten."""
    from matplotlib.figure import Figure

    shown = {title: [one for one in measured if not one.died] for title, measured in results.items()}
    heights = [len(measured) + 2 for measured in shown.values()]
    figure = Figure(figsize=(8, 0.6 + 0.26 * sum(heights)), layout="constrained")
    panels = figure.subplots(len(shown), 1, squeeze=False, sharex=True, height_ratios=heights)[:, 0]
    for panel, (title, measured) in zip(panels, shown.items()):
        by_memory = sorted(measured, key=lambda one: -one.above)
        bars = panel.barh(
            [one.case.name for one in by_memory],
            [one.above / MiB for one in by_memory],
            color=[COLOURS[one.case.kind] for one in by_memory],
        )
        panel.bar_label(bars, [f"{one.above / MiB:,.0f}" for one in by_memory], padding=3, fontsize=7)
        panel.set_title(title, loc="left", fontsize=9)
        panel.set(xscale="log", xlim=(1, 2_000))
        panel.tick_params(labelsize=7)
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("MiB above the imports (grey: written by hand, blue: mesbatch)", fontsize=8)
    figure.savefig(path, dpi=100)


def _bars(panel: Any, title: str, measured: Sequence[Measured]) -> None:
    seconds = [one.seconds for one in measured]
    colours = [COLOURS[one.case.kind] for one in measured]
    words = [f"{one.seconds:.2f} s, {one.above / MiB:,.0f} MiB" for one in measured]
    panel.bar_label(
        panel.barh([one.case.name for one in measured], seconds, color=colours), words, padding=3, fontsize=7
    )
    panel.set_title(title, loc="left", fontsize=9)
    panel.set_xlim(0, min(max(seconds), 5 * min(seconds)) * 1.25)  # the incident's bars may leave the picture
    panel.tick_params(labelsize=7)
    panel.spines[["top", "right"]].set_visible(False)


def _aligned(measured: Sequence[Measured]) -> str:
    rows = [HEADINGS, *(_cells(one) for one in sorted(measured, key=lambda one: (one.died, one.seconds)))]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (cell.rjust(width) for cell, width in zip(cells, widths))
    return "  ".join(["  " + first.strip().ljust(widths[0]), *others])


def _cells(one: Measured) -> tuple[str, ...]:
    name = ("* " if one.case.kind == "ours" else "  ") + one.case.name
    if one.died:
        return (name, "died", *[""] * (len(HEADINGS) - 2))
    return (
        name,
        f"{one.seconds:.2f}",
        f"{one.ratio:.2f}" if one.ratio else "",
        f"{one.cpu:.2f}",
        f"{one.first:.3f}",
        f"{one.above / MiB:,.1f}",
        f"{one.case.limit / MiB:,.1f}" if one.case.limit is not None else "",
        f"{one.traced / MiB:,.1f}" if one.traced is not None else "",
    )


def _figures_of(one: Measured) -> dict[str, Any]:
    case = one.case
    return {
        "case": case.name,
        "kind": case.kind,
        "seconds": round(one.seconds, 4),
        "ratio_to_best_loop": one.ratio and round(one.ratio, 3),
        "cpu_seconds": round(one.cpu, 4),
        "seconds_to_first": round(one.first, 4),
        "bytes_above_imports": one.above,
        "bytes_allowed": case.limit,
        "bytes_traced": one.traced,
        "count": one.count,
        "problems": one.problems,
    }
