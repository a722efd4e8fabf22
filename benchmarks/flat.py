"""Memory at 1 K to 1.14 M keys: reading, keyed reading, grouping, folding and writing must stay flat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import harness, ours, report
from benchmarks.harness import Case, Comparison, Measured, Places
from benchmarks.report import Results
from benchmarks.tables import TABLES
from mesbatch.units import MiB

RUNS = 1  # memory, unlike time, is the same in every run
SIZES = ("events_1k", "events_10k", "events_114k", "events_1140k")
TRACED = SIZES[:3]  # memray writes down every allocation: the largest table would take it an hour
GROWTH = 3 * MiB  # from 10 K to 1.14 M keys, beside the keys
DRIVERS = {"postgres": "psycopg", "sqlite": "sqlite3"}
OPERATIONS = {
    "read": "scan",
    "keyed read": "keyed",
    "iter_groups": "groups",
    "group_by_key(max_bytes=8 MiB)": "spilled_groups",
    "fold": "folded",
    "NDJSON, a line a key": "trace",
}
COLOURS = dict(zip(OPERATIONS, ("#7f7f7f", "#1f77b4", "#2ca02c", "#d62728", "#9467bd", "#ff7f0e")))


def comparisons(places: Places, *, quick: bool) -> Iterator[Comparison]:
    """Make a comparison for each operation, database and source of keys; its cases are the sizes."""
    for database in places.databases:
        for operation in OPERATIONS:
            for source in ("",) if operation == "read" else ("list", "iterator"):
                sizes = SIZES[:2] if quick else SIZES
                cases = [_case(places, database, operation, source, name) for name in sizes]
                yield Comparison(_title(database, operation, source), cases)


def measure(comparison: Comparison, runs: int) -> list[Measured]:
    """Measure as for any comparison, then again under memray, and check that memory did not grow from size to size."""
    measured = harness.measure(comparison, runs)
    complete = len(measured) == len(SIZES)
    for one in measured[: len(TRACED) if complete else 1]:
        harness.trace(one)
    if complete:
        _check_growth(measured[1], measured[-1])
    return measured


def table(results: Results) -> str:
    """Write a line for each operation, a column for each size."""
    sizes = [one.case.name.removeprefix("mesbatch, ") for one in next(iter(results.values()))]
    lines = [["MiB above the imports (memray)", *sizes, "allowed at the last"]]
    for title, measured in results.items():
        allowed = measured[-1].case.limit or 0
        lines.append([title, *map(_cell, measured), f"{allowed / MiB:.1f}"])
    widths = [max(map(len, column)) for column in zip(*lines)]
    rows = ["  ".join([title.ljust(widths[0]), *map(str.rjust, cells, widths[1:])]) for title, *cells in lines]
    return "\n".join([*rows, *report.complaints(results)])


def plot(path: Path, results: Results) -> None:
    """Draw MiB above the imports over the number of keys, a panel for each database and source of keys."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for row, database in zip(panels, DRIVERS):
        for panel, source in zip(row, ("list", "iterator")):
            _draw(panel, database, source, results)
    panels[0][0].legend(fontsize=7)
    figure.savefig(path, dpi=110)


def _title(database: str, operation: str, source: str) -> str:
    return f"{database}: {operation}" + (f", keys from {source}" if source else "")


def _case(places: Places, database: str, operation: str, source: str, name: str) -> Case:
    table = TABLES[name]
    keys = {"keys": places.keys(table.keys, table.keys), "lazy": source == "iterator"} if source else {}
    shared = {"arguments": places.table(database, name), **keys}
    limit = ours.ABOVE + _own_cost(operation, source, table.keys)
    case = ours.case(name, DRIVERS[database], shared, OPERATIONS[operation], limit)
    return replace(case, format=name, expected=None if "NDJSON" in operation else table.num_rows())


def _cell(one: Measured) -> str:
    if one.died:
        return "died"
    return f"{one.above / MiB:.1f}" + (f" ({one.traced / MiB:.1f})" if one.traced else "")


def _own_cost(operation: str, source: str, keys: int) -> int:
    """Add up the bytes beside the reader: keys in a list, the budget and the index of `group_by_key`."""
    grouping = ours.GROUPS_MAX_BYTES + ours.BYTES_PER_GROUP * keys if "group_by_key" in operation else 0
    return grouping + (ours.BYTES_PER_KEY * keys if source == "list" else 0)


def _check_growth(small: Measured, large: Measured) -> None:
    assert small.case.limit is not None
    assert large.case.limit is not None
    grown, allowed = large.above - small.above, GROWTH + large.case.limit - small.case.limit
    if grown > allowed:
        large.problems.append(f"grew by {grown / MiB:.1f} MiB from {small.case.name}, allowed {allowed / MiB:.1f}")


def _draw(panel: Any, database: str, source: str, results: Results) -> None:
    for operation, colour in COLOURS.items():
        title = _title(database, operation, "" if operation == "read" else source)
        if measured := results.get(title):
            keys = [TABLES[one.case.format].keys for one in measured]
            panel.plot(keys, [one.above / MiB for one in measured], "o-", color=colour, label=operation)
    sizes = [TABLES[name].keys for name in SIZES]
    limits = [(ours.ABOVE + _own_cost("", source, keys)) / MiB for keys in sizes]
    panel.plot(sizes, limits, "--", color="black", linewidth=1, label="allowed: 16 MiB and the keys")
    panel.set(
        title=f"{database}, keys from {source}", xscale="log", xlabel="keys", ylabel="MiB above the imports", ylim=0
    )
