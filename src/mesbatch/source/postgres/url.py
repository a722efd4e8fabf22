"""PostgreSQL behind ``postgresql:`` URLs, through psycopg 3."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from math import ceil
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from mesbatch.source.drivers import session_of
from mesbatch.source.session import Session

# Without these a large table is read from where another scan is just now, or by several workers as they please: the
# rows of one statement then come in another order each time.
STEADY = "-c synchronize_seqscans=off -c max_parallel_workers_per_gather=0"


def connect(url: str, timeout: float | None) -> Callable[[], Session]:
    """A function that connects to *url* within *timeout* seconds."""

    def open_session() -> Session:
        import psycopg

        limit: dict[str, Any] = {} if timeout is None else {"connect_timeout": ceil(timeout)}
        return session_of(lambda: psycopg.connect(_plain(url), autocommit=True, **limit))

    return open_session


def connect_for_arrow(url: str) -> Callable[[str, Any], Session | None] | None:
    """ADBC for the same database, if it is installed: half the time of tuples made into record batches."""
    if not find_spec("adbc_driver_postgresql"):
        return None

    def open_session(sql: str, schema: Any) -> Session | None:
        from mesbatch.source.adbc.url import open_postgres

        return open_postgres(_plain(url), sql, schema)

    return open_session


def steady_url(url: str) -> str:
    """*url* with the options by which a statement gives its rows in the same order each time."""
    parts = urlsplit(url)
    given = parts.query.split("&") if parts.query else []
    options = [value.removeprefix("options=") for value in given if value.startswith("options=")]
    rest = [value for value in given if not value.startswith("options=")]
    return urlunsplit(parts._replace(query="&".join([*rest, "options=" + "%20".join([*options, quote(STEADY)])])))


def _plain(url: str) -> str:
    """*url* as libpq knows it."""
    return url.replace("+psycopg", "", 1)
