"""The made-up warehouse, in SQLite or PostgreSQL: built once, then only read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from mesbatch.batch import Row
from mesbatch.demo import into_sqlite
from mesbatch.demo.rows import DEFAULT_CIDS, make_rows
from mesbatch.demo.tables import TABLES, VERSION, Table

ROWS_PER_STEP = 10_000

OnRows = Callable[[int], object]


def build_warehouse(url: str, cids: int = DEFAULT_CIDS, on_rows: OnRows = lambda added: None) -> None:
    """Build the warehouse of *cids* lots at *url*, ``sqlite:///path`` or ``postgresql://...``.

    Replaces the warehouse that is there, whole or not; until the end, others see the old one. *on_rows* is called with
    the number of rows that were added. Holds 10,000 rows and 40 MiB of values to choose from. PostgreSQL needs psycopg.

    Raises:
        ValueError: *cids* is smaller than 1, or *url* is of another kind.
    """
    if cids < 1:
        raise ValueError(f"a warehouse has at least 1 lot, got {cids}")
    tables = ((table, _in_steps(table, cids, on_rows)) for table in TABLES)
    if path := _sqlite_path(url):
        into_sqlite.build(path, cids, tables)
    else:
        _postgres().build(url, cids, tables)


def is_whole(url: str, cids: int) -> bool:
    """Tell whether the warehouse at *url* was finished, with *cids* lots, by this version of the demo."""
    path = _sqlite_path(url)
    return (into_sqlite.read_marker(path) if path else _postgres().read_marker(url)) == (VERSION, cids)


def connect(url: str) -> Any:
    """Connect to the warehouse at *url*, by DB-API and for reading; the caller closes the connection."""
    path = _sqlite_path(url)
    return into_sqlite.connect(path) if path else _postgres().connect(url)


def sqlite_url(path: Path) -> str:
    """Write the URL of a SQLite file.

    >>> sqlite_url(Path("/tmp/warehouse.sqlite"))
    'sqlite:////tmp/warehouse.sqlite'
    """
    return f"sqlite:///{path.resolve()}"


def _sqlite_path(url: str) -> Path | None:
    kind, _, place = url.partition("://")
    if kind.startswith("postgres"):
        return None
    if kind != "sqlite":
        raise ValueError(f"a warehouse is at sqlite:///path or postgresql://..., not at a URL of kind {kind!r}")
    return Path(place.removeprefix("/"))


def _postgres() -> Any:
    from mesbatch.demo import into_postgres  # needs psycopg, which the SQLite warehouse does without

    return into_postgres


def _in_steps(table: Table, cids: int, on_rows: OnRows) -> Iterator[list[Row]]:
    rows = make_rows(table, cids)
    while step := list(islice(rows, ROWS_PER_STEP)):
        yield step
        on_rows(len(step))
