"""From what the caller calls *con* to a source of sessions."""

from __future__ import annotations

from typing import Any, cast

from mesbatch.errors import UnknownSource
from mesbatch.source.asynchronous import check_is_ordinary
from mesbatch.source.databases import database_of, modules_of
from mesbatch.source.drivers import WANTED, borrowed_session, driver_of, pooled_session, session_of
from mesbatch.source.session import Session, Source
from mesbatch.source.unwrap import is_wrapper, pool_of
from mesbatch.source.urls import from_url


def find_source(con: Any, timeout: float | None = None) -> Source:
    """The source behind *con*; connects to nothing yet. *timeout*, in seconds, is for connecting by a URL.

    Raises:
        UnknownSource: *con* is nothing that we can read from.
    """
    if isinstance(con, str):
        return from_url(con, timeout)
    check_is_ordinary(con)
    if is_wrapper(con):
        return Source(lambda: borrowed_session(con), False, f"the caller's {type(con).__qualname__}")
    if (found := pool_of(con)) is not None:
        return Source(lambda: pooled_session(*found), True, f"the pool {type(found[0]).__qualname__}")
    if "sqlalchemy" in modules_of(con) and not callable(con):  # a sessionmaker is a function that connects
        from mesbatch.source.sqlalchemy.source import from_sqlalchemy

        return from_sqlalchemy(con)
    if hasattr(con, "as_source"):
        return cast("Source", con.as_source())
    if hasattr(con, "acquire") and (known := database_of(con)) is not None:
        return known[1].pool_source(con)
    if hasattr(con, "cursor"):
        driver = driver_of(con)
        return Source(lambda: Session(driver, con, owned=False), False, f"the caller's {driver.dialect} connection")
    if callable(con):
        return Source(lambda: session_of(con), True, getattr(con, "__name__", "a function that connects"))
    raise UnknownSource(f"con must be {WANTED}; got {type(con).__module__}.{type(con).__qualname__}")
