"""Record batches as Arrow IPC: a file, or a stream for pipes."""

from __future__ import annotations

from typing import Any, BinaryIO, Literal, Self

import pyarrow as pa

from mesbatch.units import MiB

Kind = Literal["file", "stream"]


class Regrouped:
    """Takes record batches and gives them on *group_rows* rows at a time, or once they hold *max_bytes*."""

    def __init__(self, schema: pa.Schema, group_rows: int, max_bytes: int) -> None:
        if group_rows < 1:
            raise ValueError(f"group_rows must be at least 1 row, got {group_rows}")
        self._schema, self._group_rows, self._max_bytes = schema, group_rows, max_bytes
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._nbytes = 0

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

    def _flush(self) -> None:
        waiting, self._waiting, self._rows, self._nbytes = self._waiting, [], 0, 0
        if waiting:
            self._write_group(pa.Table.from_batches(waiting, self._schema))

    def close(self) -> None:
        """Write what waits and end the format; the file under it stays open."""
        self._flush()
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self.close()

    def _write_group(self, group: pa.Table) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError


class ArrowWriter(Regrouped):
    """Writes record batches to *file*, in Arrow's IPC format, *group_rows* rows a message.

    *kind* is ``file`` (with a footer, to be opened at any place) or ``stream``; *compression* is ``lz4`` or ``zstd``.
    Holds one message. Leaving a ``with`` block by an error does not end the format: what is there is no whole file.

    >>> import io
    >>> file = io.BytesIO()
    >>> batch = pa.record_batch({"ID": [1, 2, 3]})
    >>> with ArrowWriter(file, batch.schema, group_rows=2) as writer:
    ...     writer.write(batch)
    >>> pa.ipc.open_file(file.getvalue()).num_record_batches
    2
    """

    def __init__(
        self,
        file: BinaryIO,
        schema: pa.Schema,
        *,
        group_rows: int,
        max_bytes: int = 16 * MiB,
        kind: Kind = "file",
        compression: str | None = None,
    ) -> None:
        super().__init__(schema, group_rows, max_bytes)
        options = pa.ipc.IpcWriteOptions(compression=compression)
        make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
        self._writer: Any = make(pa.PythonFile(file, mode="w"), schema, options=options)

    def _write_group(self, group: pa.Table) -> None:
        for batch in group.combine_chunks().to_batches():
            self._writer.write_batch(batch)

    def _end(self) -> None:
        self._writer.close()
