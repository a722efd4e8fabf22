"""Rows of a driver as tuples in the order of the description, whatever its cursor makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mesbatch.batch import Column, Row
from mesbatch.errors import DataError


def as_tuples(rows: Any, columns: Sequence[Column]) -> list[Row]:
    """*rows* as a list of tuples of values, never of names.

    Raises:
        DataError: a row cannot tell which of its values belongs to which of *columns*.

    >>> as_tuples([{"n": 1, "lot": "a"}, ["b", 2]], (Column("lot"), Column("n")))
    [('a', 1), ('b', 2)]
    """
    if type(rows) is list and (not rows or type(rows[0]) is tuple):
        return rows
    names = [column.name for column in columns]
    return [row if type(row) is tuple else _as_tuple(row, names) for row in rows]


def _as_tuple(row: Any, names: list[str]) -> Row:
    values = _by_position(row, len(names)) if not isinstance(row, Mapping) else None
    if values is None and hasattr(row, "keys"):
        values = _by_name(row, names)
    if values is None or len(values) != len(names):
        raise DataError(
            f"the cursor makes rows of type {type(row).__qualname__}, whose values cannot be told apart for the "
            f"columns {', '.join(names)}: read on a connection whose rows are tuples"
        )
    return values


def _by_position(row: Any, count: int) -> Row | None:
    """The values of a sequence, or of anything that is counted like one; None where the row has no positions.

    An object with keys, such as `sqlite3.Row`, may give its names to a loop: it is asked for each position.
    """
    if isinstance(row, str | bytes):
        return None
    try:
        if hasattr(row, "keys"):
            return tuple(row[i] for i in range(count)) if len(row) == count else None
        return tuple(row)
    except (KeyError, IndexError, TypeError):
        return None


def _by_name(row: Any, names: list[str]) -> Row | None:
    """The values of a mapping; None where a name is missing, or repeated, so that one value stands for two."""
    try:
        return tuple(row[name] for name in names) if len(row.keys()) == len(set(names)) == len(names) else None
    except (KeyError, IndexError, TypeError):
        return None
