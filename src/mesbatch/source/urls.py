"""Sources behind a URL: those of the databases that are known, and whatever SQLAlchemy knows."""

from __future__ import annotations

from urllib.parse import urlsplit

from mesbatch.errors import UnknownSource
from mesbatch.source.connecting import explain
from mesbatch.source.databases import database_of_scheme
from mesbatch.source.drivers import WANTED
from mesbatch.source.labels import label_of
from mesbatch.source.session import Session, Source


def from_url(url: str, timeout: float | None) -> Source:
    """The source of *url*, not connected yet; *timeout*, in seconds, is for connecting.

    Raises:
        UnknownSource: *url* is no URL.
    """
    _check(url)
    label = label_of(url)
    database = database_of_scheme(urlsplit(url).scheme)
    connect = None if database is None else database.connect(url, timeout)

    def open_session() -> Session:
        try:
            return _connect_by_sqlalchemy(url) if connect is None else connect()
        except UnknownSource:
            raise
        except Exception as error:  # noqa: BLE001  # the driver's, whatever it is
            failure = explain(label, error)
        raise failure  # without the driver's own, which may quote the URL

    return Source(open_session, True, label, None if database is None else database.connect_for_arrow(url))


def _connect_by_sqlalchemy(url: str) -> Session:
    from mesbatch.source.sqlalchemy.source import connect_url

    return connect_url(url)


def _check(url: str) -> None:
    """Raise UnknownSource unless *url* is one; it is not shown, since it may hold a password where nobody looks."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        raise UnknownSource(f"con must be {WANTED}; got a text that is no URL") from None
    if not scheme:
        raise UnknownSource(f"con must be {WANTED}; got a text that is no URL")
