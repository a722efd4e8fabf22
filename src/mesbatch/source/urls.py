"""Sources behind a URL: SQLite, PostgreSQL, and whatever SQLAlchemy knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from math import ceil
from typing import Any
from urllib.parse import quote, urlsplit

from mesbatch.errors import ConnectionLost, UnknownSource
from mesbatch.source.drivers import WANTED, session_of
from mesbatch.source.session import Session, Source

POSTGRES_SCHEMES = {"postgresql", "postgres", "postgresql+psycopg"}
_PASSWORD_OPTION = re.compile(r"(?<=[?&]password=)[^&]*")


def from_url(url: str, timeout: float | None) -> Source:
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
        session: Session | None = getattr(import_module("mesbatch.source.adbc.url"), opening)(place, sql)
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
            return session_of(lambda: sqlite3.connect(uri, uri=True, check_same_thread=False))
        return session_of(lambda: apsw.Connection(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI))

    return connect


def _psycopg_connect(url: str, timeout: float | None) -> Callable[[], Session]:
    def connect() -> Session:
        import psycopg

        limit: dict[str, Any] = {} if timeout is None else {"connect_timeout": ceil(timeout)}
        return session_of(lambda: psycopg.connect(url, autocommit=True, **limit))

    return connect


def _sqlalchemy_connect(url: str) -> Callable[[], Session]:
    def connect() -> Session:
        from mesbatch.source.sqlalchemy.statement import connect_url

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
