"""The errors of mesbatch that PostgreSQL's own codes stand for, whatever driver brings them."""

from __future__ import annotations

from mesbatch.errors import (
    ConnectionLost,
    DatabaseBusy,
    DatabaseTimeout,
    InvalidText,
    MesbatchError,
    SnapshotTooOld,
)

SQLSTATES: dict[str, type[MesbatchError]] = {  # https://www.postgresql.org/docs/current/errcodes-appendix.html
    "08": ConnectionLost,  # connection exceptions
    "53300": DatabaseBusy,  # too_many_connections
    "55P03": DatabaseBusy,  # lock_not_available
    "57P01": ConnectionLost,  # admin_shutdown
    "57P02": ConnectionLost,  # crash_shutdown
    "57P03": DatabaseBusy,  # cannot_connect_now: it is starting
    "57014": DatabaseTimeout,  # query_canceled
    "22021": InvalidText,  # character_not_in_repertoire: the server itself checks what it sends to a client in UTF-8
    "40001": SnapshotTooOld,  # serialization_failure
    "72000": SnapshotTooOld,  # snapshot_too_old
}


def meaning_of_sqlstate(sqlstate: str) -> type[MesbatchError] | None:
    """The error for a code, or for its class; None where neither is one that a reader can act on.

    >>> meaning_of_sqlstate("08006"), meaning_of_sqlstate("42P01")
    (<class 'mesbatch.errors.ConnectionLost'>, None)
    """
    return SQLSTATES.get(sqlstate) or SQLSTATES.get(sqlstate[:2])
