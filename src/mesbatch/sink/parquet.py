"""Record batches as a Parquet file."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mesbatch.arrow.types import decimal_type
from mesbatch.errors import UnencodableValue
from mesbatch.sink.outlet import Writable
from mesbatch.sink.regrouped import Regrouped
from mesbatch.units import MiB


class ParquetWriter(Regrouped):
    """A writer of record batches to a Parquet file.

    Holds two row groups of record batches, and one as it is written. Leaving a ``with`` block by an error does not
    write the footer.

    Args:
        file: The file to write to.
        schema: The schema of the record batches.
        group_rows: Rows of a row group.
        max_bytes: Bytes of a row group, where its rows are large.
        compression: One of Parquet's: ``snappy``, ``zstd``, ``gzip`` or ``none``.

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
        stored = storable_schema(schema)
        super().__init__(file, schema, group_rows, max_bytes)
        self._stored = stored
        self._writer = pq.ParquetWriter(self._sink, stored, compression=compression)

    def _write_group(self, group: pa.Table) -> None:
        if self._stored != group.schema:
            columns = [_as_stored(column, field.type) for column, field in zip(group.columns, self._stored)]
            group = pa.Table.from_arrays(columns, schema=self._stored)
        self._writer.write_table(group, row_group_size=group.num_rows)
        pa.default_memory_pool().release_unused()  # by the thread that took it: 50 MiB would stay for the encoders

    def _end(self) -> None:
        self._writer.close()


def storable_schema(schema: pa.Schema) -> pa.Schema:
    """Give *schema* as Parquet has it: without views and runs, whose readers are few, and without negative scales.

    Raises:
        UnencodableValue: Parquet has no such type; the message names the column.
    """
    fields = [field.with_type(_storable(field.type)) for field in schema]
    for field in fields:
        try:
            pq.ParquetWriter(pa.BufferOutputStream(), pa.schema([field])).close()
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, OSError) as error:
            raise UnencodableValue(
                f"column {field.name!r} is of type {field.type}, which Parquet has not ({error}): declare it, "
                f"schema={{{field.name!r}: pa.string()}}"
            ) from error
    return pa.schema(fields, schema.metadata)


def _storable(type_: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_run_end_encoded(type_):
        return _storable(type_.value_type)
    if types.is_list(type_) or types.is_list_view(type_):
        return pa.list_(_storable(type_.value_type))
    if types.is_large_list(type_) or types.is_large_list_view(type_):
        return pa.large_list(_storable(type_.value_type))
    if types.is_struct(type_):
        return pa.struct([field.with_type(_storable(field.type)) for field in type_])
    if types.is_decimal(type_) and type_.scale < 0:
        return decimal_type(type_.precision, type_.scale)
    return type_


def _as_stored(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_run_end_encoded(column.type):
        column = pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks], column.type.value_type)
    if pa.types.is_list_view(column.type) or pa.types.is_large_list_view(column.type):
        column = pa.chunked_array([_as_lists(chunk) for chunk in column.chunks])
    return column if column.type == type_ else column.cast(type_)


def _as_lists(views: pa.Array) -> pa.Array:
    """Copy a list view into lists: pyarrow's own cast forgets the end of the last one."""
    lengths = pc.fill_null(pc.list_value_length(views), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths.cast(pa.int64()))])
    large = pa.types.is_large_list_view(views.type)
    kind, integers = (pa.LargeListArray, pa.int64()) if large else (pa.ListArray, pa.int32())
    return kind.from_arrays(offsets.cast(integers), views.flatten(), mask=views.is_null())
