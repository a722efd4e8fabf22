"""Adjacent rows of one key, as lists or streamed in pieces."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from inspect import GEN_CREATED, getgeneratorstate
from typing import Any, Self

from mesbatch.batch import Batch, Row
from mesbatch.group.key_runs import KeyRuns, RowOrder, iter_key_runs


class KeyGroups(Iterator[tuple[Any, list[Row]]]):
    """The iterator of `mesbatch.iter_groups`: pairs of a key and the list of its rows."""

    def __init__(self, batches: Iterable[Batch], key: str, order: RowOrder) -> None:
        self._batches, self._key, self._order = batches, key, order
        self._given: Generator[tuple[Any, Any]] = _whole_groups(iter_key_runs(batches, key, order))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> tuple[Any, list[Row]]:
        return next(self._given)

    def in_pieces(self) -> Iterator[tuple[Any, Iterable[Row]]]:
        """Give the groups that are left; one with rows in several batches has an iterator of them, good until the next.

        Holds one batch, and no group that is larger.
        """
        if getgeneratorstate(self._given) == GEN_CREATED:
            self._given = _groups_in_pieces(iter_key_runs(self._batches, self._key, self._order))
        return self._given

    def close(self) -> None:
        """Take no more batches; may be called twice."""
        self._given.close()


def _whole_groups(batches_of_runs: Generator[KeyRuns]) -> Generator[tuple[Any, list[Row]]]:
    open_group: tuple[Any, list[Row]] | None = None
    with closing(batches_of_runs):
        for _, runs, goes_on in batches_of_runs:
            if open_group is not None:
                if goes_on:
                    open_group[1].extend(runs[0][1])
                    runs[0] = open_group
                else:
                    yield open_group
            open_group = runs.pop()
            yield from runs
            del runs
    if open_group is not None:
        yield open_group


def _groups_in_pieces(batches_of_runs: Generator[KeyRuns]) -> Generator[tuple[Any, Iterable[Row]]]:
    last_group: tuple[Any, list[Row]] | None = None  # of a batch: the next batch tells whether it goes on
    with closing(batches_of_runs):
        for _, runs, goes_on in batches_of_runs:
            if last_group is not None:
                if goes_on:
                    key, rows = last_group
                    last_group = None
                    pieces = _pieces(rows, runs, batches_of_runs)
                    del rows
                    yield key, pieces
                    for _ in pieces:  # rows that the consumer left
                        pass
                else:
                    yield last_group
            if runs:
                last_group = runs.pop()
                yield from runs
            del runs
    if last_group is not None:
        yield last_group


def _pieces(rows: list[Row], runs: list[tuple[Any, list[Row]]], batches_of_runs: Iterator[KeyRuns]) -> Generator[Row]:
    """Give *rows*, and those of the same key that begin *runs* and the batches after it; *runs* keeps the rest."""
    yield from rows
    goes_on = True
    while goes_on:
        _, rows = runs.pop(0)
        yield from rows
        if runs:
            return
        _, runs[:], goes_on = next(batches_of_runs, ((), [], False))
