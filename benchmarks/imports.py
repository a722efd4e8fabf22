"""The cost of ``import mesbatch`` in an interpreter that has imported nothing: 60 ms and 12 MiB are allowed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from benchmarks.harness import Case, Comparison, Measured, Places
from mesbatch.units import MiB

RUNS = 7
MODULES = ("mesbatch", "msgspec", "sqlite3", "psycopg", "sqlalchemy", "pandas")
CODE = """
import json, os, time
def rss(): return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before, begin = rss(), time.perf_counter()
import {module}
print(json.dumps([time.perf_counter() - begin, rss() - before]))
"""


def comparisons(places: Places, *, quick: bool) -> Iterator[Comparison]:
    yield Comparison("import: 0.060 s allowed", [_case(module) for module in MODULES])


def measure(comparison: Comparison, runs: int) -> list[Measured]:
    return [_measure(case, runs) for case in comparison.cases]


def _case(module: str) -> Case:
    ours = module == "mesbatch"
    return Case(module, "ours" if ours else "peer", {}, limit=12 * MiB if ours else None)


def _measure(case: Case, runs: int) -> Measured:
    seconds, above = zip(*(_import(case.name) for _ in range(runs)))
    measured = Measured(case, seconds=median(seconds), above=int(median(above)))
    if case.limit is not None and measured.above > case.limit:
        measured.problems.append(f"holds {measured.above / MiB:.1f} MiB, allowed {case.limit / MiB:.1f}")
    return measured


def _import(module: str) -> tuple[float, int]:
    done = subprocess.run([sys.executable, "-c", CODE.format(module=module)], capture_output=True, check=True)
    seconds, above = json.loads(done.stdout)
    return seconds, above
