"""Record batches as a Parquet file."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from mesbatch.sink.outlet import Writable
from mesbatch.sink.regrouped import Regrouped
from mesbatch.units import MiB


class ParquetWriter(Regrouped):
    """A writer of record batches to the Parquet file *file*, *group_rows* rows a row group.

    *compression* is one of Parquet's: ``snappy``, ``zstd``, ``gzip``, ``none``. Holds two row groups of record batches,
    and one as it is written. Leaving a ``with`` block by an error does not write the footer.

    >>> import io
    >>> file = io.BytesIO()
    >>> batch = pa.record_batch({"ID": [1, 2, 3]})
    >>> with ParquetWriter(file, batch.schema, group_rows=2) as writer:
    ...     writer.write(batch)
    >>> pq.ParquetFile(file).num_row_groups
    2
    """

    def __init__(
        self,
        file: Writable,
        schema: pa.Schema,
        *,
        group_rows: int,
        max_bytes: int = 16 * MiB,
        compression: str = "snappy",
    ) -> None:
        super().__init__(file, schema, group_rows, max_bytes)
        self._writer = pq.ParquetWriter(self._sink, schema, compression=compression)

    def _write_group(self, group: pa.Table) -> None:
        self._writer.write_table(group, row_group_size=group.num_rows)
        pa.default_memory_pool().release_unused()  # by the thread that took it: 50 MiB would stay for the encoders

    def _end(self) -> None:
        self._writer.close()
