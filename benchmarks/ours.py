"""Our own cases: the strategies of each driver, and the memory that they may hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.harness import Case
from mesbatch.units import MiB

ABOVE = 16 * MiB  # with the default max_bytes of 8 MiB
ARROW_ABOVE = 24 * MiB  # Arrow's memory pool keeps what it freed: 16.3 MiB were seen
BYTES_PER_KEY = 90  # a key list in memory; nothing for keys that come from an iterator
GROUPS_MAX_BYTES = 8 * MiB  # given to group_by_key, beside the reader's
BYTES_PER_GROUP = 150  # the index of spilled groups
STRATEGIES = {
    "psycopg": ("auto", "in-list", "array", "look-up", "temporary-table"),
    "sqlite3": ("auto", "in-list", "array", "temporary-table"),
    "apsw": ("auto", "in-list", "array", "temporary-table"),
}
ARROW = (
    "mesbatch.arrow.reader",
    "mesbatch.source.adbc.url",
    "adbc_driver_postgresql.dbapi",
    "adbc_driver_sqlite.dbapi",
)
IMPORTS = (
    "mesbatch.source.postgres.driver",
    "mesbatch.source.sqlite.driver",
)
MYSQL_IMPORTS = (
    "mesbatch.source.mysql.pymysql",
    "mesbatch.source.mysql.mysqlclient",
    "mesbatch.source.mysql.connector",
    "mesbatch.source.mysql.mariadb",
)  # imports on use count to the baseline


def allowed(keys: int) -> int:
    """Compute the bytes that a keyed read with *keys* keys in a list may hold above its imports."""
    return ABOVE + keys * BYTES_PER_KEY


def cases(driver: str, shared: Mapping[str, Any], loop: str, limit: int) -> Iterator[Case]:
    """Make cases of *loop* of `benchmarks.loops.ours` with every strategy of *driver*."""
    for strategy in STRATEGIES[driver]:
        yield case(strategy, driver, shared, loop, limit, strategy=strategy)
    if driver == "psycopg":
        yield case("auto, parallel=2", driver, shared, loop, limit, parallel=2)
        yield case("auto, any order", driver, shared, loop, limit, order="any")


def arrow_case(where: Mapping[str, Any]) -> Case:
    """Make the case of record batches of a whole table, beside ADBC's own."""
    work = {"loop": "benchmarks.loops.ours:arrow_scan", "arguments": where}
    return Case("mesbatch, arrow()", "ours", work, imports=(*IMPORTS, *ARROW), limit=ARROW_ABOVE)


def case(name: str, driver: str, shared: Mapping[str, Any], loop: str, limit: int, **options: Any) -> Case:
    arguments = {**shared["arguments"], "driver": driver, **options}
    work = {**shared, "loop": f"benchmarks.loops.ours:{loop}", "arguments": arguments}
    imports = MYSQL_IMPORTS if driver in MYSQL_IMPORTS else IMPORTS
    return Case(f"mesbatch, {name}", "ours", work, imports=imports, limit=limit)
