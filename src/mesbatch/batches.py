"""An iterable of batches, opened for one pass and held to the columns of its first batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from mesbatch.batch import Batch
from mesbatch.errors import SchemaChanged


@contextmanager
def open_batches(batches: Iterable[Batch]) -> Iterator[Iterator[Batch]]:
    """One pass over *batches*, whose columns may not change.

    The iterator that this makes is closed at the end, also on an error; an iterator that the caller made, such as a
    reader, is the caller's to close.

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
