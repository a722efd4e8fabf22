"""Rows and groups as NDJSON, in chunks of about 64 KiB."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import msgspec

from mesbatch.batch import Batch, Column, Row
from mesbatch.codec.checksum import Checksum
from mesbatch.codec.rows import DatetimeSeparator, Group, RowEncoder, Shape
from mesbatch.errors import SchemaChanged
from mesbatch.group.key_groups import KeyGroups
from mesbatch.sink.stream import ByteStream
from mesbatch.units import KiB

CHUNK_BYTES = 64 * KiB  # larger ones are no faster, and above 128 KiB malloc asks the system for each of them
LINE_BYTES = 256 * KiB  # a longer line leaves in pieces


def ndjson_lines(
    batches: Iterable[Batch],
    *,
    columns: Sequence[Column | str] | None = None,
    shape: Shape = "objects",
    datetime_separator: DatetimeSeparator = "T",
) -> ByteStream:
    r"""Write *batches* one row a line; with *shape* ``arrays`` after a first line ``{"columns":[...]}``.

    Chunks hold whole lines. Holds the batch that is being written, and one chunk. At the end, the *manifest* of
    *batches* gets its checksum. The stream closes *batches* when it ends, fails or is closed.

    Args:
        batches: A reader, or any batches.
        columns: The columns, whose declared types say how decimals are written (see `RowEncoder`); by default the
            *description* of *batches*, else the names in the first batch.
        shape: ``objects`` or ``arrays``.
        datetime_separator: The character between date and time.

    Raises:
        ColumnNameError: two columns share a name and *shape* is ``objects``.
        UnencodableValue: a value has no JSON form.
        SchemaChanged: a later batch has other columns.

    >>> b"".join(ndjson_lines([Batch(("ID", "NAME"), [(1, "a"), (2, None)])]))
    b'{"ID":1,"NAME":"a"}\n{"ID":2,"NAME":null}\n'
    """
    return ByteStream(_row_lines(batches, columns, shape, datetime_separator), batches)


def ndjson_groups(
    groups: Iterable[tuple[Any, Iterable[Row]]],
    columns: Sequence[Column | str],
    *,
    key: str | None = None,
    shape: Shape = "objects",
    datetime_separator: DatetimeSeparator = "T",
    checksum: Checksum | None = None,
) -> ByteStream:
    r"""Write *groups*, pairs of a key and its rows, one group a line: ``{"key":...,"rows":[...]}``.

    Chunks hold whole lines, but a line over 256 KiB leaves in pieces. Holds one such piece, and the rows of a group
    only if *groups* gives them as a list; large groups of `iter_groups` are taken batch by batch. The stream closes
    *groups*, if that can be closed.

    Args:
        groups: Pairs of a key and its rows, such as those of `iter_groups`.
        columns: The columns of the rows, or their names.
        key: The column of the keys, so that a Decimal key is written as in its rows.
        shape: ``objects`` or ``arrays``.
        datetime_separator: The character between date and time.
        checksum: A checksum that is updated with all rows, which costs 0.3 us a row beside the 0.7 of writing them.

    Raises:
        ColumnNameError: two columns share a name and *shape* is ``objects``.
        KeyColumnError: there is no column *key*.
        UnencodableValue: a value has no JSON form.

    >>> b"".join(ndjson_groups([("a", [("a", 1), ("a", 2)])], ["LOT", "QTY"]))
    b'{"key":"a","rows":[{"LOT":"a","QTY":1},{"LOT":"a","QTY":2}]}\n'
    """
    encoder = RowEncoder(columns, key=key, shape=shape, datetime_separator=datetime_separator)
    pieces = groups.in_pieces() if isinstance(groups, KeyGroups) else groups
    return ByteStream(_group_lines(pieces, encoder, shape, checksum), groups)


def check_columns(encoder: RowEncoder, batch: Batch) -> None:
    """Raise `SchemaChanged` unless *batch* has the columns that *encoder* writes."""
    if tuple(batch.columns) != encoder.names:
        raise SchemaChanged(
            f"a batch with the columns {', '.join(batch.columns)} came after {', '.join(encoder.names)}"
        )


class _Pace:
    """The number of rows of a chunk, learned from the bytes of the chunk before."""

    def __init__(self) -> None:
        self.rows = 100

    def learn(self, rows: int, chunk: bytes) -> None:
        self.rows = max(1, CHUNK_BYTES * rows // max(1, len(chunk)))

    def cut(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        remaining = iter(rows)
        while part := list(islice(remaining, self.rows)):
            yield part


def _row_lines(
    batches: Iterable[Batch],
    columns: Sequence[Column | str] | None,
    shape: Shape,
    datetime_separator: DatetimeSeparator,
) -> Generator[bytes]:
    checksum, pace, encoder = Checksum(), _Pace(), None
    for batch in chain(batches, [None]):  # None: the end, where even an empty result has columns
        if encoder is None:
            described = columns or getattr(batches, "description", None) or (batch.columns if batch else ())
            encoder = RowEncoder(described, shape=shape, datetime_separator=datetime_separator)
            yield from header_lines(encoder, shape)
        if batch is None:
            break
        check_columns(encoder, batch)
        for rows in pace.cut(batch.rows):
            lines = encoder.encode_lines(rows)
            checksum.update_lines(lines)
            pace.learn(len(rows), lines)
            yield lines
            del rows, lines
        del batch
    if manifest := getattr(batches, "manifest", None):
        manifest.checksum = checksum.hexdigest()


def header_lines(encoder: RowEncoder, shape: Shape) -> Iterator[bytes]:
    """Write the line before all others, which only *shape* ``arrays`` has."""
    if shape == "arrays":
        yield msgspec.json.encode({"columns": encoder.columns}) + b"\n"


def _group_lines(
    groups: Iterable[tuple[Any, Iterable[Row]]], encoder: RowEncoder, shape: Shape, checksum: Checksum | None
) -> Generator[bytes]:
    pace = _Pace()
    yield from header_lines(encoder, shape)
    waiting: list[Group] = []
    size = 0  # rows in it, and one more for each line's own bytes
    for key, rows in groups:
        if isinstance(rows, list) and len(rows) <= pace.rows:
            waiting.append((key, rows))
            size += len(rows) + 1
        else:
            if waiting:
                yield _whole_lines(waiting, encoder, checksum)
            waiting, size = [], 0
            yield from _long_line(key, rows, encoder, checksum, pace)
        if size > pace.rows:
            chunk = _whole_lines(waiting, encoder, checksum)
            pace.learn(size, chunk)
            waiting, size = [], 0
            yield chunk
    if waiting:
        yield _whole_lines(waiting, encoder, checksum)


def _whole_lines(groups: list[Group], encoder: RowEncoder, checksum: Checksum | None) -> bytes:
    if checksum is None:
        return encoder.encode_groups(groups)
    lines = []
    for key, rows in groups:
        data = encoder.encode_list(rows)
        checksum.update_list(data)
        lines.append(b'{"key":%b,"rows":%b}\n' % (encoder.encode_key(key), data))
    return b"".join(lines)


def _long_line(
    key: Any, rows: Iterable[Row], encoder: RowEncoder, checksum: Checksum | None, pace: _Pace
) -> Iterator[bytes]:
    line = bytearray(b'{"key":%b,"rows":[' % encoder.encode_key(key))
    separator = b""
    for part in pace.cut(rows):
        data = encoder.encode_list(part)
        if checksum is not None:
            checksum.update_list(data)
        pace.learn(len(part), data)
        line += separator
        line += memoryview(data)[1:-1]
        separator = b","
        if len(line) >= LINE_BYTES:
            yield bytes(line)
            line.clear()
    line += b"]}\n"
    yield bytes(line)
