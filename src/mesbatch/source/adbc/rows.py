"""Rows that are Arrow record batches from the start: any object's ``__arrow_c_stream__``, and what drivers give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pyarrow as pa

from mesbatch.batch import Column, Row


class ArrowRows:
    """The record batches of one running statement, as they come.

    *close* gives back what they come from.
    """

    def __init__(
        self,
        columns: tuple[Column, ...],
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
        close: Callable[[], None],
    ) -> None:
        self.columns, self.schema = columns, schema
        self._batches, self._close = batches, close
        self._open = True

    def fetch(self, size: int) -> Any:
        """The next batch that has rows, however many whatever *size* is; None at the end."""
        return next((batch for batch in self._batches if batch.num_rows), None)

    def push_back(self, batch: pa.RecordBatch) -> None:
        """Let *batch* be the next one again."""
        self._batches = chain([batch], self._batches)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._close()


class TupleRows:
    """The same rows as tuples, for who does not ask for Arrow: four times the driver's own tuples, where it has any."""

    def __init__(self, rows: ArrowRows) -> None:
        self.columns, self.close = rows.columns, rows.close
        self._rows = rows
        self._batch: pa.RecordBatch | None = None
        self._start = 0

    def fetch(self, size: int) -> list[Row]:
        if self._batch is None or self._start >= self._batch.num_rows:
            self._batch, self._start = self._rows.fetch(size), 0
        if self._batch is None:
            return []
        piece = self._batch.slice(self._start, size)
        self._start += size
        return as_tuples(piece)


def open_stream(origin: Any) -> ArrowRows:
    """The record batches of an object that has ``__arrow_c_stream__``."""
    reader = pa.RecordBatchReader.from_stream(origin)
    columns = tuple(Column(name) for name in reader.schema.names)
    return ArrowRows(columns, reader.schema, iter(reader), reader.close)


def as_tuples(batch: pa.RecordBatch) -> list[Row]:
    """The rows of *batch* as Python values."""
    return list(zip(*(column.to_pylist() for column in batch.columns))) or [()] * batch.num_rows
