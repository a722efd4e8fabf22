"""The place of a table, as each kind of library is told it, and lists of keys, cut and written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

KEYS_PER_QUERY = 1_000


def is_postgres(database: str) -> bool:
    return "://" in database


@contextmanager
def adbc(database: str) -> Iterator[Any]:
    """Open an ADBC cursor."""
    if is_postgres(database):
        import adbc_driver_postgresql.dbapi as driver
    else:
        import adbc_driver_sqlite.dbapi as driver
    with closing(driver.connect(database)) as connection, connection.cursor() as cursor:
        yield cursor


def odbc(database: str) -> str:
    """Write ODBC's name of the table's database, for reading only."""
    if not is_postgres(database):
        return f"Driver=SQLite3;Database={database}"
    user, _, rest = database.removeprefix("postgresql://").partition("@")
    (host, _, port), name = rest.partition("/")[0].partition(":"), rest.partition("/")[2]
    return (
        f"Driver=PostgreSQL Unicode;Server={host};Port={port};Database={name};Uid={user};"
        "UseDeclareFetch=1;Fetch=1000"  # without it the driver holds the whole result
    )


def selects(table: str, keys: list[str]) -> Iterator[str]:
    """Write a statement for each 1,000 of the sorted *keys*, as text: not every library has lists of binds."""
    for part in cut(keys):
        texts = ", ".join(f"'{key}'" for key in part)
        yield f"select * from {table} where CONTAINERID in ({texts})"


def cut(keys: list[str]) -> Iterator[list[str]]:
    keys = sorted(keys)
    return (keys[start : start + KEYS_PER_QUERY] for start in range(0, len(keys), KEYS_PER_QUERY))
