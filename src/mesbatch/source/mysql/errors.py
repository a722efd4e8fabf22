"""The meaning of MySQL's and MariaDB's error numbers, which all of their drivers carry."""

from __future__ import annotations

from mesbatch.errors import (
    ConnectionClosed,
    ConnectionLost,
    DatabaseBusy,
    DatabaseTimeout,
    MesbatchError,
    SnapshotTooOld,
)

ERRORS: dict[int, type[MesbatchError]] = {  # https://mariadb.com/kb/en/mariadb-error-codes/
    0: ConnectionClosed,  # pymysql and mysqlclient, of a connection that was closed here
    1040: DatabaseBusy,  # too many connections
    1053: ConnectionLost,  # the server shuts down
    1080: ConnectionLost,  # forced close of a thread
    1152: ConnectionLost,  # aborted connection
    1158: ConnectionLost,  # an error, or a timeout, on the way
    1159: ConnectionLost,
    1160: ConnectionLost,
    1161: ConnectionLost,
    1184: ConnectionLost,  # aborted connection
    1203: DatabaseBusy,  # too many connections of this user
    1205: DatabaseBusy,  # a lock was not given in time
    1213: DatabaseBusy,  # deadlock
    1226: DatabaseBusy,  # the user's own limits
    1317: DatabaseTimeout,  # the query was interrupted
    1412: SnapshotTooOld,  # the table was altered after the snapshot
    1927: ConnectionLost,  # the connection was killed
    1969: DatabaseTimeout,  # max_statement_time of MariaDB
    2002: ConnectionLost,  # the client's own: cannot connect
    2003: ConnectionLost,
    2006: ConnectionLost,  # server has gone away
    2013: ConnectionLost,  # lost during a query
    2026: ConnectionLost,  # TLS broke
    2055: ConnectionLost,
    3024: DatabaseTimeout,  # max_execution_time of MySQL
    3169: ConnectionLost,  # the session was killed
    4031: ConnectionLost,  # the server ended an idle connection
}
REPEATED_NAME = 1060  # a derived table has two columns of one name
CLOSED = ("not connected", "connection is closed", "connection not available", "already closed", "invalid connection")


def number_of(error: BaseException) -> int | None:
    """The number that the server, or the driver, gave to *error*; None where there is none."""
    for number in (getattr(error, "errno", None), *error.args[:1]):
        if isinstance(number, int) and number >= 0:
            return number
    return None


def meaning_of(error: BaseException) -> type[MesbatchError] | None:
    """Which of our errors *error* is; None where it is only itself."""
    if any(word in str(error).lower() for word in CLOSED):
        return ConnectionClosed
    number = number_of(error)
    return ERRORS.get(number) if number is not None else None
