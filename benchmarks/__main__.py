"""``python -m benchmarks NAME``: a table and a picture; fails for memory and wrong results, never for time."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module

import click

from benchmarks import report
from benchmarks.cache import cache_directory
from benchmarks.harness import Comparison, Places, measure, problems_of
from benchmarks.server import KeptPostgres

NAMES = {"scan": "scan", "keyed": "keyed", "trace": "trace", "flat": "flat", "import": "imports"}
DATABASES = ("sqlite", "postgres")


@click.command()
@click.argument("name", type=click.Choice(list(NAMES)))
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON instead of a table.")
@click.option("--quick", is_flag=True, help="Small tables, one run: under a minute.")
@click.option("--runs", type=click.IntRange(1), help="Runs of each case; medians are shown.  [default: 3, flat: 1]")
@click.option("--databases", default=",".join(DATABASES), show_default=True, help="Separated by commas.")
@click.option("--only", default="", help="Only comparisons whose title holds this text.")
def main(name: str, as_json: bool, quick: bool, runs: int | None, databases: str, only: str) -> None:
    """Measure NAME: scan, keyed, trace, flat or import."""
    module = import_module(f"benchmarks.{NAMES[name]}")
    chosen = [database for database in DATABASES if database in databases.split(",")]
    with ExitStack() as stack:
        url = stack.enter_context(KeptPostgres()).url if "postgres" in chosen else ""
        wanted: Iterator[Comparison] = module.comparisons(Places(chosen, url), quick=quick)
        usual: int = getattr(module, "RUNS", 3)
        turns = runs or (1 if quick else usual)
        runner = getattr(module, "measure", measure)
        results = {one.title: runner(one, turns) for one in wanted if only in one.title}
    figures = report.figures(results)
    (cache_directory() / f"{name}.json").write_text(json.dumps(figures, indent=1))
    print(json.dumps(figures, indent=1) if as_json else report.table(results))
    getattr(module, "plot", report.plot)(name, results)
    if problems := problems_of(results):
        sys.exit("\n".join(["", *problems]))


if __name__ == "__main__":
    main()
