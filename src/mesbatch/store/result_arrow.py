"""A domain of a stored result as an Arrow IPC stream, converted chunk by chunk."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from decimal import Decimal
from types import NoneType
from typing import Any

import msgspec
import pyarrow as pa

from mesbatch.batch import Column, check_unique
from mesbatch.sink.arrow_stream import arrow_stream
from mesbatch.sink.stream import ByteStream
from mesbatch.store.reader import ResultReader
from mesbatch.store.row_lists import columns_of, row_lists, transpose

DIGITS_128, DIGITS_256 = 38, 76  # of Arrow's decimals
EXACT_IN_DOUBLE = 2**53
TEMPORAL = (pa.date32(), pa.timestamp("us"), pa.timestamp("us", tz="UTC"))


def result_arrow(reader: ResultReader, domain: str, *, offset: int = 0, limit: int = 0) -> ByteStream:
    """Write rows *offset* to *offset* + *limit* of *domain* as an Arrow stream; *limit* 0 means all that follow.

    The chunks are read twice: first to find a type that holds every value of a column as it stands, since JSON has
    fewer types than databases; then to write. Integers are int64, numbers with a fraction float64 where they came as
    doubles and else decimals, dates and timestamps what their text says where the database declared such a column;
    times are text, arrays and json JSON text, bytes their base64. Holds one chunk, and 500 of its rows as values.

    A chunk that is lost or damaged raises, and a cut stream looks like a whole one to most readers: send it where a cut
    is an error.

    Raises:
        InvalidPage, JobNotFound, JobNotComplete, ResultExpired: as `ResultReader.page`, before the first byte.
        ColumnNameError: two columns share a name.
    """
    columns = columns_of(reader, domain)
    check_unique([column.name for column in columns])
    reader.page(domain, offset=offset, limit=limit)  # which refuses at once
    return ByteStream(_pieces(reader, domain, columns, offset, limit), None)


def _pieces(reader: ResultReader, domain: str, columns: Sequence[Column], offset: int, limit: int) -> Generator[bytes]:
    forms = {column["name"]: column.get("decimals") for column in reader.manifest.domains[domain].columns}
    found = [_Found(column, forms[column.name]) for column in columns]

    def lists() -> Iterator[list[tuple[Any, ...]]]:
        page = reader.page(domain, offset=offset, limit=limit)
        yield from map(transpose, row_lists(page, columns, msgspec.json.Decoder(list[Any], float_hook=Decimal)))

    for values in lists():
        for one, some in zip(found, values):
            one.look(some)
    schema = pa.schema([(one.name, one.type) for one in found])
    batches = (
        pa.RecordBatch.from_arrays([one.array(some) for one, some in zip(found, values)], schema=schema)
        for values in lists()
    )
    yield from arrow_stream(batches, schema)


class _Found:
    """Type of one *column*, found by a look at all of its values; *decimals* is the form of its Decimals in JSON."""

    def __init__(self, column: Column, decimals: str | None) -> None:
        self.name, self._decimals = column.name, decimals
        declared = column.type or ""
        self._temporal = list(TEMPORAL) if "date" in declared or "time" in declared else []
        self._kinds: set[type] = set()
        self._whole = self._scale = 0  # digits before and after the point
        self._largest = 0

    def look(self, values: Sequence[Any]) -> None:
        """Look at more *values*."""
        kinds = set(map(type, values)) - {NoneType}
        self._kinds |= kinds
        if kinds & {int, Decimal}:
            self._measure([value for value in values if type(value) in {int, Decimal}])
        if self._temporal and str in kinds:
            texts = pa.array([value for value in values if isinstance(value, str)], pa.string())
            self._temporal = [type_ for type_ in self._temporal if _can_cast(texts, type_)]

    def _measure(self, numbers: Sequence[int | Decimal]) -> None:
        """Find how many digits *numbers* have, and how large their integers are."""
        for number in numbers:
            _, digits, exponent = Decimal(number).as_tuple()
            if isinstance(exponent, int):  # JSON has no NaN
                self._scale = max(self._scale, -exponent)
                self._whole = max(self._whole, len(digits) + exponent, 1)
            if isinstance(number, int):
                self._largest = max(self._largest, abs(number) + (number > 0))

    @property
    def type(self) -> Any:
        """The type that holds all values."""
        match sorted(kind.__name__ for kind in self._kinds):
            case []:
                return self._temporal[1] if self._temporal else pa.null()
            case ["bool"]:
                return pa.bool_()
            case ["int"] if self._largest <= 2**63:
                return pa.int64()
            case ["Decimal"] | ["Decimal", "int"] if self._decimals != "number":  # they came as doubles
                return pa.float64() if self._largest <= EXACT_IN_DOUBLE else pa.string()
            case ["int"] | ["Decimal"] | ["Decimal", "int"] if self._whole + self._scale <= DIGITS_256:
                long = self._whole + self._scale > DIGITS_128
                return pa.decimal256(DIGITS_256, self._scale) if long else pa.decimal128(DIGITS_128, self._scale)
            case ["str"] if self._temporal:
                return self._temporal[0]
        return pa.string()

    def array(self, values: Sequence[Any]) -> Any:
        """Make an array of *values*."""
        type_ = self.type
        if type_ == pa.string():
            return pa.array(
                [value if value is None or isinstance(value, str) else _json(value) for value in values], type_
            )
        if self._kinds == {str}:
            return pa.array(values, pa.string()).cast(type_)
        if type_ == pa.float64():
            return pa.array([None if value is None else float(value) for value in values], type_)
        if pa.types.is_decimal(type_):
            return pa.array([None if value is None else Decimal(value) for value in values], type_)
        return pa.array(values, type_)


def _can_cast(texts: Any, type_: Any) -> bool:
    try:
        texts.cast(type_)
    except pa.ArrowInvalid:
        return False
    return True


_encoder = msgspec.json.Encoder(decimal_format="number")  # as they stood


def _json(value: Any) -> str:
    return _encoder.encode(value).decode()
