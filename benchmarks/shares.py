"""Shares of a table's keys on PostgreSQL: `auto` beside every way that there is, as rows and as NDJSON by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks import ours, report
from benchmarks.harness import Case, Comparison, Measured, Places
from benchmarks.keyed import TRIAL, Point, work_at
from benchmarks.scan import LOOPS
from benchmarks.tables import TABLES
from mesbatch.units import MiB

DATABASES = ("postgres",)
# The rows of a key lie together in the first table and the third, and anywhere in the others.
TABLE_NAMES = ("events_114k", "events_114k_shuffled", "events_1140k_in_order", "events_1140k")
PERCENT = (100, 50, 10, 1)
UNORDERED = "unordered stream, by hand"
ANY_ORDER = "temporary-table, any order"
BY_KEY: Mapping[str, Mapping[str, str]] = {
    "auto": {},
    "look-up": {"strategy": "look-up"},
    "temporary-table": {"strategy": "temporary-table"},
}
MERGED = f"{ANY_ORDER}, ndjson_by_key"
HEADINGS = ["", "s", "x best", "client CPU", "x unordered", "server CPU", "both x best", "first s", "above MiB"]


def comparisons(places: Places, *, quick: bool) -> Iterator[Comparison]:
    for table in ("events_10k",) if quick else TABLE_NAMES:
        for percent in PERCENT:
            point = Point(table, TABLES[table].keys * percent // 100)
            title = f"{percent} % of the keys: {point.title}"
            if places.wants(title):  # the large tables take minutes to build
                trial = [case for case in _cases(places, TRIAL) if case.format == "rows"]  # lines: the sink's tests
                yield Comparison(title, list(_cases(places, point)), trial)


def _cases(places: Places, point: Point) -> Iterator[Case]:
    shared = work_at(places, "postgres", point)
    limit = ours.allowed(point.keys)
    groups = ours.GROUPS_MAX_BYTES + point.keys * ours.BYTES_PER_GROUP
    by_hand = shared | {"loop": f"{LOOPS}.postgres:temporary_table"}
    yield _named(Case("", "loop", by_hand), UNORDERED, "rows")
    any_order = ours.case("", "psycopg", shared, "keyed", limit, strategy="temporary-table", order="any")
    yield _named(any_order, ANY_ORDER, "rows")
    for loop, form in (("keyed", "rows"), ("trace", "lines")):
        for name, how in BY_KEY.items():
            yield _named(ours.case("", "psycopg", shared, loop, limit, **how), f"{form}: {name}", form)
    merged = ours.case("", "psycopg", shared, "keyed_lines_by_key", limit + groups)
    yield _named(merged, f"lines: {MERGED}", "lines")


def _named(case: Case, name: str, form: str) -> Case:
    return Case(name, case.kind, case.arguments, case.imports, case.limit, format=form, server=True)


def table(results: Mapping[str, Sequence[Measured]]) -> str:
    """Write seconds and all processor time as ratios to the best of the same format, and the client's to that of the
    unordered stream."""
    tables = [f"{title}\n{_lines(measured)}" for title, measured in results.items()]
    return "\n\n".join([*tables, *report.complaints(results)])


def _lines(measured: Sequence[Measured]) -> str:
    alive = [one for one in measured if not one.died]
    unordered = next(one.cpu for one in alive if one.case.name == UNORDERED)
    rows = [HEADINGS]
    for form in ("rows", "lines"):
        here = [one for one in alive if one.case.format == form]
        by_key = [one for one in here if one.case.kind == "ours" and one.case.name != ANY_ORDER]
        seconds, total = min(one.seconds for one in by_key), min(map(_total, by_key))
        rows += [_cells(one, seconds, total, unordered) for one in here]
    return "\n".join(f"{name:45}" + "".join(f"{cell:>12}" for cell in cells) for name, *cells in rows)


def _total(one: Measured) -> float:
    return one.cpu + one.server_cpu


def _cells(one: Measured, seconds: float, total: float, unordered: float) -> list[str]:
    client = (one.cpu, one.cpu / unordered)
    server = (one.server_cpu, _total(one) / total)
    figures = (one.seconds, one.seconds / seconds, *client, *server, one.first)
    return [one.case.name, *(f"{figure:.2f}" for figure in figures), f"{one.above / MiB:,.1f}"]
