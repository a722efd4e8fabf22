"""From what the caller calls *con* to a source of sessions."""

from __future__ import annotations

from typing import Any, cast

from mesbatch.errors import UnknownSource
from mesbatch.source.drivers import WANTED, driver_of, family_of, session_of
from mesbatch.source.session import Session, Source
from mesbatch.source.urls import from_url


def find_source(con: Any, timeout: float | None = None) -> Source:
    """The source behind *con*; connects to nothing yet. *timeout*, in seconds, is for connecting by a URL.

    Raises:
        UnknownSource: *con* is nothing that we can read from.
    """
    if isinstance(con, str):
        return from_url(con, timeout)
    family = family_of(con)
    if family == "sqlalchemy":
        from mesbatch.source.sqlalchemy.statement import from_sqlalchemy

        return from_sqlalchemy(con)
    if hasattr(con, "as_source"):
        return cast("Source", con.as_source())
    if family == "oracledb" and hasattr(con, "acquire"):
        from mesbatch.source.oracle.driver import pool_source

        return pool_source(con)
    if family == "apsw" or hasattr(con, "cursor"):
        driver = driver_of(con)
        return Source(lambda: Session(driver, con, owned=False), False, f"the caller's {driver.name} connection")
    if callable(con):
        return Source(lambda: session_of(con), True, getattr(con, "__name__", "a function that connects"))
    raise UnknownSource(f"con must be {WANTED}; got {type(con).__module__}.{type(con).__qualname__}")
