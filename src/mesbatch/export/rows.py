"""The rows that an export reads, in the form of its format: tuples for lines, record batches for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

from mesbatch.batch import Row, find_column
from mesbatch.codec.rows import RowEncoder
from mesbatch.export.formats import LINES
from mesbatch.export.journal import ExportPlan
from mesbatch.keys.resume import ResumePoint
from mesbatch.read.reader import BatchReader
from mesbatch.units import MiB

PART_BYTES = 32 * MiB  # a part is what a resumed export repeats at most
MOST_ROWS = 2**20
# Keys of these types are text in Arrow where their column has no type there: a uuid, a numeric without a precision.
FROM_ARROW_TEXT: dict[type | None, Callable[[str], Any]] = {UUID: UUID, int: Decimal, float: Decimal, Decimal: Decimal}


class ReadRows:
    """The rows of *reader* for *format_*: lists of tuples, or record batches.

    *plan* is that of an earlier run, which has decided the types of record batches; without one *schema* declares those
    of some columns. *key_type* is that of the keys.
    """

    def __init__(
        self,
        reader: BatchReader,
        format_: str,
        plan: ExportPlan | None,
        key_type: type | None = None,
        schema: Any = None,
    ) -> None:
        columnar = format_ not in LINES
        self._reader = reader
        self._from_text = FROM_ARROW_TEXT.get(key_type) if columnar else None
        self._arrow = reader.arrow(schema if plan is None else _read_schema(plan)) if columnar else None
        self._rest = self._batches()
        self._first: Any = next(self._rest, None)

    @property
    def shape(self) -> Any:
        """The columns, or the schema of record batches: a writer must know one of them."""
        return self._reader.description if self._arrow is None else self._arrow.schema

    @property
    def schema(self) -> bytes | None:
        """The schema of the record batches, serialised."""
        return None if self._arrow is None else self._arrow.schema.serialize().to_pybytes()

    @property
    def key_position(self) -> int | None:
        """The position of the key's column; None where the rows come in no order of keys."""
        column = self._reader.key_column
        return None if column is None else find_column(self._reader.columns, column)

    def resume_point(self, value: Any) -> ResumePoint:
        """Find the key that was asked for by its *value* in one of these rows."""
        if self._from_text is not None and isinstance(value, str):
            value = self._from_text(value)
        return self._reader.resume_point(value)

    def __iter__(self) -> Iterator[Any]:
        first, self._first = self._first, None
        if first is not None:
            yield first
        del first
        yield from self._rest

    def sizes(self, group_bytes: int) -> tuple[int, int]:
        """Choose how many rows are a part and a group, powers of two, by the bytes of the first rows as written."""
        first = self._first
        if first is None:
            return MOST_ROWS, MOST_ROWS
        nbytes = len(RowEncoder(self.shape).encode_lines(first)) if self._arrow is None else first.nbytes
        row_bytes = max(1, nbytes // len(first))
        return _power_of_two(PART_BYTES // row_bytes), _power_of_two(group_bytes // row_bytes)

    def _batches(self) -> Iterator[Any]:
        return self._tuples() if self._arrow is None else iter(self._arrow)

    def _tuples(self) -> Iterator[list[Row]]:
        for batch in self._reader:
            yield batch.rows
            del batch  # so that its rows are gone while the next ones are read


def _power_of_two(rows: int) -> int:
    return min(MOST_ROWS, 1 << (max(1, rows).bit_length() - 1))


def _read_schema(plan: ExportPlan | None) -> Any:
    if plan is None or plan.schema is None:
        return None
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(plan.schema))
