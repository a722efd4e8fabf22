"""The four drivers of MySQL and MariaDB: rows as the server sends them, which no driver does unless it is asked to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from typing import Any

Rows = list[tuple[Any, ...]]
BATCH = 1_000


def scan(database: str, table: str, driver: str) -> Iterator[Rows]:
    with closing(connect(database, driver)) as connection, closing(_unbuffered(connection, driver)) as cursor:
        cursor.execute(f"select * from {table}")
        while rows := cursor.fetchmany(BATCH):
            yield list(rows)


def connect(database: str, driver: str) -> Any:
    """Connect *driver* to *database*, the JSON of its arguments."""
    return import_module(driver).connect(**json.loads(database))


def _unbuffered(connection: Any, driver: str) -> Any:
    if driver in {"pymysql", "MySQLdb"}:
        return connection.cursor(import_module(f"{driver}.cursors").SSCursor)
    return connection.cursor(buffered=False)
