"""The picture of a soak: each measure over time, with the moments of the faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.soak.run import Soak
from mesbatch.units import MiB

PANELS = (
    ("MiB resident", (("web_nbytes", "web, 3 processes"), ("worker_nbytes", "worker"))),
    ("open files, threads", (("files", "open files"), ("threads", "threads"))),
    ("permits, connections", (("permits", "permits"), ("connections", "database connections"))),
    ("keys in Valkey", (("redis_keys", "keys"),)),
)
COLOURS = ("#4c72b0", "#1f7a5c")


def plot(path: Path, record: Soak) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 8), layout="constrained")
    panels = figure.subplots(len(PANELS), sharex=True)
    minutes = [sample.at / 60 for sample in record.samples]
    for axes, (title, measures) in zip(panels, PANELS):
        for (name, label), colour in zip(measures, COLOURS):
            axes.plot(
                minutes, [_value(sample, name) for sample in record.samples], color=colour, label=label, linewidth=1
            )
        for at, _ in record.faults:
            axes.axvline(at / 60, color="#c8553d", linewidth=0.6, alpha=0.6)
        axes.set(ylabel=title, ylim=(0, 1.35 * axes.get_ylim()[1]), xlim=(0, record.seconds / 60))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8, loc="upper right", ncols=2)
    panels[0].set_title("a service under mixed load, a fault at each red line", loc="left", fontsize=10)
    panels[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=110)


def _value(sample: Any, name: str) -> float:
    value: int = getattr(sample, name)
    return value / MiB if name.endswith("nbytes") else value
