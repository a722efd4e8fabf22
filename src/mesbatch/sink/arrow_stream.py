"""Record batches as an Arrow IPC stream, piece by piece, for a response."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import pyarrow as pa

from mesbatch.sink.stream import ByteStream


def arrow_stream(batches: Iterable[pa.RecordBatch], schema: pa.Schema | None = None) -> ByteStream:
    """Write *batches* as an Arrow IPC stream: the schema, a message for each record batch, and the end's mark.

    Without *schema*, that of the first batch is taken, or at the end the ``schema`` of *batches*. Holds the batch that
    is being written, and its bytes once more. The stream closes *batches* when it ends, fails or is closed.

    A stream that fails ends without the mark, which most readers do not miss: send it where a cut is an error.

    >>> data = b"".join(arrow_stream([pa.record_batch({"ID": [1, 2]})]))
    >>> pa.ipc.open_stream(data).read_all().to_pylist()
    [{'ID': 1}, {'ID': 2}]
    """
    return ByteStream(_pieces(batches, schema), batches)


class _Sink:
    """File that keeps what is written until it is taken."""

    closed = False  # for pyarrow, which asks

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._nbytes = 0

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._nbytes += len(data)
        return len(data)

    def tell(self) -> int:
        return self._nbytes

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _pieces(batches: Iterable[pa.RecordBatch], schema: pa.Schema | None) -> Generator[bytes]:
    sink = _Sink()
    file, writer = pa.PythonFile(sink, mode="w"), None
    for batch in batches:
        if writer is None:
            writer = pa.ipc.new_stream(file, batch.schema if schema is None else schema)
        writer.write_batch(batch)
        del batch
        yield sink.take()
    if writer is None:
        writer = pa.ipc.new_stream(file, getattr(batches, "schema", pa.schema([])) if schema is None else schema)
    writer.close()  # the mark; never after a failure
    yield sink.take()
