"""Record batches as Arrow IPC: a file, or a stream for pipes."""

from __future__ import annotations

from typing import Any, Literal

import pyarrow as pa

from mesbatch.sink.outlet import Writable
from mesbatch.sink.regrouped import Regrouped
from mesbatch.units import MiB

GIVES_BACK = pa.system_memory_pool()  # Arrow's default keeps freed memory: 7 MiB more at the peak
FileKind = Literal["file", "stream"]


class ArrowWriter(Regrouped):
    """A writer of record batches in Arrow's IPC format.

    Holds two messages, and one of them twice. Leaving a ``with`` block by an error does not end the format, so that
    nobody takes the file for a whole one.

    Args:
        file: The file or socket to write to.
        schema: The schema of the record batches.
        group_rows: Rows of a message.
        max_bytes: Bytes of a message, where its rows are large.
        kind: ``file`` (with a footer, to be opened at any place) or ``stream``.
        compression: ``lz4``, ``zstd`` or None.

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
        file: Writable,
        schema: pa.Schema,
        *,
        group_rows: int,
        max_bytes: int = 16 * MiB,
        kind: FileKind = "file",
        compression: str | None = None,
    ) -> None:
        super().__init__(file, schema, group_rows, max_bytes)
        options = pa.ipc.IpcWriteOptions(compression=compression)
        make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
        self._writer: Any = make(self._sink, schema, options=options)

    def _write_group(self, group: pa.Table) -> None:
        # Always copied: the format would write more of a slice's batch than its rows, and never the same in two runs.
        columns = [
            pa.concat_arrays([*column.chunks, column.chunk(0).slice(0, 0)], GIVES_BACK) for column in group.columns
        ]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=group.schema))

    def _end(self) -> None:
        self._writer.close()
