"""A job at 10 K to 1.14 M keys: its work-horse, a page of its result, its stream, its first rows; and two shards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from benchmarks.harness import Case, Comparison, Places
from benchmarks.tables import TABLES
from mesbatch.units import MiB

RUNS = 1
SIZES = ("events_10k", "events_114k", "events_1140k")
IMPORTS = (
    "mesbatch.source.postgres.driver",
    "mesbatch.source.sqlite.driver",
    "mesbatch.keys.strategy",
    "apsw",
    "psycopg",
)
HORSE, READING = 40 * MiB, 16 * MiB  # above the imports, at every size


def comparisons(places: Places, *, quick: bool) -> Iterator[Comparison]:
    for name in SIZES[:1] if quick else SIZES:
        for database in places.databases:
            yield Comparison(
                f"a job of two domains: {database}, {TABLES[name].keys:,} keys", _cases(places, database, name)
            )
    for name in SIZES[:1] if quick else SIZES[1:]:
        for database in places.databases:
            title = f"a job by IN lists: {database}, {TABLES[name].keys:,} keys"
            yield Comparison(title, _shards(places, database, name))


def _cases(places: Places, database: str, name: str) -> list[Case]:
    table = TABLES[name]
    asked = {"keys": places.keys(table.keys, table.keys), "lazy": True}
    where = places.table(database, name)
    return [
        _case("submission", "submit", where, READING, asked, "keys"),
        _case("work-horse", "run", where, HORSE, {}, "rows"),
        _case("a page of 5,000", "page", where, READING, {}, "page"),
        _case("the stream, finished", "stream", where, READING, {}, "stream"),
        _case("submission, any order", "submit", where | {"order": "any"}, READING, asked, "keys"),
        _case("followed while it runs, any order", "follow", where, READING, {}, "rows"),
    ]


def _shards(places: Places, database: str, name: str) -> list[Case]:
    """Compare one process with two; the ratio is to the first."""
    table = TABLES[name]
    asked = {"keys": places.keys(table.keys, table.keys), "lazy": True}
    where = places.table(database, name)
    return [
        replace(_case("one process", "split", where | {"shards": 1}, READING, asked, "rows"), kind="loop"),
        _case("two, shards=2", "split", where | {"shards": 2}, READING, asked, "rows"),
    ]


def _case(name: str, loop: str, where: dict[str, str], limit: int, more: dict[str, Any], format: str) -> Case:  # noqa: A002
    work = {"loop": f"benchmarks.loops.jobs:{loop}", "arguments": where, **more}
    return Case(name, "ours", work, imports=IMPORTS, limit=limit, format=format)
