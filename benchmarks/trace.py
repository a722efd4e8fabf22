"""T3: keyed read, grouped, as NDJSON with one line a key: the trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks import ours, peers
from benchmarks.harness import Case, Comparison, Places
from benchmarks.keyed import POINTS, QUICK, QUICK_TRIAL, TRIAL, WITH_PEERS, Point, loops_of, work_at
from benchmarks.scan import DRIVERS, LOOPS
from benchmarks.tables import TABLES

ORDERED = {
    "arrays, lateral",
    "temporary table, ordered",
    "temporary table, lateral",
    "temporary table, joined in order",
}
KEYS_HELD = {
    "arrays, sorted keys": 1_000,
    "arrays, sorted keys, read ahead": 1_000,
}  # 10,000 would hold 100 MiB of rows
UNORDERED_TABLE = "events_114k_shuffled"


def comparisons(places: Places, *, quick: bool) -> Iterator[Comparison]:
    for point in QUICK if quick else POINTS:
        for database in places.databases:
            for driver in DRIVERS[database]:
                here, trial = (_cases(places, database, driver, at) for at in (point, QUICK_TRIAL if quick else TRIAL))
                yield Comparison(f"trace: {database}, {driver}: {point.title}", here, trial)
    for database in places.databases:
        for driver in DRIVERS[database]:
            yield Comparison(
                f"unordered input, grouped: {database}, {driver}",
                _unordered(places, database, driver, "events_10k" if quick else UNORDERED_TABLE),
                _unordered(places, database, driver, "events_1k"),
            )


def _cases(places: Places, database: str, driver: str, point: Point) -> list[Case]:
    shared = work_at(places, database, point)
    cases = list(_written_by_hand(driver, shared))
    if driver != "apsw" and point in WITH_PEERS:
        cases += _peers(shared)
    return [*cases, *ours.cases(driver, shared, "trace", ours.allowed(point.keys))]


def _written_by_hand(driver: str, shared: dict[str, Any]) -> Iterator[Case]:
    for name, (loop, more) in loops_of(driver).items():
        lines = "of_ordered" if name in ORDERED else "of_key_batches"
        if name == "temporary table":
            continue  # one unordered statement: its only key batch is everything
        arguments = shared["arguments"] | more | ({"size": KEYS_HELD[name]} if name in KEYS_HELD else {})
        work = shared | {"loop": loop, "lines": f"{LOOPS}.lines:{lines}", "arguments": arguments}
        yield Case(name, "loop", work)


def _peers(shared: dict[str, Any]) -> list[Case]:
    incident = shared | {"loop": f"{LOOPS}.incident:incident"}
    repair = shared | {"loop": f"{LOOPS}.incident:first_repair"}
    return [
        Case("the incident's", "peer", incident, imports=["pandas"], once=True, format="incident"),
        Case("its first repair", "peer", repair, format="first repair"),
        *peers.traces(shared),
    ]


def _unordered(places: Places, database: str, driver: str, table: str) -> list[Case]:
    where = places.table(database, table)
    module = f"{LOOPS}.{'postgres' if driver == 'psycopg' else 'sqlite'}"
    arguments = where if driver == "psycopg" else where | {"driver": driver}
    everything = {"loop": f"{module}:scan", "lines": f"{LOOPS}.lines:of_everything", "arguments": arguments}
    sorted_first = {"loop": f"{module}:ordered_scan", "lines": f"{LOOPS}.lines:of_ordered", "arguments": arguments}
    limit = ours.ABOVE + ours.GROUPS_MAX_BYTES + TABLES[table].keys * ours.BYTES_PER_GROUP
    return [
        Case("a dict of everything", "loop", everything),
        Case("sorted by the database", "loop", sorted_first),
        ours.case("group_by_key(max_bytes=8 MiB)", driver, {"arguments": where}, "grouped_scan", limit),
    ]
