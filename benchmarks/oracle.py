"""Oracle: the real driver against the stand-in of the tests; the server counts the round trips.

Only the client's own processor time counts: the stand-in is slow, and takes the other core.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from benchmarks import harness, ours
from benchmarks.cache import cache_directory
from benchmarks.harness import Case, Comparison, Kind, Measured, Places
from mesbatch.demo.rows import container_ids
from mesbatch.demo.tables import LOT_HISTORY
from mesbatch.demo.warehouse import build_warehouse, is_whole, sqlite_url
from mesbatch.demo.watch import Watched, watch
from mesbatch.units import MiB
from tests.oracle.rig import OracleServer

DATABASES = ()  # none of the other benchmarks'
RUNS = 3
LOOPS = "benchmarks.loops.oracle"
ARRAY_ROWS = 1_000
CPU_ALLOWED = 1.15  # of the bare loop's at the same arraysize
IMPORTS = ("mesbatch.source.oracle.source", "oracledb", "sqlite3")
ARROW_IMPORTS = ("mesbatch.arrow.reader", "mesbatch.source.oracle.record_batches")
SCAN = f"select * from {LOT_HISTORY.name}"
TRACE = "the whole trace"
STRATEGIES = ("auto", "in-list", "array", "temporary-table")


@dataclass
class Counted(Measured):
    """A case with the round trips of its last run; *array_rows* is what one of them may bring."""

    round_trips: int = 0
    array_rows: int = ARRAY_ROWS

    @property
    def least(self) -> int:
        """The fewest round trips that can bring its rows."""
        return ceil(self.count / self.array_rows)


@dataclass(frozen=True)
class Running:
    """The server that all comparisons use, the file that it serves, and the file with the keys."""

    server: OracleServer
    path: Path
    keys: str


_running: Running


def comparisons(places: Places, *, quick: bool) -> Iterator[Comparison]:
    """Make all comparisons while one server runs, each on the same warehouse."""
    global _running
    cids = 2_000 if quick else 114_000
    path = _warehouse(cids)
    keys = _keys(cids)
    with OracleServer(path) as server:
        _running = Running(server, path, keys)
        yield Comparison(f"scan of history of {cids:,} lots", list(_scans(server.dsn)))
        yield Comparison(f"scan of history of {cids:,} lots as Arrow", list(_record_batches(server.dsn)))
        yield Comparison(f"history by {cids:,} keys", list(_by_keys(server.dsn, keys, cids)))
        yield Comparison(f"{TRACE} of {cids:,} CIDs", list(_traces(server.dsn, keys, cids)))


def measure(comparison: Comparison, runs: int) -> list[Measured]:
    """Run the cases in turn, each in a process of its own, and count their round trips to the server."""
    if comparison.title.startswith(TRACE):
        _check(_running.server.dsn, _running.path, _running.keys)
    measured = [Counted(case, array_rows=case.arguments.get("array_rows", ARRAY_ROWS)) for case in comparison.cases]
    watched: list[list[Watched]] = [[] for _ in measured]
    for turn in range(runs):
        for one, results in zip(measured, watched):
            harness._say(f"{comparison.title}: {one.case.name}, run {turn + 1}")
            before = _running.server.counts().get("round_trips", 0)
            with harness._noting_death(one):
                results.append(harness._watch(_runnable(one.case)))
            one.round_trips = _running.server.counts()["round_trips"] - before
    harness._say("")
    for one, results in zip(measured, watched):
        harness._summarise(one, results)
    bare = next((one for one in measured if one.case.kind == "loop" and not one.died), None)
    for one in measured:
        _compare(one, bare)
    return list(measured)


def table(results: dict[str, list[Counted]]) -> str:
    """Write for each comparison the client's processor time a row, its memory and its round trips."""
    from benchmarks import report

    lines = []
    for title, measured in results.items():
        lines += [
            "",
            title,
            f"  {'':44}{'CPU us/row':>11}{'x bare':>8}{'above MiB':>11}{'allowed':>9}{'trips':>8}{'least':>7}",
        ]
        for one in measured:
            if one.died:
                lines.append(f"  {one.case.name:44}{'died':>11}")
                continue
            allowed = f"{one.case.limit / MiB:.1f}" if one.case.limit else ""
            cost = 1e6 * one.cpu / max(1, one.count)
            lines.append(
                f"{'* ' if one.case.kind == 'ours' else '  '}{one.case.name:44}{cost:>11.2f}{one.ratio or 0:>8.2f}"
                f"{one.above / MiB:>11.1f}{allowed:>9}{one.round_trips:>8,}{one.least:>7,}"
            )
    return "\n".join([*lines, *report.complaints(results)]).lstrip()


