"""The one encoder of rows as JSON, for every path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain, starmap
from typing import Any, Literal

import msgspec

from mesbatch.batch import Column, Row, check_unique, find_column
from mesbatch.codec.column_rules import (
    ColumnRule,
    convert_rows,
    decimal_form,
    find_rules,
    rules_in_need,
    write_decimal,
    write_other,
)
from mesbatch.errors import SchemaChanged, UnencodableValue

Shape = Literal["objects", "arrays"]
DatetimeSeparator = Literal["T", " "]
Group = tuple[Any, list[Row]]

_NUMBERS = msgspec.json.Encoder(decimal_format="number", enc_hook=write_other)
_STRINGS = msgspec.json.Encoder(decimal_format=write_decimal, enc_hook=write_other)
_REFUSALS = (TypeError, ValueError, IndexError, OverflowError, RecursionError)  # what encoding a value can raise


class _Line(msgspec.Struct, gc=False):
    key: Any
    rows: list[Any]


class RowEncoder:
    r"""An encoder of rows as JSON: struct rows with their names written beforehand, 0.6 us a row.

    Integers keep all digits; NaN and the infinities are null; dates and times are ISO 8601; bytes are base64.
    Decimals are numbers or strings by column, as its attribute *columns* says: the list of ``{"name", "type",
    "decimals"}`` for clients to read, *type* only where the database declared one and *decimals* only where there
    can be any.

    Holds nothing between calls; during one, a struct or tuple per row and the bytes.

    Args:
        columns: The columns of the rows, or their names.
        key: The column like whose values a group's key is written; without it, a Decimal key is a string.
        shape: ``objects`` (``{"ID":1}``) or ``arrays`` (``[1]``).
        datetime_separator: The character between date and time.

    Raises:
        ColumnNameError: two columns share a name and *shape* is ``objects``.
        KeyColumnError: there is no column *key*.
        UnencodableValue: a value has no JSON form, or (from the constructor) a column's name has none. The row in the
            message is counted from 1 over all calls.

    >>> encoder = RowEncoder(["ID", "NAME"])
    >>> encoder.encode_lines([(1, "a"), (2, None)])
    b'{"ID":1,"NAME":"a"}\n{"ID":2,"NAME":null}\n'
    """

    def __init__(
        self,
        columns: Sequence[Column | str],
        *,
        key: str | None = None,
        shape: Shape = "objects",
        datetime_separator: DatetimeSeparator = "T",
    ) -> None:
        described = [Column(column) if isinstance(column, str) else column for column in columns]
        self.names = tuple(column.name for column in described)
        self.columns = list(map(_describe, described))
        self._shape = _shaper(self.names, shape)
        numbers = any(column.get("decimals") == "number" for column in self.columns)
        self._encoder = _NUMBERS if numbers else _STRINGS
        blank = datetime_separator == " "
        self._rules = find_rules(described, numbers=numbers, blank_in_datetimes=blank)
        key_column = Column("key") if key is None else described[find_column(self.names, key)]
        self._key_rules = find_rules([key_column], numbers=numbers, blank_in_datetimes=blank)
        self._encoded = 0

    def encode_lines(self, rows: Sequence[Row]) -> bytes:
        """Encode *rows*, one a line."""
        return self._encode(rows, self._encoder.encode_lines)

    def encode_list(self, rows: Sequence[Row]) -> bytes:
        """Encode all *rows* as one JSON array."""
        return self._encode(rows, self._encoder.encode)

    def encode_groups(self, groups: Sequence[Group]) -> bytes:
        """Encode *groups*, one a line: ``{"key":...,"rows":[...]}``."""
        try:
            lines = self._encoder.encode_lines(self._lines(groups))
        except _REFUSALS:
            for key, _ in groups:
                self.encode_key(key)
            self._blame(_rows_of(groups))
            raise
        self._encoded += sum(len(rows) for _, rows in groups)
        return lines

    def encode_key(self, key: Any) -> bytes:
        """Encode a group's key as `encode_groups` writes it."""
        try:
            return self._encoder.encode(*self._convert_keys([key]))
        except _REFUSALS as error:
            raise UnencodableValue(f"the key {key!r} has no JSON form: {error}") from error

    def encode_keys(self, keys: Sequence[Any]) -> list[bytes]:
        """Encode the keys of groups, each as `encode_key` does."""
        try:
            return self._encoder.encode_lines(self._convert_keys(list(keys))).splitlines()
        except _REFUSALS:
            return list(map(self.encode_key, keys))  # which names the key

    def _encode(self, rows: Sequence[Row], write: Callable[[list[Any]], bytes]) -> bytes:
        try:
            data = write(self._shape(self._convert(rows)))
        except _REFUSALS:
            self._blame(rows)
            raise
        self._encoded += len(rows)
        return data

    def _convert(self, rows: Sequence[Row]) -> Sequence[Row]:
        needed = rules_in_need(self._rules, rows)
        return convert_rows(rows, needed) if needed else rows

    def _convert_keys(self, keys: list[Any]) -> list[Any]:
        for rule in self._key_rules:
            if not rule.all_pass(keys):
                keys = list(map(rule.convert, keys))
        return keys

    def _lines(self, groups: Sequence[Group]) -> list[_Line]:
        needed = rules_in_need(self._rules, _rows_of(groups)) if self._rules else []
        if needed:
            groups = [(key, convert_rows(rows, needed)) for key, rows in groups]
        keys = self._convert_keys([key for key, _ in groups])
        shape = self._shape
        return [_Line(key, shape(rows)) for key, (_, rows) in zip(keys, groups)]

    def _blame(self, rows: Sequence[Row]) -> None:
        """Raise for the first value of *rows* that cannot be encoded, or the first row of another length."""
        for number, row in enumerate(rows, self._encoded + 1):
            if len(row) != len(self.names):
                raise SchemaChanged(f"row {number:,} has {len(row):,} values for {len(self.names):,} columns")
            for position, (name, value) in enumerate(zip(self.names, row)):
                try:
                    self._encoder.encode(_apply([rule for rule in self._rules if rule.position == position], value))
                except _REFUSALS as error:
                    place = f"column {name!r} of row {number:,}"
                    raise UnencodableValue(f"{place}: a {type(value).__name__} without a JSON form: {error}") from error


def _describe(column: Column) -> dict[str, str]:
    try:
        column.name.encode()
    except UnicodeEncodeError as error:
        raise UnencodableValue(f"the column name {column.name!r} is no valid Unicode: {error}") from error
    members = {"name": column.name, "type": column.type, "decimals": decimal_form(column)}
    return {member: text for member, text in members.items() if text is not None}


def _rows_of(groups: Sequence[Group]) -> list[Row]:
    return list(chain.from_iterable(rows for _, rows in groups))


def _apply(rules: Iterable[ColumnRule], value: Any) -> Any:
    for rule in rules:
        value = rule.convert(value)
    return value


def _shaper(names: tuple[str, ...], shape: Shape) -> Callable[[Sequence[Row]], list[Any]]:
    """Find the function that makes the objects of the encoder from rows."""
    if shape == "arrays":
        return list
    check_unique(names)
    struct = _struct(names)
    if struct is None:
        return lambda rows: [dict(zip(names, row, strict=True)) for row in rows]
    return lambda rows: list(starmap(struct, rows))


@lru_cache(maxsize=64)  # a class costs 0.1 ms and 2 KiB; statements come back
def _struct(names: tuple[str, ...]) -> type[msgspec.Struct] | None:
    """Make a class whose instances are written as objects with *names*; None for names that msgspec does not escape."""
    fields = {f"f{position}": name for position, name in enumerate(names)}  # a name may be a keyword, or no identifier
    try:
        return msgspec.defstruct("Row", list(fields), rename=fields, gc=False)
    except ValueError:  # quotes, backslashes, control characters
        return None
