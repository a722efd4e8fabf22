"""The libraries with which people read databases, each used as its manual says, if it is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from benchmarks.harness import Case

LOOPS = "benchmarks.loops"
ARROW = f"{LOOPS}.arrow"
FRAMES = f"{LOOPS}.frames"
POLARS = f"{LOOPS}.polars_frames"
CORE = f"{LOOPS}.core"
ADBC = ("adbc_driver_postgresql.dbapi", "adbc_driver_sqlite.dbapi")


def scans(shared: Mapping[str, Any]) -> Iterator[Case]:
    """Make cases that read the whole table, in pieces."""
    yield _case("pandas, chunksize", shared, f"{FRAMES}:scan", "pandas")
    yield from _installed("SQLAlchemy, partitions", shared, f"{CORE}:scan", "sqlalchemy")
    yield from _installed("polars, iter_batches", shared, f"{POLARS}:scan", "polars")
    yield from _installed("connectorx, arrow_stream", shared, f"{ARROW}:connectorx_scan", "connectorx")
    yield from _installed("ADBC", shared, f"{ARROW}:adbc_scan", *ADBC)
    if "://" in shared["arguments"]["database"]:
        yield from _installed("ADBC, hint of 1 MB", shared, f"{ARROW}:adbc_scan", *ADBC, hint=1_000_000)
    yield from _installed("duckdb over ADBC", shared, f"{ARROW}:duckdb_scan", "duckdb", *ADBC)
    yield from _installed("arrow-odbc", shared, f"{ARROW}:odbc_scan", "arrow_odbc")


def keyed(shared: Mapping[str, Any]) -> Iterator[Case]:
    """Make cases that read the rows of many keys, by sorted IN lists unless it is said otherwise."""
    yield _case("pandas, IN lists", shared, f"{FRAMES}:in_lists", "pandas")
    yield from _installed("SQLAlchemy", shared, f"{CORE}:keyed", "sqlalchemy")
    yield from _installed("polars over ADBC", shared, f"{POLARS}:keyed", "polars", *ADBC)
    yield from _installed("connectorx", shared, f"{ARROW}:connectorx_keyed", "connectorx")
    yield from _installed("ADBC", shared, f"{ARROW}:adbc_keyed", *ADBC)
    yield from _installed("duckdb over ADBC, semi join", shared, f"{ARROW}:duckdb_keyed", "duckdb", *ADBC)
    yield from _installed("arrow-odbc", shared, f"{ARROW}:odbc_keyed", "arrow_odbc")


def traces(shared: Mapping[str, Any]) -> Iterator[Case]:
    """Make cases that write the same as NDJSON, one line a key."""
    yield _case("pandas, orjson", shared, f"{FRAMES}:lines", "pandas")
    yield from _installed("SQLAlchemy mappings, orjson", shared, f"{CORE}:lines", "sqlalchemy")
    yield from _installed("ADBC, polars write_ndjson", shared, f"{POLARS}:lines", "polars", *ADBC)
    for name, loop, modules in (
        ("connectorx, orjson", "connectorx_keyed", ("connectorx",)),
        ("ADBC, orjson", "adbc_keyed", ADBC),
        ("arrow-odbc, orjson", "odbc_keyed", ("arrow_odbc",)),
    ):
        yield from _installed(name, shared, f"{ARROW}:lines", *modules, keyed=loop)


def _installed(name: str, shared: Mapping[str, Any], loop: str, *modules: str, **more: Any) -> Iterator[Case]:
    if all(map(_can_import, modules)):
        yield _case(name, shared, loop, *modules, **more)


def _case(name: str, shared: Mapping[str, Any], loop: str, *modules: str, **more: Any) -> Case:
    """Make a case whose rows are compared with others, but not its bytes: each spells values in its own way."""
    work = {**shared, "loop": loop, "arguments": {**shared["arguments"], **more}}
    written = name if loop.endswith(":lines") else "same"
    return Case(name, "peer", work, imports=modules, format=written)


@cache
def _can_import(module: str) -> bool:
    """Tell whether a library is here with all that it needs: arrow-odbc is nothing without ODBC."""
    try:
        import_module(module)
    except (ImportError, OSError):
        return False
    return True