def _scans(dsn: str) -> Iterator[Case]:
    where = {"database": dsn, "sql": SCAN}
    yield _case("fetchmany, arraysize 1,000", "loop", "scan", where)
    yield _case("fetchmany, the driver's arraysize of 100", "peer", "scan", where | {"arraysize": 100}, array_rows=100)
    yield _case("mesbatch", "ours", "our_scan", where, limit=ours.ABOVE)


def _record_batches(dsn: str) -> Iterator[Case]:
    """Make the cases of record batches, none of whose values becomes a Python object."""
    where = {"database": dsn, "sql": SCAN}
    for case in (
        _case("fetch_df_batches, size 1,000", "loop", "arrow", where | {"size": 1_000}),
        _case("fetch_df_batches, size 5,000", "peer", "arrow", where | {"size": 5_000}, array_rows=5_000),
        _case("mesbatch, arrow()", "ours", "our_arrow", where, limit=ours.ARROW_ABOVE),
    ):
        yield replace(case, imports=(*IMPORTS, *ARROW_IMPORTS))


def _by_keys(dsn: str, keys: str, cids: int) -> Iterator[Case]:
    where = {"database": dsn, "sql": f"{SCAN} where CONTAINERID in (:keys)"}
    yield _case("IN lists of sorted keys, arraysize 1,000", "loop", "in_lists", where, keys)
    for strategy in STRATEGIES:
        limit = ours.allowed(cids)
        yield _case(f"mesbatch, {strategy}", "ours", "our_keys", where | {"strategy": strategy}, keys, limit)


def _traces(dsn: str, keys: str, cids: int) -> Iterator[Case]:
    where = {"database": dsn}
    yield _case("IN lists of sorted keys, arraysize 1,000", "loop", "trace", where, keys)
    yield _case("mesbatch", "ours", "our_trace", where, keys, ours.allowed(cids))


def _case(
    name: str, kind: Kind, loop: str, arguments: dict[str, Any], keys: str | None = None, limit: int | None = None,
    array_rows: int = ARRAY_ROWS,
) -> Case:  # fmt: skip
    work = {"loop": f"{LOOPS}:{loop}", "arguments": arguments, "keys": keys, "array_rows": array_rows}
    return Case(name, kind, work, imports=IMPORTS, limit=limit)


def _runnable(case: Case) -> Case:
    return replace(case, arguments={name: value for name, value in case.arguments.items() if name != "array_rows"})


def _compare(one: Counted, bare: Counted | None) -> None:
    """Set the ratio of processor times, and note broken promises about memory and results."""
    if bare is None or one.died:
        return
    cost = {each.case.name: each.cpu / max(1, each.count) for each in (one, bare)}
    one.ratio = cost[one.case.name] / cost[bare.case.name]
    if one.count != bare.count:
        one.problems.append(f"gave {one.count:,} rows, not {bare.count:,}")


def _check(dsn: str, path: Path, keys: str) -> None:
    """Compare the trace through the driver with SQLite's own, row by row.

    Raises:
        SystemExit: they differ.
    """
    harness._say("comparing every row of the trace with SQLite's")
    sums = {
        name: watch(
            "benchmarks.oracle:checksum", {"loop": f"{LOOPS}:{loop}", "database": database, "keys": keys}
        ).result
        for name, loop, database in (("Oracle", "our_trace", dsn), ("SQLite", "sqlite_trace", str(path)))
    }
    if sums["Oracle"] != sums["SQLite"]:
        raise SystemExit(f"the rows differ: {sums}")
    harness._say("")
    print(f"row-exact against SQLite: {sums['SQLite']}")


def checksum(loop: str, database: str, keys: str) -> str:
    """Count the rows of a trace, and sum up their hashes."""
    from zlib import crc32

    from benchmarks.inside import find, read_keys
    from tests.oracle.trace import as_sqlite_gives_it

    count = total = 0
    for rows in find(loop)(database=database, keys=list(read_keys(keys))):
        count += len(rows)
        total += sum(crc32(repr(as_sqlite_gives_it(row)).encode()) for row in rows)
    return f"{count:,} rows, {total % 2**64:016x}"


def _warehouse(cids: int) -> Path:
    """Find the made-up warehouse, a SQLite file that the stand-in serves, built now if it is not there."""
    path = cache_directory() / f"warehouse_{cids}.db"
    if not (path.exists() and is_whole(sqlite_url(path), cids)):
        build_warehouse(sqlite_url(path), cids)
    return path


def _keys(cids: int) -> str:
    path = cache_directory() / f"container_ids_{cids}.txt"
    if not path.exists():
        path.write_text("".join(f"{key}\n" for key in container_ids(cids)))
    return str(path)
