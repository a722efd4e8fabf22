"""Functions that run in a process of their own, for what they hold."""

from __future__ import annotations

import gc
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

from mesbatch import MiB, read_sql_iter
from mesbatch.source.connect import find_source

WARM_UP = 2_000


def read(url: str, table: str, rows: int) -> dict[str, int]:
    """Read *rows* rows of *table* in batches; how many came, and the bytes at the peak beyond the first batches'."""
    sql = f"select * from {table} where id <= "
    _count(url, f"{sql}{WARM_UP}")
    base = _begin()
    count = _count(url, f"{sql}{rows}")
    return {"count": count, "above": _high_water() - base}


def buffer(url: str, table: str, rows: int, cursors: str) -> dict[str, int]:
    """The same through the driver's ordinary cursor, which holds the whole result; *cursors* is its class, if named."""
    module, _, name = cursors.partition(":")
    with closing(find_source(url).open().connection) as connection:
        named = getattr(import_module(module), name) if name else None
        cursor: Any = connection.cursor(named) if named else connection.cursor(buffered=True)
        base = _begin()
        cursor.execute(f"select * from {table} where id <= {rows}")
        count = 0
        while some := cursor.fetchmany(1_000):
            count += len(some)
        cursor.close()
    return {"count": count, "above": _high_water() - base}


def _count(url: str, sql: str) -> int:
    with read_sql_iter(sql, url, max_bytes=8 * MiB) as reader:
        return sum(batch.num_rows for batch in reader)


def _begin() -> int:
    """The bytes that are resident now, from which the high-water mark counts again."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _high_water() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
