"""A picture of the memory of watched processes over time."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, log2
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from mesbatch.demo.watch import Watched
from mesbatch.units import MiB, format_bytes

COLOURS = {"incident": "#c8553d", "first repair": "#e0a030", "mesbatch": "#1f7a5c"}
OTHER_COLOUR = "#4c72b0"
TICKS = 6  # at most, and at powers of two, as memory is counted
INK, GRID = "#333333", "#e4e4e0"


def draw_memory(path: Path, title: str, runs: Mapping[str, Watched]) -> None:
    """Write a PNG to *path*: one line for each of *runs*, in bytes above what its imports hold.

    The legend gives each run's seconds and peak. Needs matplotlib, but no display.
    """
    figure = Figure(figsize=(9.6, 5.0), dpi=150, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, run in runs.items():
        _draw_run(axes, name, run)
    _dress(axes, title, max(run.above for run in runs.values()))
    figure.legend(loc="outside lower center", ncols=len(runs), frameon=False, labelcolor=INK)
    figure.savefig(path)


def _draw_run(axes: Axes, name: str, run: Watched) -> None:
    seconds = [0.0, *(sample.seconds for sample in run.samples)]
    above = [0, *(max(0, sample.rss - run.baseline) for sample in run.samples)]
    colour = COLOURS.get(name, OTHER_COLOUR)
    label = f"{name}: {run.seconds:,.1f} s, peak {format_bytes(run.above)}"
    axes.plot(seconds, above, color=colour, linewidth=1.6, marker="o", markersize=4, markevery=[-1], label=label)
    axes.fill_between(seconds, above, color=colour, alpha=0.12, linewidth=0)


def _dress(axes: Axes, title: str, peak: int) -> None:
    axes.set_title(title, loc="left", color=INK, fontsize=12, pad=12)
    axes.set_xlabel("seconds", color=INK)
    axes.set_ylabel("resident memory above the imports", color=INK)
    axes.yaxis.set_major_locator(MultipleLocator(2 ** ceil(log2(max(peak, MiB) / TICKS))))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda nbytes, _: format_bytes(nbytes)))
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(colors=INK, length=0)
