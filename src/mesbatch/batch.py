"""Rows fetched together, and the declarations of their columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from sys import getsizeof
from typing import Any, NamedTuple

from mesbatch.errors import ColumnNameError, KeyColumnError, SchemaChanged

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """The declaration of one column of a result, as the database gives it; None for all that it does not declare.

    Attributes:
        name: The name of the column in the result.
        type: The database's own word in lower case, such as ``numeric``, ``timestamp`` or ``varchar``.
        width: The declared length of a text or binary column, in characters or bytes.
        precision: Decimal digits in all.
        scale: Decimal digits after the point.

    >>> Column("QTY", "numeric", precision=10, scale=3).type
    'numeric'
    """

    name: str
    type: str | None = None
    width: int | None = None
    precision: int | None = None
    scale: int | None = None

    @property
    def as_text(self) -> str:
        """An SQL expression that reads the column as text."""
        return f"CAST({quoted(self.name)} AS VARCHAR)"


def quoted(name: str) -> str:
    """*name* as an identifier of standard SQL."""
    return '"' + name.replace('"', '""') + '"'


class Batch(NamedTuple):
    """Rows that were fetched together; it unpacks as ``columns, rows``.

    Attributes:
        columns: The names of the columns.
        rows: The rows as tuples, one value a column, as the driver made them.

    >>> batch = Batch(("ID", "NAME"), [(1, "a"), (2, "b")])
    >>> batch.num_rows
    2
    >>> batch.to_dicts()[0]
    {'ID': 1, 'NAME': 'a'}
    """

    columns: tuple[str, ...]
    rows: list[Row]

    @property
    def num_rows(self) -> int:
        return len(self.rows)

    @property
    def nbytes(self) -> int:
        """The bytes that these rows hold in memory; walks over every value."""
        return measure_rows(self.rows)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Make dictionaries of the rows: four times the memory of tuples.

        Raises:
            ColumnNameError: a name repeats, so that one of its values would be lost.
        """
        check_unique(self.columns)
        return [dict(zip(self.columns, row)) for row in self.rows]


def measure_rows(rows: Sequence[Row]) -> int:
    """Measure the bytes that *rows* hold in memory: the list's slots, the tuples and each value once per appearance."""
    slot = 8
    return slot * len(rows) + sum(map(getsizeof, rows)) + sum(map(getsizeof, chain.from_iterable(rows)))


def check_unique(columns: Sequence[str]) -> None:
    """Raise `ColumnNameError` when two of *columns* share a name."""
    if len(set(columns)) < len(columns):
        repeated = sorted({name for name in columns if columns.count(name) > 1})
        raise ColumnNameError(f"rows cannot be objects: column {', '.join(map(repr, repeated))} appears more than once")


def find_column(columns: Sequence[str], name: str) -> int:
    """Find the position of *name*, as it is written or else in any case, as databases fold unquoted names.

    Raises:
        KeyColumnError: no column, or more than one, has this name.

    >>> find_column(("lot", "ContainerId"), "CONTAINERID")
    1
    """
    exact = [i for i, column in enumerate(columns) if column == name]
    found = exact or [i for i, column in enumerate(columns) if column.casefold() == name.casefold()]
    if len(found) == 1:
        return found[0]
    many = "more than one" if found else "no"
    raise KeyColumnError(f"the result has {many} column {name!r}; its columns are {', '.join(columns)}")


@contextmanager
def open_batches(batches: Iterable[Batch]) -> Iterator[Iterator[Batch]]:
    """Open one pass over *batches*, whose columns may not change.

    The iterator that this makes is closed at the end, also on an error. An iterator that the caller made, such as a
    reader, stays open: the caller closes it.

    Raises:
        SchemaChanged: a later batch has other columns than the first.

    >>> with open_batches([Batch(("ID",), [(1,)]), Batch(("ID",), [(2,)])]) as opened:
    ...     [batch.rows for batch in opened]
    [[(1,)], [(2,)]]
    """
    iterator = iter(batches)
    try:
        yield _with_same_columns(iterator)
    finally:
        close = getattr(iterator, "close", None)
        if close is not None and iterator is not batches:
            close()


def _with_same_columns(batches: Iterator[Batch]) -> Iterator[Batch]:
    first: tuple[str, ...] | None = None
    for columns, rows in batches:
        if first is None:
            first = tuple(columns)
        elif tuple(columns) != first:
            raise SchemaChanged(f"the first batch has the columns {', '.join(first)}, a later one {', '.join(columns)}")
        yield Batch(first, rows)
        del rows
