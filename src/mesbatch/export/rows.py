"""What an export reads, as its format wants it: tuples for NDJSON, record batches for Parquet and Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

from mesbatch.batch import find_column
from mesbatch.codec.rows import RowEncoder
from mesbatch.errors import KeyColumnError
from mesbatch.manifest import Manifest
from mesbatch.read.reader import BatchReader
from mesbatch.units import MiB

PART_BYTES = 32 * MiB  # a part is what a resumed export repeats at most
MOST_ROWS = 2**20


class ReadRows:
    """The rows of *reader*; *shape* is what writes them must know: the columns, or the schema.

    *columnar* asks for record batches, with the types of *schema* where an earlier run has decided them, or else with
    those that are *wanted* of some columns.
    """

    def __init__(self, reader: BatchReader, *, columnar: bool, schema: bytes | None, wanted: Any = None) -> None:
        self._reader = reader
        self._arrow = reader.arrow(wanted if schema is None else _read_schema(schema)) if columnar else None
        self._first: Any = next(self._batches(), None)

    @property
    def manifest(self) -> Manifest:
        return self._reader.manifest

    @property
    def shape(self) -> Any:
        return self._reader.description if self._arrow is None else self._arrow.schema

    @property
    def schema(self) -> bytes | None:
        """The schema of the record batches, serialised."""
        return None if self._arrow is None else self._arrow.schema.serialize().to_pybytes()

    def position_of(self, column: str | None) -> int | None:
        """Where *column* is among those of the rows; None where it is not."""
        with suppress(KeyColumnError):
            return find_column(self._reader.columns, column) if column is not None else None
        return None

    def __iter__(self) -> Iterator[Any]:
        first, self._first = self._first, None
        return chain([] if first is None else [first], self._batches())

    def sizes(self, group_bytes: int) -> tuple[int, int]:
        """Rows of a part and of a group, powers of two: by the bytes of the first rows as they will be written."""
        first = self._first
        if first is None:
            return MOST_ROWS, MOST_ROWS
        nbytes = len(RowEncoder(self.shape).encode_lines(first)) if self._arrow is None else first.nbytes
        row_bytes = max(1, nbytes // len(first))
        return _power_of_two(PART_BYTES // row_bytes), _power_of_two(group_bytes // row_bytes)

    def close(self) -> None:
        self._reader.close()

    def _batches(self) -> Iterator[Any]:
        return iter(self._arrow) if self._arrow is not None else (batch.rows for batch in self._reader)


def _power_of_two(rows: int) -> int:
    return min(MOST_ROWS, 1 << (max(1, rows).bit_length() - 1))


def _read_schema(schema: bytes | None) -> Any:
    if schema is None:
        return None
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(schema))
