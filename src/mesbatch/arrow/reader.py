"""`BatchReader.arrow()`: a read as Arrow record batches, also for libraries that take ``__arrow_c_stream__``."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, Protocol, Self

import pyarrow as pa

from mesbatch.arrow.convert import Converter
from mesbatch.batch import Batch, Column, check_unique
from mesbatch.manifest import Manifest


class BatchSource(Protocol):
    """A source of batches, of tuples or record batches, and of facts about their columns; `BatchReader` is one."""

    manifest: Manifest

    @property
    def description(self) -> tuple[Column, ...]: ...

    @property
    def arrow_schema(self) -> Any: ...

    @property
    def dialect(self) -> str: ...

    def __next__(self) -> Batch: ...

    def fail(self) -> None: ...

    def close(self) -> None: ...


class ArrowReader(Iterator[pa.RecordBatch]):
    """The record batches of one read: an iterator, a context manager, and an Arrow stream for other libraries.

    Holds the record batch that it makes beside what the reader holds. Closing it closes the reader; reaching the end
    without an exception means that every row came, and *manifest* is the account of it.

    >>> import sqlite3
    >>> from mesbatch import read_sql_iter
    >>> con = sqlite3.connect(":memory:")
    >>> pa.table(read_sql_iter("select 1 as ID, 'a' as LOT", con).arrow()).to_pylist()
    [{'ID': 1, 'LOT': 'a'}]
    """

    def __init__(self, reader: BatchSource, schema: Any = None) -> None:
        self._reader, self._wanted = reader, schema
        self._converter: Converter | None = None
        self._ready: pa.RecordBatch | None = None

    @property
    def manifest(self) -> Manifest:
        return self._reader.manifest

    @property
    def schema(self) -> pa.Schema:
        """The schema of all batches; runs the query if nothing has yet."""
        if self._converter is None:
            self._ready = self._advance()
        return self._prepared().schema

    def __next__(self) -> pa.RecordBatch:
        batch, self._ready = self._ready, None
        if batch is None:
            batch = self._advance()
        if batch is None:
            raise StopIteration
        return batch

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give a stream of the batches that are left; the reader is closed when the stream is released."""
        try:
            batches = self._closing()
            next(batches)
            return pa.RecordBatchReader.from_batches(self.schema, batches).__arrow_c_stream__(requested_schema)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading and give everything back; may be called twice."""
        self._reader.close()

    def _closing(self) -> Generator[pa.RecordBatch | None]:
        with self:
            yield None  # taken at once: a generator that never began would close nothing
            yield from self

    def _advance(self) -> pa.RecordBatch | None:
        try:
            batch = next(self._reader, None)
            converter = self._prepared()
            if batch is None:
                return None
            rows: Any = batch.rows
            return converter.from_rows(rows) if isinstance(rows, list) else converter.from_batch(rows)
        except BaseException:
            self._reader.fail()
            raise

    def _prepared(self) -> Converter:
        """Give the converter, made once the read knows its columns."""
        if self._converter is None:
            columns, schema = self._reader.description, self._reader.arrow_schema
            check_unique([column.name for column in columns])
            self._converter = Converter(columns, self._reader.dialect, self._wanted)
            if schema is not None:
                self._converter.prepare(schema)
        return self._converter
