"""Oracle's rows as record batches, which python-oracledb makes without Python objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pyarrow as pa

from mesbatch.arrow.convert import declares_otherwise
from mesbatch.arrow.types import arrow_type
from mesbatch.batch import Column
from mesbatch.source.adbc.checks import BatchChecks
from mesbatch.source.adbc.rows import ArrowRows
from mesbatch.source.oracle.texts import Find, naming
from mesbatch.source.session import Params, Rows, Session

BATCH_ROWS = 5_000  # taking a batch over costs 0.2 ms, and the client's time a row is flat from here on
# The way of fetching sticks to a statement's text in the driver's cache: this one is never fetched as tuples.
MARK = "\n/* mesbatch: arrow */"


def fetch_record_batches(
    session: Session, sql: str, params: Params, columns: tuple[Column, ...], size: int, find: Find
) -> Rows | None:
    """Fetch the rows of *sql*, *size* at a time; *find* finds the value that the driver fails on.

    None where a NUMBER without precision can only be told from its values, of which the driver would make doubles, and
    of 9007199254740993 another number; and where the caller's schema declares another type than the database.
    """
    types = [arrow_type(column, "oracle") for column in columns]
    if None in types or declares_otherwise(columns, "oracle", session.schema):
        return None
    schema = pa.schema(list(zip((column.name for column in columns), types)))
    frames = session.connection.fetch_df_batches(sql + MARK, params, size, requested_schema=schema)
    checks = BatchChecks(columns, texts=True)
    batches = map(checks.check, _record_batches(frames, find))
    return cast("Rows", ArrowRows(columns, schema, batches, frames.close))


def _record_batches(frames: Iterator[Any], find: Find) -> Iterator[pa.RecordBatch]:
    with naming(find):
        for frame in frames:
            yield from pa.RecordBatchReader.from_stream(frame)
