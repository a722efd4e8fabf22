"""The driver behind a connection, found by the module of its class: nothing is imported that the caller has not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesbatch.errors import UnknownSource
from mesbatch.source.session import Driver, Session

WANTED = (
    "a DB-API or apsw connection, an oracledb pool, a SQLAlchemy engine or connection, a URL, a function that "
    "connects, an ADBC connection, or an object with batches() or __arrow_c_stream__()"
)


def driver_of(connection: Any) -> Driver:
    """How to read from an open connection, found by the module of its class so that no driver is imported for it.

    Raises:
        UnknownSource: *connection* has no ``cursor()``.
    """
    match family_of(connection):
        case "sqlite3":
            from mesbatch.source.sqlite.driver import SqliteDriver

            return SqliteDriver()
        case "apsw":
            from mesbatch.source.sqlite.driver import ApswDriver

            return ApswDriver()
        case "psycopg":
            from mesbatch.source.postgres.driver import PsycopgDriver

            return PsycopgDriver()
        case "oracledb":
            from mesbatch.source.oracle.driver import OracleDriver

            return OracleDriver()
        case "adbc_driver_manager":
            from mesbatch.source.adbc.driver import AdbcDriver

            return AdbcDriver(connection)
    if not hasattr(connection, "cursor"):
        raise UnknownSource(f"con must be {WANTED}; got a function that returned {type(connection).__qualname__}")
    from mesbatch.source.dbapi import DbapiDriver

    return DbapiDriver(type(connection).__module__.partition(".")[0])


def owned_session(connection: Any, release: Callable[[], None], discard: Callable[[], None]) -> Session:
    """A session on a connection that is ours to give back."""
    return Session(driver_of(connection), connection, True, release, discard)


def family_of(con: Any) -> str | None:
    """The driver that *con*'s class, or one that it inherits from, comes from."""
    families = {cls.__module__.partition(".")[0] for cls in type(con).__mro__}
    known = ("sqlalchemy", "sqlite3", "apsw", "psycopg", "oracledb", "adbc_driver_manager")
    return next((family for family in known if family in families), None)


def session_of(connect: Callable[[], Any]) -> Session:
    """A session on a new connection, which ends with it."""
    connection = connect()
    driver = driver_of(connection)
    return Session(driver, connection, True, connection.close, connection.close)
