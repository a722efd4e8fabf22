"""Record batches on their way through a read, cut to the budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mesbatch.errors import RowTooLarge
from mesbatch.read.fetch import Budget
from mesbatch.source.session import Rows
from mesbatch.units import format_bytes

BATCH_ROWS = 65_536  # a slice of a given table that is narrow has no more rows than this


def is_columnar(rows: Rows) -> bool:
    """True for rows that are fetched as Arrow record batches."""
    return getattr(rows, "schema", None) is not None


class ArrowFetcher:
    """The record batches of one statement, in slices of about the budget's share.

    A slice shares the memory of its batch, so the whole batch is counted with its first slice.
    """

    def __init__(self, rows: Rows, budget: Budget, batch_size: int | None) -> None:
        self._rows, self._budget, self._batch_size = rows, budget, batch_size or BATCH_ROWS

    def batches(self) -> Iterator[tuple[Any, int]]:
        """Record batches with the bytes that they hold.

        Raises:
            RowTooLarge: one row alone is larger than the whole budget.
        """
        while (batch := self._rows.fetch(self._batch_size)) is not None:
            total = batch.nbytes  # type: ignore[attr-defined]  # walks over the columns: 40 us for 14 of them
            if total <= self._budget.share and len(batch) <= self._batch_size:
                yield batch, total
            else:
                yield from self._slices(batch, total)
            del batch

    def _slices(self, batch: Any, total: int) -> Iterator[tuple[Any, int]]:
        size = max(1, min(len(batch) * self._budget.share // max(1, total), self._batch_size))
        for start in range(0, len(batch), size):
            piece = batch.slice(start, size)
            self._check(piece)
            yield piece, total if start == 0 else 0

    def _check(self, piece: Any) -> None:
        limit = self._budget.max_bytes
        if piece.nbytes <= limit:
            return
        for row in range(len(piece)):
            if (size := piece.slice(row, 1).nbytes) > limit:
                raise RowTooLarge(
                    f"one row holds {format_bytes(size)}, max_bytes is {format_bytes(limit)}: raise it, or leave "
                    "out its large columns"
                )
