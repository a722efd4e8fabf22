"""``python -m benchmarks.soak --minutes 20``: a table, a picture, and a failure if anything grew."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from benchmarks.cache import cache_directory
from benchmarks.soak.plot import plot
from benchmarks.soak.run import MINUTES, soak
from benchmarks.soak.samples import quarters


@click.command()
@click.option("--minutes", default=MINUTES, show_default=True, help="How long the load goes on.")
def main(minutes: float) -> None:
    """Run the service under load, and tell what it held."""
    record = soak(minutes)
    print("median (least to most) in each quarter", *quarters(record.samples, record.seconds), sep="\n")
    print(f"after the load: {record.settled}")
    print("faults:", dict(Counter(name for _, name in record.faults)), "killed for memory:", record.kills)
    print("\n".join(f"{count:8,} {ending}" for ending, count in sorted(record.account.endings.items())))
    samples = {"samples": [asdict(sample) for sample in record.samples], "faults": record.faults}
    (cache_directory() / "soak.json").write_text(json.dumps(samples))
    path = Path(__file__).parents[1] / "plots" if minutes >= MINUTES else cache_directory() / "quick"
    path.mkdir(parents=True, exist_ok=True)
    plot(path / "soak.png", record)
    print(f"picture: {path / 'soak.png'}", file=sys.stderr)
    for complaint in record.complaints():
        print("PROBLEM", complaint)
    sys.exit(1 if record.complaints() else 0)


if __name__ == "__main__":
    main()
