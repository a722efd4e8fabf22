"""From what the caller calls *con* to a source of sessions."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from math import ceil
from typing import Any
from urllib.parse import quote, urlsplit

from mesbatch.errors import ConnectionLost, UnknownSource
from mesbatch.source.session import Driver, Session, Source

WANTED = (
    "a DB-API or apsw connection, an oracledb pool, a SQLAlchemy engine or connection, a URL, a function that "
    "connects, an ADBC connection, or an object with batches() or __arrow_c_stream__()"
)
POSTGRES_SCHEMES = {"postgresql", "postgres", "postgresql+psycopg"}
_PASSWORD_OPTION = re.compile(r"(?<=[?&]password=)[^&]*")


def find_source(con: Any, timeout: float | None = None) -> Source:
    """The source behind *con*; connects to nothing yet. *timeout*, in seconds, is for connecting by a URL.

    Raises:
        UnknownSource: *con* is nothing that we can read from.
    """
    if isinstance(con, str):
        return _from_url(con, timeout)
    family = family_of(con)
    if family == "sqlalchemy":
        from mesbatch.source.sqlalchemy import from_sqlalchemy

        return from_sqlalchemy(con)
    if family == "oracledb" and hasattr(con, "acquire"):
        return _from_oracledb_pool(con)
    if family == "apsw" or hasattr(con, "cursor"):
        driver = driver_of(con)
        return Source(lambda: Session(driver, con, owned=False), False, f"the caller's {driver.name} connection")
    if callable(con):
        return Source(lambda: _connect(con), True, getattr(con, "__name__", "a function that connects"))
    raise UnknownSource(f"con must be {WANTED}; got {type(con).__module__}.{type(con).__qualname__}")


def driver_of(connection: Any) -> Driver:
    """How to read from an open connection, found by the module of its class so that no driver is imported for it.

    Raises:
        UnknownSource: *connection* has no ``cursor()``.
    """
    match family_of(connection):
        case "sqlite3":
            from mesbatch.source.sqlite import SqliteDriver

            return SqliteDriver()
        case "apsw":
            from mesbatch.source.sqlite import ApswDriver

            return ApswDriver()
        case "psycopg":
            from mesbatch.source.postgres import PsycopgDriver

            return PsycopgDriver()
        case "oracledb":
            from mesbatch.source.oracle import OracleDriver

            return OracleDriver()
        case "adbc_driver_manager":
            from mesbatch.source.adbc import AdbcDriver

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


def _connect(connect: Callable[[], Any]) -> Session:
    connection = connect()
    driver = driver_of(connection)
    return Session(driver, connection, True, connection.close, connection.close)


def _from_oracledb_pool(pool: Any) -> Source:
    def open_session() -> Session:
        connection = pool.acquire()
        return owned_session(connection, connection.close, lambda: pool.drop(connection))

    return Source(open_session, True, "the oracledb pool")


def _from_url(url: str, timeout: float | None) -> Source:
    label = _without_password(url)
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        connect = _sqlite_connect(_sqlite_path(url))
    elif scheme in POSTGRES_SCHEMES:
        connect = _psycopg_connect(url.replace("+psycopg", "", 1), timeout)
    else:
        connect = _sqlalchemy_connect(url)

    def open_session() -> Session:
        try:
            return connect()
        except (ImportError, UnknownSource):
            raise
        except Exception as error:
            raise ConnectionLost(f"cannot connect to {label}: {type(error).__name__}") from error

    return Source(open_session, True, label, _arrow_connect(scheme, url))


def _arrow_connect(scheme: str, url: str) -> Callable[[str], Session | None] | None:
    """ADBC for the same database, if it is installed: half the time of tuples made into record batches."""
    if scheme == "sqlite":
        found, opening, place = find_spec("adbc_driver_sqlite"), "open_sqlite", _sqlite_path(url)
    elif scheme in POSTGRES_SCHEMES:
        found, opening, place = find_spec("adbc_driver_postgresql"), "open_postgres", url.replace("+psycopg", "", 1)
    else:
        return None

    def connect(sql: str) -> Session | None:
        session: Session | None = getattr(import_module("mesbatch.source.adbc_url"), opening)(place, sql)
        return session

    return connect if found else None


def _sqlite_path(url: str) -> str:
    return url.removeprefix("sqlite://").removeprefix("/")


def _sqlite_connect(path: str) -> Callable[[], Session]:
    def connect() -> Session:
        try:
            import apsw
        except ImportError:
            import sqlite3

            # mode=rw: a misspelt path must be an error, not a new and empty database
            uri = f"file:{quote(path)}?mode=rw" if path else ""
            return _connect(lambda: sqlite3.connect(uri, uri=True, check_same_thread=False))
        return _connect(lambda: apsw.Connection(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI))

    return connect


def _psycopg_connect(url: str, timeout: float | None) -> Callable[[], Session]:
    def connect() -> Session:
        import psycopg

        limit: dict[str, Any] = {} if timeout is None else {"connect_timeout": ceil(timeout)}
        return _connect(lambda: psycopg.connect(url, autocommit=True, **limit))

    return connect


def _sqlalchemy_connect(url: str) -> Callable[[], Session]:
    def connect() -> Session:
        from mesbatch.source.sqlalchemy import connect_url

        return connect_url(url)

    return connect


def _without_password(url: str) -> str:
    """*url* for a message.

    Raises:
        UnknownSource: it is no URL; it is not shown, since it may hold a password where nobody looks for one.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UnknownSource(f"con must be {WANTED}; got a text that is no URL: {error}") from None
    if not parts.scheme:
        raise UnknownSource(f"con must be {WANTED}; got a text that is no URL")
    if parts.password is not None:
        url = url.replace(f":{parts.password}@", ":***@", 1)
    return _PASSWORD_OPTION.sub("***", url)
