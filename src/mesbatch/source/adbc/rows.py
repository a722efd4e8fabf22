"""Rows that are Arrow record batches from the start: of any object's ``__arrow_c_stream__``, and of drivers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from mesbatch.batch import Column, Row
from mesbatch.source.adbc.values import as_tuples


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
        """Fetch the next batch that has rows, however many, whatever *size* is; None at the end."""
        return next((batch for batch in self._batches if batch.num_rows), None)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._close()


class TupleRows:
    """The same rows as tuples, where nobody asks for Arrow: four times the driver's own tuples, where it has any.

    *way_out* advises what to do about a value that Python has not.
    """

    def __init__(self, rows: ArrowRows, way_out: Callable[[Column], str]) -> None:
        self.columns, self.close = rows.columns, rows.close
        self._rows, self._way_out = rows, way_out
        self._batch: pa.RecordBatch | None = None
        self._start = self._before = 0  # rows of this batch, and of those before it

    def fetch(self, size: int) -> list[Row]:
        """At most *size* rows.

        Raises:
            UnencodableValue: a value has no form in Python.
        """
        if self._batch is None or self._start >= self._batch.num_rows:
            self._before += self._start if self._batch is None else self._batch.num_rows
            self._batch, self._start = self._rows.fetch(size), 0
        if self._batch is None:
            return []
        piece, first = self._batch.slice(self._start, size), self._before + self._start + 1
        self._start += size
        return as_tuples(piece, self.columns, first, self._way_out)


def open_stream(origin: Any) -> ArrowRows:
    """Open the record batches of an object that has ``__arrow_c_stream__``."""
    reader = pa.RecordBatchReader.from_stream(origin)
    columns = tuple(Column(name) for name in reader.schema.names)
    return ArrowRows(columns, reader.schema, iter(reader), reader.close)


def stream_tuples(origin: Any) -> TupleRows:
    """Stream the rows of an object that has ``__arrow_c_stream__`` as tuples."""
    return TupleRows(open_stream(origin), lambda column: "read it as record batches, .arrow()")
