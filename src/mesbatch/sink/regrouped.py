"""The base of the writers of columnar files: rows in groups, and an end that only a whole file gets."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import pyarrow as pa

from mesbatch.sink.outlet import Outlet, Writable


class Regrouped:
    """A writer that joins record batches to groups of *group_rows* rows, or of *max_bytes* where rows are larger.

    A thread writes each group while the next one is collected, so two of them are held.
    """

    def __init__(self, file: Writable, schema: pa.Schema, group_rows: int, max_bytes: int) -> None:
        if group_rows < 1:
            raise ValueError(f"group_rows must be at least 1 row, got {group_rows}")
        self._schema, self._group_rows, self._max_bytes = schema, group_rows, max_bytes
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._nbytes = 0
        self._thread = ThreadPoolExecutor(1, "mesbatch-writer")
        self._written: Future[None] | None = None
        self._outlet = file if isinstance(file, Outlet) else Outlet(file)
        self._sink = pa.PythonFile(self._outlet, mode="w")

    def write(self, batch: pa.RecordBatch) -> None:
        """Write *batch*, cut where a group ends."""
        while self._rows + batch.num_rows >= self._group_rows:
            room = self._group_rows - self._rows
            self._waiting.append(batch.slice(0, room))
            self._flush()
            batch = batch.slice(room)
        if batch.num_rows:
            self._waiting.append(batch)
            self._rows += batch.num_rows
            self._nbytes += batch.nbytes
            if self._nbytes > self._max_bytes:  # rows much larger than those that group_rows was computed from
                self._flush()

    def close(self) -> None:
        """Write the rows that wait and end the format; the file under it stays open."""
        with self._thread:
            self._flush()
            self._await()
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.close()
        else:
            self._outlet.shut()
            self._thread.shutdown()

    def _flush(self) -> None:
        waiting, self._waiting, self._rows, self._nbytes = self._waiting, [], 0, 0
        self._await()
        if waiting:
            self._written = self._thread.submit(self._write_group, pa.Table.from_batches(waiting, self._schema))

    def _await(self) -> None:
        """Wait for the group before, and raise its error if it has one."""
        written, self._written = self._written, None
        if written is not None:
            written.result()

    def _write_group(self, group: pa.Table) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError
