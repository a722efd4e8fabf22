"""SQLAlchemy's engines and connections, read through the driver underneath them.

SQLAlchemy's own streaming costs 2.6 times the driver's, its ``yield_per`` option is ignored for textual SQL, and it
never sets oracledb's arraysize. So an engine is our pool, and the rows come from the driver.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.pool import NullPool

from mesbatch.errors import ConnectionClosed, UnknownSource
from mesbatch.source.asynchronous import check_is_ordinary
from mesbatch.source.drivers import driver_of, owned_session
from mesbatch.source.labels import label_of
from mesbatch.source.session import Session, Source
from mesbatch.source.unwrap import unwrap


def from_sqlalchemy(con: Any) -> Source:
    """The source behind an Engine (its pool) or a Connection (the caller's own)."""
    if isinstance(con, Engine):
        return Source(lambda: _checkout(con), True, f"the engine {_label(con)}")
    if isinstance(con, Connection):
        return Source(lambda: _borrow(con), False, "the caller's SQLAlchemy connection")
    raise UnknownSource(f"of SQLAlchemy, con may be an Engine or a Connection; got {type(con).__qualname__}")


def connect_url(url: str) -> Session:
    """One connection of a URL whose driver SQLAlchemy knows and we do not; it ends with the session."""
    try:
        engine = sqlalchemy.create_engine(make_url(url), poolclass=NullPool)
    except sqlalchemy.exc.ArgumentError as error:
        raise UnknownSource(f"SQLAlchemy does not know such a URL: {type(error).__name__}") from None
    check_is_ordinary(engine)
    return _checkout(engine)


def _label(engine: Engine) -> str:
    """The engine's URL as `label_of` gives those of text."""
    shown = URL.create(engine.url.drivername, host=engine.url.host, port=engine.url.port, database=engine.url.database)
    return label_of(shown.render_as_string())


def _checkout(engine: Engine) -> Session:
    proxy = engine.raw_connection()
    return owned_session(
        unwrap(proxy.driver_connection), proxy.close, proxy.invalidate, lambda: _connect_beside(engine)
    )


def _connect_beside(engine: Engine) -> Any:
    """A connection of *engine*'s driver that its pool does not count: it may have none left."""
    arguments, options = engine.dialect.create_connect_args(engine.url)
    return unwrap(engine.dialect.connect(*arguments, **options))


def _borrow(connection: Connection) -> Session:
    if connection.closed:
        raise ConnectionClosed("the caller's SQLAlchemy connection: it is closed")
    driver_connection = unwrap(connection.connection.driver_connection)
    return Session(driver_of(driver_connection), driver_connection, owned=False)
