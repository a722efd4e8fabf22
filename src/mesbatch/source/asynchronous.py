"""Asynchronous engines, connections and drivers, which are refused with a way out."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Any

from mesbatch.errors import UnknownSource

METHODS = ("close", "dispose", "connect", "execute", "release")
WAY_OUT = (
    "rows are read by ordinary functions: pass a URL, engine or connection of an ordinary driver (psycopg, sqlite3, "
    "pymysql, ...), and read it in a thread, such as by asyncio.to_thread"
)


def check_is_ordinary(con: Any) -> None:
    """Raise UnknownSource where calls of *con* would have to be awaited."""
    kind = type(con)
    is_engine_of_async = getattr(getattr(con, "dialect", None), "is_async", False) is True
    if (
        is_engine_of_async
        or iscoroutinefunction(con)
        or any(iscoroutinefunction(getattr(kind, name, None)) for name in METHODS)
    ):
        raise UnknownSource(f"con is asynchronous, {kind.__module__}.{kind.__qualname__}: {WAY_OUT}")
