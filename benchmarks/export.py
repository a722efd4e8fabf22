"""A whole table into a file: CSV, NDJSON, Parquet and Arrow, beside loops by hand and the libraries that people use."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from benchmarks.harness import Case, Comparison, Places
from benchmarks.tables import TABLES
from mesbatch.units import MiB

LOOPS = "benchmarks.loops.exports"
FORMATS = ("csv", "ndjson", "parquet", "arrow")
LINES = {"csv": ("driver_and_csv", "csv"), "ndjson": ("driver_and_msgspec", "msgspec")}
LIMIT = (64 + 24) * MiB  # the default max_bytes, and what the interpreter, the driver and the writer need beside it
ARROW = ("pyarrow.parquet", "pyarrow.compute")
OURS = ("mesbatch.export", "mesbatch.source.sqlite.driver", "mesbatch.source.postgres.driver", "apsw")
OURS_ARROW = ("mesbatch.arrow.reader", "mesbatch.sink.parquet", "mesbatch.source.adbc.url")
ADBC = {"sqlite": "adbc_driver_sqlite.dbapi", "postgres": "adbc_driver_postgresql.dbapi"}
PEERS = {"pandas": ("pandas",), "polars": ("polars",), "connectorx": ("connectorx", "polars"), "duckdb": ("duckdb",)}
# DuckDB's COPY has no lines of objects without options, and no Arrow; polars puts no bytes into CSV.
WRITES = {"duckdb": ("csv", "parquet"), "polars": ("ndjson", "parquet", "arrow")}


def comparisons(places: Places, *, quick: bool) -> Iterator[Comparison]:
    name = "events_10k" if quick else "events_114k"
    for database in places.databases:
        for format_ in FORMATS:
            yield Comparison(
                f"export of {name} as {format_}: {database}", list(_cases(places, database, format_, name))
            )


def _cases(places: Places, database: str, format_: str, name: str) -> Iterator[Case]:
    rows = TABLES[name].num_rows()
    where = {**places.table(database, name), "format_": format_}

    def work(loop: str, **more: object) -> dict[str, object]:
        return {"loop": f"{LOOPS}:{loop}", "arguments": {**where, **more}}

    if format_ in LINES:
        driver = "psycopg" if database == "postgres" else "apsw"
        loop, writer = LINES[format_]
        yield Case(f"{driver} and {writer}", "loop", work(loop), [driver, writer], expected=rows)
    else:
        adbc = [*ARROW, ADBC[database]]
        yield Case("bare ADBC", "loop", work("bare_adbc"), adbc, expected=rows)
        if database == "postgres":
            hinted = work("bare_adbc", hint=1 * MiB)
            yield Case("bare ADBC, hint of 1 MiB", "loop", hinted, adbc, expected=rows)
    for peer, modules in PEERS.items():
        if all(map(find_spec, modules)) and format_ in WRITES.get(peer, FORMATS):
            yield Case(peer, "peer", work(peer), [*ARROW, *modules, ADBC[database]], expected=rows)
    imports = OURS if format_ in LINES else (*OURS, *ARROW, *OURS_ARROW, ADBC[database])
    yield Case("mesbatch export", "ours", work("ours"), imports, limit=LIMIT, expected=rows)
