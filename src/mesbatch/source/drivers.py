"""The driver behind a connection, found by the module of its class: nothing is imported that the caller has not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesbatch.errors import UnknownSource
from mesbatch.source.databases import database_of, modules_of
from mesbatch.source.dbapi import DbapiDriver
from mesbatch.source.session import Driver, Session

WANTED = (
    "a DB-API or apsw connection, an oracledb pool, a SQLAlchemy engine or connection, a URL, a function that "
    "connects, an ADBC connection, or an object with batches() or __arrow_c_stream__()"
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
    return DbapiDriver(modules_of(connection)[0])


def owned_session(
    connection: Any,
    release: Callable[[], None],
    discard: Callable[[], None],
    connect_again: Callable[[], Any] | None = None,
) -> Session:
    """A session on a connection that is ours to give back."""
    return Session(driver_of(connection), connection, True, release, discard, connect_again=connect_again)


def session_of(connect: Callable[[], Any]) -> Session:
    """A session on a new connection, which ends with it."""
    connection = connect()
    return Session(driver_of(connection), connection, True, connection.close, connection.close, connect_again=connect)
