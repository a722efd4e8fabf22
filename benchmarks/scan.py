"""T1: the whole table, every row as a tuple."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks import ours, peers
from benchmarks.harness import Case, Comparison, Places

LOOPS = "benchmarks.loops"
MORE = ("mysql",)  # where it is asked for: the tables are made anew in each run
DRIVERS = {
    "postgres": ["psycopg"],
    "sqlite": ["sqlite3", "apsw"],
    "mysql": ["pymysql", "MySQLdb", "mysql.connector", "mariadb"],
}


def comparisons(places: Places, *, quick: bool) -> Iterator[Comparison]:
    name = "events_10k" if quick else "events_114k"
    for database in places.databases:
        for driver in DRIVERS[database]:
            yield Comparison(
                f"scan of {name}: {database}, {driver}",
                list(_cases(driver, places.table(database, name))),
                list(_cases(driver, places.table(database, "events_1k"))),
            )


def _cases(driver: str, where: dict[str, str]) -> Iterator[Case]:
    def case(name: str, loop: str, **more: Any) -> Case:
        return Case(name, "loop", {"loop": f"{LOOPS}.{loop}", "arguments": where | more})

    if driver in DRIVERS["mysql"]:
        yield case("fetchmany(1000), unbuffered", "mysql:scan", driver=driver)
        yield ours.case("read_sql_iter", driver, {"arguments": where}, "scan", ours.ABOVE)
        return
    if driver == "psycopg":
        yield case("stream(size=100)", "postgres:scan")
        yield case("stream(size=100), binary", "postgres:scan", binary=True)
    else:
        yield case("iteration", "sqlite:scan", driver=driver)
    if driver == "sqlite3":
        yield case("fetchmany(1000)", "sqlite:scan_fetchmany")
    if driver != "apsw":
        yield from peers.scans({"arguments": where})
        yield ours.arrow_case(where)
    yield ours.case("read_sql_iter", driver, {"arguments": where}, "scan", ours.ABOVE)
