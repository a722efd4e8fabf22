"""Values of record batches that no reader could take for what the database has: found by whole columns, then named."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from mesbatch.arrow.forms import is_text
from mesbatch.arrow.types import AWARE, TIMESTAMP
from mesbatch.batch import Column
from mesbatch.errors import UnencodableValue
from mesbatch.source.refusal import refuse

# Far below 4713 BC, PostgreSQL's first day, and above where its infinities and its last years end up: ADBC moves them
# to another epoch, past the end of 64 bits.
EARLIEST = {TIMESTAMP: -(10**18), AWARE: -(10**18), pa.date32(): -(10**9)}
TIME = pa.time64("us")
MIDNIGHT = 86_400_000_000  # microseconds; PostgreSQL's 24:00:00, which no Arrow type of times has
COUNTS = {TIMESTAMP: pa.int64(), AWARE: pa.int64(), pa.date32(): pa.int32(), TIME: pa.int64()}

Check = Callable[[pa.Array], pa.Array]  # true where a value is none


class BatchChecks:
    """Checks the batches of one statement of *columns*, in their order; *texts* asks for valid UTF-8 as well."""

    def __init__(self, columns: Sequence[Column], *, texts: bool) -> None:
        self._columns, self._texts = columns, texts
        self._rows = 0

    def check(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Give back *batch*, once all of its values are known to be values.

        Raises:
            UnencodableValue: one of them is none; the message names its column and row.
        """
        for column, array in zip(self._columns, batch.columns):
            if array.type in COUNTS:
                self._check_times(column, array)
            elif self._texts and is_text(array.type):
                self._check_texts(column, array)
        self._rows += batch.num_rows
        return batch

    def _check_times(self, column: Column, array: pa.Array) -> None:
        counts = array.view(COUNTS[array.type])
        limits = pc.min_max(counts)
        if array.type == TIME:
            if (limits["max"].as_py() or 0) >= MIDNIGHT:
                raise self._refusal(column, pc.greater_equal(counts, MIDNIGHT), "24:00:00", "no time of a day")
        elif (limits["min"].as_py() or 0) < EARLIEST[array.type]:
            odd = pc.less(counts, EARLIEST[array.type])
            raise self._refusal(column, odd, "an infinity, or a time near it,", "Arrow's types of times have none")

    def _check_texts(self, column: Column, array: pa.Array) -> None:
        try:
            array.validate(full=True)
        except pa.ArrowInvalid:
            for position, data in enumerate(array.cast(pa.binary()).to_pylist()):
                try:
                    (data or b"").decode()
                except UnicodeDecodeError as error:
                    raise refuse(column, self._rows + position + 1, data, error) from error

    def _refusal(self, column: Column, odd: pa.Array, shown: str, reason: str) -> UnencodableValue:
        row = self._rows + pc.index(odd, True).as_py() + 1
        return UnencodableValue(
            f"column {column.name!r} of row {row:,}: {shown} has no form in Arrow, {reason}: read it as text, "
            f"{column.as_text}"
        )
