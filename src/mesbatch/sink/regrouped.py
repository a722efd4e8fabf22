"""What the writers of columnar files have in common: groups of rows, and an end that only a whole file gets."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO, Self

import pyarrow as pa


class Outlet:
    """The way to *file*, until it is shut: Parquet's writer would write a footer even when it is thrown away."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file: BinaryIO | None = file
        self._size = 0

    def write(self, data: Any) -> int:
        if self._file is not None:
            self._file.write(data)
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        self.shut()

    def shut(self) -> None:
        """What is still written goes nowhere."""
        self._file = None


class Regrouped:
    """Takes record batches and gives them on *group_rows* rows at a time, or once they hold *max_bytes*.

    A thread writes each group while the next one is collected, so two of them are held.
    """

    def __init__(self, file: BinaryIO, schema: pa.Schema, group_rows: int, max_bytes: int) -> None:
        if group_rows < 1:
            raise ValueError(f"group_rows must be at least 1 row, got {group_rows}")
        self._schema, self._group_rows, self._max_bytes = schema, group_rows, max_bytes
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._nbytes = 0
        self._thread = ThreadPoolExecutor(1, "mesbatch-writer")
        self._written: Future[None] | None = None
        self._outlet = Outlet(file)
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
            if self._nbytes > self._max_bytes:  # rows much larger than those that group_rows was reckoned from
                self._flush()

    def close(self) -> None:
        """Write what waits and end the format; the file under it stays open."""
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
        """Wait for the group before, and raise what became of it."""
        written, self._written = self._written, None
        if written is not None:
            written.result()

    def _write_group(self, group: pa.Table) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError
