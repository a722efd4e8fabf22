"""Stored rows as tuples, each with its key as it was asked for."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import Any
from uuid import UUID

import msgspec

from mesbatch.codec.not_json import NOT_JSON
from mesbatch.codec.rows import Shape
from mesbatch.errors import CorruptChunk
from mesbatch.store.account import KeyColumn

Values = tuple[Any, ...]

KEY_TYPES: dict[str, type] = {
    kind.__name__: kind for kind in (str, int, float, Decimal, datetime, date, UUID, bytes)
}  # in this order: a datetime is a date, too


def name_of_type(kind: type) -> str:
    """Name the type of keys that *kind* is, or is derived from.

    >>> name_of_type(datetime), name_of_type(date)
    ('datetime', 'date')
    """
    return next(name for name, one in KEY_TYPES.items() if issubclass(kind, one))


class StoredRows:
    """A decoder of the chunks of one domain: its rows, and the key of each.

    Values are those of the JSON that is stored: dates, times and UUIDs are text, bytes are base64. A Decimal of a
    column whose Decimals are numbers is a Decimal again, with all digits. Holds the rows of one chunk.
    """

    def __init__(self, columns: Sequence[dict[str, Any]], key: KeyColumn, shape: Shape) -> None:
        self.columns = tuple(str(column["name"]) for column in columns)
        self._shape = shape
        self._convert = _converter(key)
        numbers = [column.get("decimals") == "number" for column in columns]
        exact = any(numbers) or key.type in {"int", "float", "Decimal"}
        self._floats = [position for position, number in enumerate(numbers) if not number] if exact else []
        row: Any = _struct(self.columns, shape)
        self._values_of: Callable[[Any], Values] = _values_of_dict if row is None else msgspec.structs.astuple
        key_name = self.columns[key.position] if row is None else f"f{key.position}"
        self._key_of: Callable[[Any], Any] = itemgetter(key_name) if row is None else attrgetter(key_name)
        row = dict[str, Any] if row is None else row
        self._decoder: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(
            list[row], float_hook=Decimal if exact else None
        )

    def decode(self, data: bytes, name: str) -> tuple[list[Any], Callable[[int], Values]]:
        """Decode a chunk: the keys of its rows, and a function that gives the row at a position.

        Raises:
            CorruptChunk: these are no rows of this domain; *name* is for the message.
        """
        try:
            rows = self._decoder.decode(data)
            keys = list(map(self._convert, map(self._key_of, rows)))
        except (*NOT_JSON, ArithmeticError, ValueError, TypeError, AttributeError) as error:
            raise CorruptChunk(f"{name} is whole, but not all of it are rows of its domain: {error}") from error
        return keys, lambda position: self._as_stored(self._values_of(rows[position]))

    def _as_stored(self, row: Values) -> Values:
        """Make floats of the numbers of all other columns again, where Decimals were to keep their digits."""
        if not self._floats or not any(type(row[position]) is Decimal for position in self._floats):
            return row
        values = list(row)
        for position in self._floats:
            if type(values[position]) is Decimal:
                values[position] = float(values[position])
        return tuple(values)


def _values_of_dict(row: dict[str, Any]) -> Values:
    return tuple(row.values())


def _struct(names: tuple[str, ...], shape: Shape) -> type[msgspec.Struct] | None:
    """Make a class for rows with *names*, which decodes at twice the speed; None for names that msgspec refuses."""
    fields = {f"f{position}": name for position, name in enumerate(names)}
    members = [(field, Any) for field in fields]
    if shape == "arrays":
        return msgspec.defstruct("Row", members, array_like=True, forbid_unknown_fields=True, gc=False)
    try:
        return msgspec.defstruct("Row", members, rename=fields, forbid_unknown_fields=True, gc=False)
    except ValueError:  # quotes, backslashes, control characters
        return None


def _converter(key: KeyColumn) -> Callable[[Any], Any]:
    """Find the function that makes the key that was asked for of the value that stands in JSON."""
    match key.type:
        case "str":
            return (lambda value: value.rstrip(" ")) if key.padded else str
        case "int":
            return _integer
        case "float":
            return float
        case "Decimal":
            return lambda value: value if type(value) is Decimal else Decimal(value)
        case "bytes":
            return base64.b64decode
        case "UUID":
            return UUID
        case "date":
            return date.fromisoformat
        case _:
            return datetime.fromisoformat


def _integer(value: Any) -> Any:
    if type(value) is int:
        return value
    number = Decimal(value)
    return int(number) if number == number.to_integral_value() else number
