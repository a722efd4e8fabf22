"""T2: the same rows by lists of keys, on this table and on others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks import ours, peers
from benchmarks.harness import Case, Comparison, Places
from benchmarks.scan import DRIVERS, LOOPS
from benchmarks.tables import TABLES

POSTGRES_LOOPS = {
    "IN lists": "in_lists",
    "IN lists, sorted keys": "sorted_in_lists",
    "arrays, sorted keys": "sorted_arrays",
    "arrays, sorted keys, read ahead": "sorted_arrays_read_ahead",
    "arrays, lateral": "lateral_arrays",
    "temporary table": "temporary_table",
    "temporary table, ordered": "ordered_temporary_table",
    "temporary table, lateral": "lateral_temporary_table",
}
SQLITE_LOOPS = {
    "IN lists": "in_lists",
    "IN lists, sorted keys": "sorted_in_lists",
    "temporary table": "temporary_table",
    "temporary table, ordered": "ordered_temporary_table",
    "temporary table, joined in order": "joined_temporary_table",
}


@dataclass(frozen=True, slots=True)
class Point:
    """Some keys of a table."""

    table: str
    keys: int

    @property
    def title(self) -> str:
        return f"{self.keys:,} of {TABLES[self.table].keys:,} keys of {self.table}"


TRIAL = Point("events_1k", 1_000)
QUICK_TRIAL = Point("events_1k", 200)  # looking at each row of each case costs more than reading it
QUICK = (Point("events_10k", 2_000),)
POINTS = (
    Point("events_114k", 114_000),
    Point("events_1140k", 11_400),
    Point("events_1140k", 114_000),
    Point("one_big_key", 1_000),
    Point("long_remarks", 10_700),
)
WITH_PEERS = (POINTS[0], QUICK[0], TRIAL, QUICK_TRIAL)


def comparisons(places: Places, *, quick: bool) -> Iterator[Comparison]:
    for point in QUICK if quick else POINTS:
        for database in places.databases:
            for driver in DRIVERS[database]:
                title = f"rows by keys: {database}, {driver}: {point.title}"
                here, trial = (_cases(places, database, driver, at) for at in (point, QUICK_TRIAL if quick else TRIAL))
                yield Comparison(title, here, trial)


def work_at(places: Places, database: str, point: Point) -> dict[str, Any]:
    """Give the arguments *arguments* and *keys* that all cases at *point* share."""
    of = TABLES[point.table].keys
    return {"arguments": places.table(database, point.table), "keys": places.keys(point.keys, of)}


def loops_of(driver: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Give function and further arguments of every keyed loop of *driver*, by name."""
    if driver == "psycopg":
        return {name: (f"{LOOPS}.postgres:{loop}", {}) for name, loop in POSTGRES_LOOPS.items()}
    return {name: (f"{LOOPS}.sqlite:{loop}", {"driver": driver}) for name, loop in SQLITE_LOOPS.items()}


def _cases(places: Places, database: str, driver: str, point: Point) -> list[Case]:
    shared = work_at(places, database, point)
    cases = []
    for name, (loop, more) in loops_of(driver).items():
        cases.append(Case(name, "loop", shared | {"loop": loop, "arguments": shared["arguments"] | more}))
    if driver != "apsw" and point in WITH_PEERS:
        cases += peers.keyed(shared)
    return [*cases, *ours.cases(driver, shared, "keyed", ours.allowed(point.keys))]
