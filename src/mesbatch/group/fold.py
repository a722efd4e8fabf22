"""`fold`, `fold_by_key` and `project`: aggregates that take rows as they pass and keep none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from operator import itemgetter
from typing import Any, TypeVar

from mesbatch.batch import Batch, find_column, open_batches
from mesbatch.group.key_runs import RowOrder, iter_key_runs

State = TypeVar("State")
Step = Callable[[State, Batch], State]


def fold(batches: Iterable[Batch], step: Step[State], start: Callable[[], State]) -> State:
    """Call ``state = step(state, batch)`` for each batch, beginning with ``start()``, and return the last state.

    Holds the state and one batch, whatever the number of rows.

    Args:
        batches: A reader, or any batches.
        step: A function of the state and a batch, which returns the next state.
        start: A function that makes the first state, such as ``Counter`` or ``int``.

    Raises:
        SchemaChanged: the columns of a later batch are not those of the first.

    >>> from collections import Counter
    >>> def count(counts, batch):
    ...     counts.update(batch.rows)
    ...     return counts
    >>> rejects = Batch(("LOT", "REASON", "TOOL"), [("a", "scratch", 7), ("b", "scratch", 7), ("b", "stain", 7)])
    >>> fold(project([rejects], ["REASON", "TOOL"]), count, Counter)
    Counter({('scratch', 7): 2, ('stain', 7): 1})
    """
    state = start()
    with open_batches(batches) as opened:
        for batch in opened:
            state = step(state, batch)
            del batch
    return state


def fold_by_key(
    batches: Iterable[Batch], key: str, step: Step[State], start: Callable[[], State], *, order: RowOrder = "key"
) -> Iterator[tuple[Any, State]]:
    """Give each key with the last state of its own fold, from input whose rows of one key are neighbours.

    Holds one batch and one state, whatever the number of keys and of rows of one key.

    Args:
        batches: A reader, or any batches, with rows of one key as neighbours.
        key: The name of the key's column.
        step: A function of the state and a batch, which returns the next state. It is given batches that hold rows of
            one key only: one for each batch that has rows of the key.
        start: A function that makes the first state of a key.
        order: ``key`` or ``any``, as in `iter_groups`.

    Raises:
        KeyColumnError: no column, or more than one, is called *key*.
        KeyMismatch: the keys do not ascend, and ``order="any"`` was not asked for.
        SchemaChanged: the columns of a later batch are not those of the first.

    >>> moves = Batch(("LOT", "QTY"), [("a", 1), ("b", 2), ("b", 3)])
    >>> list(fold_by_key([moves], "LOT", lambda total, batch: total + sum(qty for _, qty in batch.rows), int))
    [('a', 1), ('b', 5)]
    """
    value, state, started = None, start(), False
    with closing(iter_key_runs(batches, key, order)) as batches_of_runs:
        for columns, runs, goes_on in batches_of_runs:
            for run_key, rows in runs:
                if started and not goes_on:
                    yield value, state
                    state = start()
                value, started, goes_on = run_key, True, False
                state = step(state, Batch(columns, rows))
    if started:
        yield value, state


def project(batches: Iterable[Batch], columns: Sequence[str]) -> Iterator[Batch]:
    """Give the same rows with only *columns*, in the order of *columns*; holds one batch.

    Args:
        batches: A reader, or any batches.
        columns: The names of the columns to keep.

    Raises:
        ValueError: *columns* is empty.
        KeyColumnError: a batch has no column, or more than one, of one of these names.

    >>> list(project([Batch(("LOT", "STEP", "QTY"), [("a", "etch", 1)])], ["QTY", "LOT"]))
    [Batch(columns=('QTY', 'LOT'), rows=[(1, 'a')])]
    """
    if not columns:
        raise ValueError("rows cannot be projected to 0 columns")
    with open_batches(batches) as opened:
        for batch in opened:
            getters = [itemgetter(find_column(batch.columns, name)) for name in columns]
            yield Batch(tuple(columns), list(zip(*(map(getter, batch.rows) for getter in getters))))
            del batch
