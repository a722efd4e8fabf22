"""Wrappers of connections, opened down to the driver's own connection, and pools that lend connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from mesbatch.errors import ConnectionClosed, DatabaseBusy

T = TypeVar("T")


class Pool(NamedTuple):
    """The methods of a pool that lend a connection and take it back, and how a broken one is taken back."""

    lend: str
    take_back: Callable[[Any, Any], None]
    discard: Callable[[Any, Any], None]


def _open_django(wrapper: Any) -> Any:
    wrapper.ensure_connection()
    return wrapper.connection


def _take_back(pool: Any, connection: Any) -> None:
    """Give *connection* back without the transaction that a read began on it."""
    try:
        connection.rollback()
    finally:
        pool.putconn(connection)


def _discard(pool: Any, connection: Any) -> None:
    try:
        connection.close()
    finally:
        pool.putconn(connection)


def _discard_lent(_: Any, lent: Any) -> None:
    """Close the driver's own connection first: what went back to DBUtils' pool is then opened anew when it is used."""
    with suppress(Exception):
        unwrap(lent).close()
    lent.close()


# By the package and the name of a class that the object's class is, or inherits from.
WRAPPERS: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("django", "ConnectionProxy"): _open_django,
    ("django", "BaseDatabaseWrapper"): _open_django,
    ("dbutils", "PooledDBConnection"): attrgetter("_con"),
    ("dbutils", "PooledDedicatedDBConnection"): attrgetter("_con"),
    ("dbutils", "PooledSharedDBConnection"): attrgetter("_con"),
    ("dbutils", "SteadyDBConnection"): attrgetter("_con"),
    ("duckdb_engine", "ConnectionWrapper"): attrgetter("_ConnectionWrapper__c"),
    ("sqlalchemy", "PoolProxiedConnection"): attrgetter("driver_connection"),
    ("sqlalchemy", "Session"): lambda session: session.connection().connection,
    ("sqlalchemy", "scoped_session"): lambda session: session.connection().connection,
}
POOLS: Mapping[tuple[str, str], Pool] = {
    ("psycopg_pool", "ConnectionPool"): Pool("getconn", _take_back, _discard),
    ("psycopg2", "AbstractConnectionPool"): Pool("getconn", _take_back, _discard),
    ("dbutils", "PooledDB"): Pool("connection", lambda _, lent: lent.close(), _discard_lent),
    ("dbutils", "PersistentDB"): Pool("connection", lambda _, lent: lent.close(), _discard_lent),
}
# Errors by which a pool says that all of its connections are lent.
EXHAUSTED = frozenset({"PoolTimeout", "TooManyRequests", "TooManyConnections", "TooManyConnectionsError"})


def is_wrapper(con: Any) -> bool:
    """True for an object of `WRAPPERS`, which nothing is asked for here."""
    return _entry(WRAPPERS, con) is not None


def unwrap(con: Any) -> Any:
    """The driver's own connection inside of *con*, through all of its wrappers; *con* itself if there is none.

    Raises:
        ConnectionClosed: a wrapper holds no connection any more.
    """
    while (opening := _entry(WRAPPERS, con)) is not None:
        inner = opening(con)
        if inner is None:
            raise ConnectionClosed(f"the caller's {type(con).__qualname__}: it is closed")
        con = inner
    return con


def pool_of(con: Any) -> tuple[Any, Pool] | None:
    """The pool that *con* is, or whose lending method it is; None for anything else."""
    if (known := _entry(POOLS, con)) is not None:
        return con, known
    owner = getattr(con, "__self__", None)
    known = None if owner is None else _entry(POOLS, owner)
    return (owner, known) if known is not None and con.__name__ in {known.lend, "connection"} else None


def borrow(pool: Any, known: Pool) -> Any:
    """A connection of *pool*.

    Raises:
        DatabaseBusy: all of them are lent.
    """
    try:
        return getattr(pool, known.lend)()
    except Exception as error:
        if type(error).__name__ in EXHAUSTED or "exhausted" in str(error):  # psycopg2 has one error for everything
            raise DatabaseBusy(f"the pool has no connection to give: {error}") from error
        raise


def _entry(table: Mapping[tuple[str, str], T], con: Any) -> T | None:
    names = ((cls.__module__.partition(".")[0], cls.__name__) for cls in type(con).__mro__)
    return next((table[name] for name in names if name in table), None)
