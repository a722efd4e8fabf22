"""Rows as CSV, by one encoder for every path."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from types import NoneType
from typing import Any
from uuid import UUID

import msgspec

from mesbatch.batch import Batch, Column, Row
from mesbatch.codec.column_rules import (
    convert_rows,
    find_rules,
    is_document,
    rules_in_need,
    write_decimal,
    write_other,
)
from mesbatch.errors import SchemaChanged, UnencodableValue
from mesbatch.sink.stream import ByteStream

ROWS_PER_CHUNK = 500  # about 64 KiB; the fields of a chunk are in memory as texts, too
LINE_END = "\r\n"  # RFC 4180

# The JSON of these has neither a comma nor a line end in it, and only strings have quotes, around them.
_SIMPLE = frozenset({NoneType, bool, int, float, Decimal, date, time, datetime, timedelta, UUID, bytes})
_TEXTS = frozenset({NoneType, str})
_json = msgspec.json.Encoder(decimal_format=write_decimal, enc_hook=write_other)
_documents = msgspec.json.Encoder(decimal_format="number", enc_hook=write_other)
# A spreadsheet takes a field that begins so for a formula (OWASP, CSV injection); the last four are full-width.
_FORMULA = re.compile('^("?)(?=[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])')
_NEVER_FORMULAS = frozenset({NoneType, bool, int, float, Decimal, date, time, datetime, UUID})
_is_special = re.compile('[",\r\n]').search


@dataclass(frozen=True, slots=True)
class CsvStyle:
    r"""Style of CSV for people and their spreadsheets; as it is, every value comes exactly as in the database.

    Args:
        bom: True puts the mark of UTF-8 first, by which Excel knows it.
        neutral: True puts an apostrophe before every text, name of a column, interval and base64 that a spreadsheet
            would take for a formula: one that begins with ``=``, ``+``, ``-``, ``@`` or a control character. Numbers
            and dates stay as they are.
        end: True adds a last line, such as ``# end: 1200 rows``, so that a person sees that nothing is missing; a
            program must know of it.

    >>> rows = [Batch(("NOTE", "QTY"), [("=1+1", -5)])]
    >>> b"".join(csv_lines(rows, style=CsvStyle(bom=True, neutral=True, end=True)))
    b"\xef\xbb\xbfNOTE,QTY\r\n'=1+1,-5\r\n# end: 1 rows\r\n"
    """

    bom: bool = False
    neutral: bool = False
    end: bool = False

    @property
    def begin(self) -> bytes:
        """The bytes before the header."""
        return "\ufeff".encode() if self.bom else b""

    def last_line(self, rows: int) -> bytes:
        """Write the line after the last of *rows* records, if there is to be one."""
        return f"# end: {rows} rows{LINE_END}".encode() if self.end else b""


def csv_lines(
    batches: Iterable[Batch],
    *,
    columns: Sequence[Column | str] | None = None,
    style: CsvStyle = CsvStyle(),  # frozen
) -> ByteStream:
    r"""Write *batches* as CSV in *style*: a header, then one record a row.

    The form is that of `CsvEncoder`; chunks hold whole records. The names come from *columns*, else from the
    *description* of *batches*, else from the first batch. Holds the batch that is being written, and one chunk. The
    stream closes *batches* when it ends, fails or is closed.

    Args:
        batches: A reader, or any batches.
        columns: The columns, or their names.
        style: The style, for programs or for spreadsheets.

    Raises:
        UnencodableValue: a value has no form as text.
        SchemaChanged: a later batch has other columns.

    >>> b"".join(csv_lines([Batch(("ID", "NAME"), [(1, "a"), (2, None)])]))
    b'ID,NAME\r\n1,a\r\n2,\r\n'
    """
    return ByteStream(_lines(batches, columns, style), batches)


class CsvEncoder:
    """An encoder of rows of *columns* as CSV of RFC 4180: UTF-8, a comma, lines that end with ``\\r\\n``.

    A NULL is an empty field, and an empty text and no bytes are ``""``. Every other value is written as in JSON, a text
    without the quotes of JSON: dates and times are ISO 8601, bytes are base64, arrays and json are JSON. A Decimal has
    all its digits. NaN and the infinities are NULL. A field is quoted only where it holds a comma, a quote or a line
    end. With *neutral* no field can be a formula, see `CsvStyle`.

    Holds nothing between calls; during one, each field as a text. Faster than `csv.writer`, which looks at each
    character.

    Raises:
        UnencodableValue: a value has no form as text. The row in the message is counted from 1 over all calls.

    >>> encoder = CsvEncoder(["ID", "NOTE"])
    >>> encoder.header
    b'ID,NOTE\\r\\n'
    >>> encoder.encode_lines([(1, None), (2, ""), (3, 'a "b", c')])
    b'1,\\r\\n2,""\\r\\n3,"a ""b"", c"\\r\\n'
    """

    def __init__(self, columns: Sequence[Column | str], *, neutral: bool = False) -> None:
        described = [Column(column) if isinstance(column, str) else column for column in columns]
        self.names = tuple(column.name for column in described)
        self._rules = find_rules(described, numbers=False, blank_in_datetimes=False)
        self._encoders = [_documents if is_document(column) else _json for column in described]
        self._fields: Callable[[Sequence[Any], msgspec.json.Encoder], Sequence[str]] = _neutral if neutral else _fields
        self._encoded = 0
        try:
            names = _texts(self.names)
            self.header = _join([[name] for name in (map(neutralise, names) if neutral else names)])
        except UnicodeEncodeError as error:
            raise UnencodableValue(f"the name of a column is no valid Unicode: {error}") from error

    def encode_lines(self, rows: Sequence[Row]) -> bytes:
        """Encode *rows*, one record each, without the header."""
        if not self.names:
            return LINE_END.encode() * len(rows)
        try:
            if needed := rules_in_need(self._rules, rows) if self._rules else []:
                rows = convert_rows(rows, needed)
            data = _join(list(map(self._fields, zip(*rows, strict=True), self._encoders))) if rows else b""
        except (TypeError, ValueError, OverflowError, RecursionError):
            self._blame(rows)
            raise
        if rows and len(rows[0]) != len(self.names):
            self._blame(rows)
        self._encoded += len(rows)
        return data

    def _blame(self, rows: Sequence[Row]) -> None:
        """Raise for the first row of another length, or the first value that cannot be written."""
        for number, row in enumerate(rows, self._encoded + 1):
            if len(row) != len(self.names):
                raise SchemaChanged(f"row {number:,} has {len(row):,} values for {len(self.names):,} columns")
            for name, value, encoder in zip(self.names, row, self._encoders):
                try:
                    _join([_fields((value,), encoder)])
                except (TypeError, ValueError, OverflowError, RecursionError) as error:
                    place = f"column {name!r} of row {number:,}"
                    raise UnencodableValue(f"{place}: a {type(value).__name__} has no form as text: {error}") from error


def _join(fields: Sequence[Iterable[str]]) -> bytes:
    """Join the fields of columns to records."""
    return f"{LINE_END.join(map(','.join, zip(*fields)))}{LINE_END}".encode()


def _fields(values: Sequence[Any], encoder: msgspec.json.Encoder) -> Sequence[str]:
    """Write the values of one column."""
    if encoder is _documents:
        return ["" if value is None else _text(encoder.encode(value).decode()) for value in values]
    kinds = set(map(type, values))
    if kinds <= _TEXTS:
        return _texts(values)
    if kinds <= _SIMPLE:
        return _simple(values)
    return [_field(value, encoder) for value in values]


def _neutral(values: Sequence[Any], encoder: msgspec.json.Encoder) -> Sequence[str]:
    """Write the values of one column so that none is a formula."""
    fields = _fields(values, encoder)
    return fields if set(map(type, values)) <= _NEVER_FORMULAS else list(map(_neutral_field, values, fields))


def _neutral_field(value: Any, field: str) -> str:
    return field if type(value) in _NEVER_FORMULAS else neutralise(field)


def neutralise(field: str) -> str:
    """Put an apostrophe before the content of a *field* that a spreadsheet would take for a formula.

    >>> neutralise("=1"), neutralise("a=1")
    ("'=1", 'a=1')
    """
    return _FORMULA.sub(r"\1'", field, count=1)


def _texts(values: Sequence[str | None]) -> Sequence[str]:
    if all(values):
        some: Sequence[Any] = values
    else:
        some = [value for value in values if value is not None]
        if not all(some):
            return list(map(_text, values))
    joined = "".join(some)
    if '"' in joined or "," in joined or "\n" in joined or "\r" in joined:
        return list(map(_text, values))
    return some if len(some) == len(values) else [value or "" for value in values]


def _text(value: str | None) -> str:
    return "" if value is None else csv_text(value)


def csv_text(value: str) -> str:
    """Write the text *value* as a field: in quotes if it needs them, or is empty, as a NULL is no text at all."""
    return value if value and not _is_special(value) else _quoted(value)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _simple(values: Sequence[Any]) -> list[str]:
    """Write a column without texts by one call: a value at a time would take twice as long."""
    fields = _json.encode(values)[1:-1].decode()
    if "null" in fields:  # also NaN; the base64 of bytes may be this word, but has quotes
        fields = ",".join("" if field == "null" else field for field in fields.split(","))
    written = fields.replace('"', "").split(",")
    if b"" in values:  # no bytes are a value, as an empty text is
        return ['""' if value == b"" else field for value, field in zip(values, written)]
    return written


def _field(value: Any, encoder: msgspec.json.Encoder) -> str:
    """Write a value of a column that holds several kinds, or arrays or json."""
    if value is None or isinstance(value, str):
        return _text(value)
    if type(value) in _SIMPLE:
        return _simple((value,))[0]
    text = encoder.encode(value).decode()
    return _text(msgspec.json.decode(text) if text.startswith('"') else text)


def _lines(batches: Iterable[Batch], columns: Sequence[Column | str] | None, style: CsvStyle) -> Generator[bytes]:
    encoder: CsvEncoder | None = None
    rows = 0
    for batch in chain(batches, [None]):  # None: the end, where even an empty result has columns
        if encoder is None:
            described = columns or getattr(batches, "description", None) or (batch.columns if batch else ())
            encoder = CsvEncoder(described, neutral=style.neutral)
            yield style.begin + encoder.header
        if batch is None:
            break
        if tuple(batch.columns) != encoder.names:
            raise SchemaChanged(
                f"a batch with the columns {', '.join(batch.columns)} came after {', '.join(encoder.names)}"
            )
        for start in range(0, len(batch.rows), ROWS_PER_CHUNK):
            yield encoder.encode_lines(batch.rows[start : start + ROWS_PER_CHUNK])
        rows += len(batch.rows)
        del batch
    if last := style.last_line(rows):
        yield last
