"""Rows that come in no order of their keys, grouped within 8 MiB: as rows, and as NDJSON with a line a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks import ours, report
from benchmarks.harness import Case, Comparison, Measured, Places
from benchmarks.scan import DRIVERS, LOOPS
from benchmarks.tables import TABLES
from mesbatch.units import MiB

TABLE = "events_114k_shuffled"
READING = "reading alone"


def comparisons(places: Places, *, quick: bool) -> Iterator[Comparison]:
    name = "events_10k" if quick else TABLE
    for database in places.databases:
        for driver in DRIVERS[database]:
            cases, trial = (list(_cases(places, database, driver, table)) for table in (name, "events_1k"))
            trial = [case for case in trial if case.format == "rows"]  # every line is compared by the sink's tests
            yield Comparison(f"unordered {name}: {database}, {driver}", cases, trial)


def _cases(places: Places, database: str, driver: str, table: str) -> Iterator[Case]:
    where = places.table(database, table)
    module = f"{LOOPS}.{'postgres' if driver == 'psycopg' else 'sqlite'}"
    by_hand = where if driver == "psycopg" else where | {"driver": driver}
    limit = ours.ABOVE + ours.GROUPS_MAX_BYTES + TABLES[table].keys * ours.BYTES_PER_GROUP
    everything = {"loop": f"{module}:scan", "lines": f"{LOOPS}.lines:of_everything", "arguments": by_hand}
    yield Case(READING, "loop", {"loop": f"{module}:scan", "arguments": by_hand}, format="rows")
    yield Case("NDJSON: a dict of everything", "loop", everything, format="lines")
    for name, loop, form in (
        ("group_by_key, items", "unordered_groups", "rows"),
        ("NDJSON: group_by_key, ndjson_groups", "grouped_scan", "lines"),
        ("NDJSON: ndjson_by_key", "lines_by_key", "lines"),
    ):
        yield _with_format(ours.case(name, driver, {"arguments": where}, loop, limit), form)


def _with_format(case: Case, form: str) -> Case:
    return Case(case.name, case.kind, case.arguments, case.imports, case.limit, format=form)


def table(results: Mapping[str, Sequence[Measured]]) -> str:
    """Write processor time and memory side by side: seconds on the wall say nothing beside other work."""
    tables = [f"{title}\n{_lines(measured)}" for title, measured in results.items()]
    return "\n\n".join([*tables, *report.complaints(results)])


def _lines(measured: Sequence[Measured]) -> str:
    reading = next(one.cpu for one in measured if one.case.name == READING)
    rows = [f"{one.case.name:45} {one.cpu:7.2f} {one.cpu / reading:8.2f} {one.above / MiB:10,.1f}" for one in measured]
    return "\n".join([f"{'':45} {'CPU s':>7} {'x alone':>8} {'above MiB':>10}", *rows])
