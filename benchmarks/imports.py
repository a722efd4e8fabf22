"""The processor time of ``import mesbatch`` in an interpreter that has imported nothing, beside ``import psycopg``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from benchmarks.harness import Case, Comparison, Measured, Places
from mesbatch.units import MiB

RUNS = 7
STATEMENTS = (
    "import mesbatch",
    "from mesbatch import read_sql_iter",
    "from mesbatch import group_by_key",
    "import msgspec",
    "import sqlite3",
    "import psycopg",
    "import sqlalchemy",
    "import pandas",
)
CODE = """
import json, os, time
def rss(): return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before, begin = rss(), time.process_time()
{statement}
print(json.dumps([time.process_time() - begin, rss() - before]))
"""


def comparisons(places: Places, *, quick: bool) -> Iterator[Comparison]:
    yield Comparison("import: 0.35 of psycopg's processor time wanted", [_case(statement) for statement in STATEMENTS])


def measure(comparison: Comparison, runs: int) -> list[Measured]:
    """Import in turn, *runs* times; ratios are those to psycopg."""
    taken = [[_import(case.name) for case in comparison.cases] for _ in range(runs)]
    measured = [_summarise(case, *zip(*results)) for case, results in zip(comparison.cases, zip(*taken))]
    psycopg = next(one.cpu for one in measured if one.case.name == "import psycopg")
    for one in measured:
        one.ratio = one.cpu / psycopg
    return measured


def _case(statement: str) -> Case:
    ours = "mesbatch" in statement
    return Case(statement, "ours" if ours else "peer", {}, limit=12 * MiB if ours else None)


def _summarise(case: Case, seconds: Sequence[float], above: Sequence[int]) -> Measured:
    measured = Measured(case, seconds=median(seconds), cpu=median(seconds), above=int(median(above)))
    if case.limit is not None and measured.above > case.limit:
        measured.problems.append(f"holds {measured.above / MiB:.1f} MiB, allowed {case.limit / MiB:.1f}")
    return measured


def _import(statement: str) -> tuple[float, int]:
    done = subprocess.run([sys.executable, "-c", CODE.format(statement=statement)], capture_output=True, check=True)
    seconds, above = json.loads(done.stdout)
    return seconds, above


def table(results: Mapping[str, Sequence[Measured]]) -> str:
    """Write processor time in milliseconds: the usual table has too few digits for it."""
    rows = [
        f"{one.case.name:36} {1_000 * one.cpu:7.1f} {one.ratio or 0:10.2f} {one.above / MiB:10.1f}"
        for measured in results.values()
        for one in measured
    ]
    return "\n".join([f"{'':36} {'CPU ms':>7} {'x psycopg':>10} {'above MiB':>10}", *rows])
