"""SQLite files behind ``sqlite:`` URLs."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote

from mesbatch.source.drivers import session_of
from mesbatch.source.session import Session


def connect(url: str, timeout: float | None) -> Callable[[], Session]:
    """A function that opens the file of *url* by apsw where it is installed, else by sqlite3."""
    path = _path(url)

    def open_session() -> Session:
        try:
            import apsw
        except ImportError:
            import sqlite3

            # mode=rw: a misspelt path must be an error, not a new and empty database
            uri = f"file:{quote(path)}?mode=rw" if path else ""
            return session_of(lambda: sqlite3.connect(uri, uri=True, check_same_thread=False))
        return session_of(lambda: apsw.Connection(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI))

    return open_session


def connect_for_arrow(url: str) -> Callable[[str, Any], Session | None] | None:
    """ADBC for the same file, if it is installed: half the time of tuples made into record batches."""
    if not find_spec("adbc_driver_sqlite"):
        return None

    def open_session(sql: str, schema: Any) -> Session | None:
        from mesbatch.source.adbc.url import open_sqlite

        return open_sqlite(_path(url), sql, schema)

    return open_session


def steady_url(url: str) -> str:
    """*url* as it is: one thread of SQLite gives rows in one order."""
    return url


def _path(url: str) -> str:
    return url.removeprefix("sqlite://").removeprefix("/")
