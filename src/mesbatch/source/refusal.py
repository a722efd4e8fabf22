"""The error for a value that a driver cannot give as the database has it."""

from __future__ import annotations

from mesbatch.batch import Column
from mesbatch.errors import InvalidText, UnencodableValue


def refuse(column: Column, row: int, data: bytes | str | None, reason: object) -> UnencodableValue:
    """Make the error for *data*, which is the database's form of a value of *column* in the *row*-th row.

    *data* is None where it is not known; *reason* is the driver's own error, or words.
    """
    place = f"column {column.name!r} of row {row:,}"
    if isinstance(reason, UnicodeDecodeError):
        return InvalidText(f"{place}: {_shown(data)} is no valid UTF-8: {OPTIONS}")
    kind = f" of type {column.type}" if column.type else ""
    return UnencodableValue(
        f"{place}: {_shown(data)}{kind} has no form in Python ({reason}): read it as text, {column.as_text}"
    )


OPTIONS = "pass on_invalid_text='replace' or on_invalid_text='base64'"


def _shown(data: bytes | str | None) -> str:
    """Give the beginning of *data*."""
    if data is None:
        return "a value"
    return repr(data if isinstance(data, str) else _decoded(data))[:80]


def _decoded(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
