"""A harness that runs cases, each in a process of its own, and compares them with the best loop written by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from statistics import median
from time import sleep
from typing import Any, Literal

from benchmarks.cache import cache_directory
from benchmarks.data import make_mariadb, postgres_table, sqlite_file
from benchmarks.server import processor_seconds
from benchmarks.tables import TABLES, cids
from mesbatch.demo.watch import Watched, WatchFailed, watch
from mesbatch.units import MiB

Kind = Literal["loop", "peer", "ours"]
SESSION_ENDS_IN = 0.2  # seconds, after its client has closed it


@dataclass(frozen=True, slots=True)
class Case:
    """One way to do the work; *arguments* are those of `benchmarks.inside.run`.

    *limit* is what it may hold above its imports, in bytes. *once* is for what takes minutes. Cases of one *format*
    must give the same number of bytes or rows, and *expected* if that is known. *server* says that the processor time
    of PostgreSQL is measured, too.
    """

    name: str
    kind: Kind
    arguments: Mapping[str, Any]
    imports: Sequence[str] = ()
    limit: int | None = None
    once: bool = False
    format: str = "same"
    expected: int | None = None
    server: bool = False

    @property
    def modules(self) -> list[str]:
        """The modules to import before the baseline is taken."""
        named = [self.arguments[name] for name in ("loop", "lines") if name in self.arguments]
        return [*self.imports, *(name.partition(":")[0] for name in named)]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Cases that do the same work on the same rows through the same driver; *trial* holds them on a small table."""

    title: str
    cases: Sequence[Case]
    trial: Sequence[Case] = ()


@dataclass(slots=True)
class Measured:
    """The medians of a case's runs; *problems* are those with memory or result, never with time.

    *above* and *traced* are bytes at the peak: resident beyond the imports, and allocated as memray counts them.
    """

    case: Case
    seconds: float = 0.0
    first: float = 0.0
    cpu: float = 0.0
    server_cpu: float = 0.0
    above: int = 0
    count: int = 0
    ratio: float | None = None
    traced: int | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def died(self) -> bool:
        return not self.seconds


class Places:
    """The places of tables and of lists of keys; those that are missing are built."""

    def __init__(
        self, databases: Sequence[str], postgres_url: str, mariadb: Mapping[str, Any] | None = None, only: str = ""
    ) -> None:
        self.databases, self._only = databases, only
        self.postgres_url = postgres_url
        self._mariadb = dict(mariadb or {})  # arguments of `connect`
        self._in_mariadb: set[str] = set()

    def table(self, database: str, name: str) -> dict[str, str]:
        """Give the arguments *database* and *table* of a loop."""
        if database == "sqlite":
            return {"database": str(sqlite_file(TABLES[name])), "table": name}
        if database == "mysql":
            if name not in self._in_mariadb:
                make_mariadb(self._mariadb, TABLES[name])
                self._in_mariadb.add(name)
            return {"database": json.dumps(self._mariadb), "table": name}
        return {"database": self.postgres_url, "table": postgres_table(self.postgres_url, TABLES[name])}

    def wants(self, title: str) -> bool:
        """Tell whether the comparison with this *title* was asked for: no table need be built for any other."""
        return self._only in title

    def keys(self, number: int, of: int) -> str:
        """Find a file with *number* keys of a table of *of* keys."""
        path = cache_directory() / f"keys_{number}_of_{of}.txt"
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            with unfinished.open("w") as file:
                file.writelines(f"{key}\n" for key in cids(number, of))
            unfinished.rename(path)
        return str(path)


def measure(comparison: Comparison, runs: int) -> list[Measured]:
    """Check that all cases of *comparison* give the same rows, then run them in turn, *runs* times."""
    measured = [Measured(case) for case in comparison.cases]
    watched: list[list[Watched]] = [[] for _ in measured]
    differences = _differences(comparison.trial)
    for turn in range(runs):
        for one, results in zip(measured, watched):
            if not one.problems and not (one.case.once and turn):
                _say(f"{comparison.title}: {one.case.name}, run {turn + 1}")
                with _noting_death(one):
                    results.append(_watch(one.case))
    _say("")
    for one, results in zip(measured, watched):
        _summarise(one, results)
        one.problems += differences.get(one.case.name, [])
    _compare([one for one in measured if not one.died])
    return measured


def trace(one: Measured) -> None:
    """Run the case of *one* again under memray."""
    with _noting_death(one):
        one.traced = _watch(one.case, "traced").result


def _differences(trial: Sequence[Case]) -> dict[str, list[str]]:
    """Find the cases whose rows differ from those of the first case, on the small table."""
    work = json.dumps({case.name: case.arguments for case in trial})
    results = _checked(work)
    expected = next(iter(results.values()), "")
    return {name: [f"gave {result}, not {expected}"] for name, result in results.items() if result != expected}


@cache
def _checked(work: str) -> dict[str, str]:
    _say("checking that all give the same rows")
    found: dict[str, str] = watch("benchmarks.inside:check", {"cases": json.loads(work)}).result
    return found


def _watch(case: Case, module: str = "inside", **more: Any) -> Watched:
    before = processor_seconds() if case.server else 0.0
    watched = watch(f"benchmarks.{module}:run", {**case.arguments, **more}, preload=case.modules)
    if case.server:
        sleep(SESSION_ENDS_IN)
        watched.result["server"] = processor_seconds() - before
    return watched


@contextmanager
def _noting_death(one: Measured) -> Iterator[None]:
    try:
        yield
    except WatchFailed as error:
        first, *_, last = str(error).splitlines()
        one.problems.append(f"{first} {last}")


def _summarise(one: Measured, runs: list[Watched]) -> None:
    """Fill in the medians, and their problems."""
    if not runs:
        return
    one.seconds = median(run.seconds for run in runs)
    one.above = int(median(run.above for run in runs))
    one.first = median(run.result["first"] for run in runs)
    one.cpu = median(run.result["cpu"] for run in runs)
    one.server_cpu = median(run.result.get("server", 0.0) for run in runs)
    one.count = runs[0].result["count"]
    limit, expected = one.case.limit, one.case.expected
    if len({run.result["count"] for run in runs}) > 1:
        one.problems.append("its runs differ")
    if expected is not None and one.count != expected:
        one.problems.append(f"gave {one.count:,} rows, not {expected:,}")
    if limit is not None and one.above > limit:
        one.problems.append(f"held {one.above / MiB:.1f} MiB above its imports, allowed {limit / MiB:.1f}")


def _compare(measured: Sequence[Measured]) -> None:
    """Set the ratios to the best loop; cases of one format must agree on their size."""
    best = min((one.seconds for one in measured if one.case.kind == "loop"), default=None)
    sizes: dict[str, int] = {}
    for one in measured:
        one.ratio = one.seconds / best if best else None
        size = sizes.setdefault(one.case.format, one.count)
        if one.count != size:
            one.problems.append(f"gave {one.count:,}, not {size:,}")


def _say(text: str) -> None:
    """Tell what runs now, in one line that replaces the last."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
