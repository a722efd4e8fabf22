"""``python -m benchmarks NAME``: a table and a picture; fails for memory and wrong results, never for time."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import click

from benchmarks import harness, report
from benchmarks.cache import cache_directory
from benchmarks.harness import Places
from benchmarks.server import KeptPostgres
from tests.rig.mariadb import PrivateMariadb

NAMES = (
    "scan", "keyed", "trace", "shares", "unordered", "flat", "imports", "admission", "jobs", "export", "oracle",
    "incident", "attribution",
)  # fmt: skip
DATABASES = ("sqlite", "postgres")


@click.command()
@click.argument("name", type=click.Choice(NAMES))
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON instead of a table.")
@click.option("--quick", is_flag=True, help="Small tables, one run: under a minute.")
@click.option("--runs", type=click.IntRange(1), help="Runs of each case; medians are shown.  [default: 3, flat: 1]")
@click.option("--databases", default=",".join(DATABASES), show_default=True, help="Separated by commas.")
@click.option("--only", default="", help="Only comparisons whose title holds this text.")
def main(name: str, as_json: bool, quick: bool, runs: int | None, databases: str, only: str) -> None:
    """Measure NAME."""
    module = import_module(f"benchmarks.{name}")
    known = getattr(module, "DATABASES", DATABASES)
    chosen = [database for database in (*known, *getattr(module, "MORE", ())) if database in databases.split(",")]
    usual: int = getattr(module, "RUNS", 3)
    with ExitStack() as stack:
        url = stack.enter_context(KeptPostgres()).url if "postgres" in chosen else ""
        mariadb = stack.enter_context(PrivateMariadb()).arguments if "mysql" in chosen else None
        places = Places(chosen, url, mariadb, only)
        wanted = (one for one in module.comparisons(places, quick=quick) if places.wants(one.title))
        measure = getattr(module, "measure", harness.measure)
        results = {one.title: measure(one, runs or (1 if quick else usual)) for one in wanted}
    figures = json.dumps(report.figures(results), indent=1)
    print(figures if as_json else getattr(module, "table", report.table)(results))
    path = (cache_directory() / "quick" if quick else Path(__file__).parent / "plots") / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    getattr(module, "plot", report.plot)(path, results)
    if not hasattr(module, "plot"):
        report.plot_memory(path.with_stem(f"{name}-memory"), results)
    print(f"picture: {path}", file=sys.stderr)
    sys.exit(1 if report.complaints(results) else 0)


if __name__ == "__main__":
    main()
