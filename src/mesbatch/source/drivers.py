"""The driver behind a connection, found by the module of its class: nothing is imported that the caller has not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesbatch.errors import UnknownSource
from mesbatch.source.asynchronous import check_is_ordinary
from mesbatch.source.databases import database_of
from mesbatch.source.dbapi import DbapiDriver
from mesbatch.source.session import Driver, Session
from mesbatch.source.unwrap import Pool, borrow, pool_of, unwrap

WANTED = (
    "a DB-API or apsw connection, one of Django or SQLAlchemy, a SQLAlchemy engine, a pool of oracledb, psycopg, "
    "psycopg2 or DBUtils, a URL, a function that connects, an ADBC connection, or an object with batches() or "
    "__arrow_c_stream__()"
)


def driver_of(connection: Any) -> Driver:
    """The driver that reads from an open connection.

    Raises:
        UnknownSource: *connection* has no ``cursor()``.
    """
    if (known := database_of(connection)) is not None:
        module, database = known
        return database.driver(module, connection)
    if not hasattr(connection, "cursor"):
        raise UnknownSource(f"con must be {WANTED}; got a function that returned {type(connection).__qualname__}")
    return DbapiDriver(connection)


def owned_session(
    connection: Any,
    release: Callable[[], None],
    discard: Callable[[], None],
    connect_again: Callable[[], Any] | None = None,
) -> Session:
    """A session on a connection that is ours to give back."""
    return Session(driver_of(connection), connection, True, release, discard, connect_again=connect_again)


def borrowed_session(wrapper: Any) -> Session:
    """A session on the driver's connection inside of *wrapper*, which stays the caller's."""
    connection = unwrap(wrapper)
    return Session(driver_of(connection), connection, owned=False)


def pooled_session(pool: Any, known: Pool) -> Session:
    """A session on a connection that *pool* lends, given back with it."""
    return _lent_session(pool, known, borrow(pool, known))


def session_of(connect: Callable[[], Any]) -> Session:
    """A session on a new connection, which ends with it; one that a pool lent goes back to the pool."""
    opened = connect()
    check_is_ordinary(opened)
    lender = getattr(opened, "_pool", None)
    if (found := pool_of(lender)) is not None:
        return _lent_session(*found, opened)
    try:
        connection = unwrap(opened)
        driver = driver_of(connection)
        discard = getattr(opened, "invalidate", opened.close)
        return Session(driver, connection, True, opened.close, discard, connect_again=connect)
    except BaseException:
        if hasattr(opened, "close"):
            opened.close()
        raise


def _lent_session(pool: Any, known: Pool, lent: Any) -> Session:
    try:
        return owned_session(unwrap(lent), lambda: known.take_back(pool, lent), lambda: known.discard(pool, lent))
    except BaseException:
        known.discard(pool, lent)
        raise
