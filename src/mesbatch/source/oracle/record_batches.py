"""Oracle's rows as record batches, which python-oracledb makes without Python objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pyarrow as pa

from mesbatch.arrow.types import arrow_type
from mesbatch.batch import Column
from mesbatch.source.adbc.rows import ArrowRows
from mesbatch.source.session import Params, Rows

BATCH_ROWS = 5_000  # taking a batch over costs 0.2 ms, and the client's time a row is flat from here on
# The way of fetching sticks to a statement's text in the driver's cache: this one is never fetched as tuples.
MARK = "\n/* mesbatch: arrow */"


def fetch_record_batches(
    connection: Any, sql: str, params: Params, columns: tuple[Column, ...], size: int
) -> Rows | None:
    """The rows of *sql*, *size* at a time; None where a NUMBER without precision can only be told from its values.

    The driver would make a double of it, and 9007199254740993 another number.
    """
    types = [arrow_type(column, "oracle") for column in columns]
    if None in types:
        return None
    schema = pa.schema(list(zip((column.name for column in columns), types)))
    frames = connection.fetch_df_batches(sql + MARK, params, size, requested_schema=schema)
    return cast("Rows", ArrowRows(columns, schema, _record_batches(frames), frames.close))


def _record_batches(frames: Iterator[Any]) -> Iterator[pa.RecordBatch]:
    for frame in frames:
        yield from pa.RecordBatchReader.from_stream(frame)
