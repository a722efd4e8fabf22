"""Sources behind a URL: those of the databases that are known, and whatever SQLAlchemy knows."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from mesbatch.errors import ConnectionLost, UnknownSource
from mesbatch.source.databases import database_of_scheme
from mesbatch.source.drivers import WANTED
from mesbatch.source.session import Session, Source

_PASSWORD_OPTION = re.compile(r"(?<=[?&]password=)[^&]*")


def from_url(url: str, timeout: float | None) -> Source:
    """The source of *url*, not connected yet; *timeout*, in seconds, is for connecting.

    Raises:
        UnknownSource: *url* is no URL.
    """
    label = _without_password(url)
    database = database_of_scheme(urlsplit(url).scheme)
    connect = None if database is None else database.connect(url, timeout)

    def open_session() -> Session:
        try:
            return _connect_by_sqlalchemy(url) if connect is None else connect()
        except (ImportError, UnknownSource):
            raise
        except Exception as error:
            raise ConnectionLost(f"cannot connect to {label}: {type(error).__name__}") from error

    return Source(open_session, True, label, None if database is None else database.connect_for_arrow(url))


def _connect_by_sqlalchemy(url: str) -> Session:
    from mesbatch.source.sqlalchemy.source import connect_url

    return connect_url(url)


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
