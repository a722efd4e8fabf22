"""Meanings of Oracle's errors to a reader, by their code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mesbatch.errors import (
    ConnectionClosed,
    ConnectionLost,
    DatabaseBusy,
    DatabaseTimeout,
    MesbatchError,
    SnapshotTooOld,
    StatementError,
    TooManyKeys,
)

MEANINGS: dict[str, type[MesbatchError]] = {
    "DPY-1001": ConnectionClosed,  # not connected to the database
    "DPY-3006": StatementError,  # a column type that the driver cannot read
    "DPY-3007": StatementError,
    "DPY-3022": StatementError,  # a time zone with a name
    "DPY-4005": DatabaseBusy,  # no connection in the pool within its wait
    "DPY-4011": ConnectionLost,  # the database or network closed the connection
    "DPY-4024": DatabaseTimeout,  # call timeout exceeded
    "DPY-4033": ConnectionLost,  # idle for too long
    "DPY-6000": ConnectionLost,  # the listener refused
    "DPY-6001": ConnectionLost,  # no such service
    "DPY-6003": ConnectionLost,  # no such SID
    "DPY-6005": ConnectionLost,  # cannot connect
    "DPI-1067": DatabaseTimeout,  # call timeout exceeded, in thick mode
    "DPI-1080": ConnectionLost,
    "ORA-00018": DatabaseBusy,  # maximum number of sessions
    "ORA-00020": DatabaseBusy,  # maximum number of processes
    "ORA-00028": ConnectionLost,  # the session was killed
    "ORA-00054": DatabaseBusy,  # locked by somebody else
    "ORA-01013": DatabaseTimeout,  # cancelled
    "ORA-01033": DatabaseBusy,  # starting or stopping
    "ORA-01089": ConnectionLost,  # stopping at once
    "ORA-01555": SnapshotTooOld,
    "ORA-01795": TooManyKeys,  # in one IN list
    "ORA-02391": DatabaseBusy,  # sessions of this user
    "ORA-02396": ConnectionLost,  # idle for too long
    "ORA-03113": ConnectionLost,
    "ORA-03114": ConnectionLost,
    "ORA-03135": ConnectionLost,
    "ORA-08176": SnapshotTooOld,  # an index was rebuilt under a read-only transaction
    "ORA-12516": DatabaseBusy,  # no handler of the listener
    "ORA-12518": DatabaseBusy,
    "ORA-12519": DatabaseBusy,
    "ORA-12520": DatabaseBusy,
    "ORA-22165": TooManyKeys,  # in one list type
}


def code_of(error: BaseException) -> str:
    """Such as ``ORA-01555`` or ``DPY-4011``; empty for an error that is not the driver's."""
    return getattr(error.args[0], "full_code", "") if error.args else ""


def meaning_of(error: BaseException) -> type[MesbatchError] | None:
    return MEANINGS.get(code_of(error))


@contextmanager
def explained(label: str) -> Iterator[None]:
    """Turn the driver's errors while *label* is connected to into ours where they mean one of ours."""
    try:
        yield
    except Exception as error:
        meaning = meaning_of(error)
        if meaning is not None:
            raise meaning(f"{label}: {error}") from error
        error.add_note(f"while connecting to {label}")
        raise
