"""NDJSON with a line for each key, from rows in any order: encoded once, and spilled as JSON."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice

from mesbatch.batch import Batch, Column, find_column, open_batches
from mesbatch.codec.rows import DatetimeSeparator, RowEncoder, Shape
from mesbatch.group.spill.extents import Extent, ExtentFile
from mesbatch.group.spill.key_numbers import KeyNumbers
from mesbatch.group.spill.partitions import Partitions
from mesbatch.group.spill.unlinked import open_unlinked
from mesbatch.keys.moments import key_getter
from mesbatch.sink.ndjson import CHUNK_BYTES, check_columns, header_lines
from mesbatch.sink.stream import ByteStream
from mesbatch.units import KiB, MiB

ROWS_AT_ONCE = 1_000  # that are encoded together: their JSON is in memory twice
READ_NBYTES_MIN = 256 * KiB  # of JSON: below it, a pass over all groups is only calls to the disk


def ndjson_by_key(
    batches: Iterable[Batch],
    key: str,
    *,
    columns: Sequence[Column | str] | None = None,
    shape: Shape = "objects",
    datetime_separator: DatetimeSeparator = "T",
    max_bytes: int = 64 * MiB,
    directory: str | os.PathLike[str] | None = None,
) -> ByteStream:
    """Write *batches*, in any order, one key a line, ``{"key":...,"rows":[...]}``, in the order keys are first seen.

    The bytes are those of `ndjson_groups` over the items of `group_by_key`, which reads rows back only to encode
    them. Reads *batches* to the end before the first line. Holds at most *max_bytes* of JSON, one batch, and the
    index of the keys, at most 150 bytes for each; everything goes to disk. The stream closes *batches* when it ends,
    fails or is closed.

    Args:
        batches: A reader, or any batches; the rows may have any order.
        key: The name of the key's column.
        columns: The columns, as in `ndjson_lines`.
        shape: ``objects`` or ``arrays``.
        datetime_separator: The character between date and time.
        max_bytes: Bytes of JSON in memory.
        directory: The folder of the file, as in `group_by_key`.

    Raises:
        KeyColumnError: no column, or more than one, is called *key*.
        InvalidKey: a key is not hashable.
        ColumnNameError: two columns share a name and *shape* is ``objects``.
        UnencodableValue: a value has no JSON form.
        SchemaChanged: a later batch has other columns, or a row is longer or shorter.
        SpillError: *directory* is not to be trusted or not writable (before anything is read), or the disk is full.
        CorruptChunk: the bytes on disk are not those that were written.

    >>> batches = [Batch(("LOT", "QTY"), [("b", 1), ("a", 2)]), Batch(("LOT", "QTY"), [("b", 3)])]
    >>> for chunk in ndjson_by_key(batches, "LOT"):
    ...     print(chunk.decode(), end="")
    {"key":"b","rows":[{"LOT":"b","QTY":1},{"LOT":"b","QTY":3}]}
    {"key":"a","rows":[{"LOT":"a","QTY":2}]}
    """

    def encoder_of(names: Sequence[str]) -> RowEncoder:
        described = columns or getattr(batches, "description", None) or names
        return RowEncoder(described, key=key if described else None, shape=shape, datetime_separator=datetime_separator)

    return ByteStream(_chunks(batches, key, encoder_of, shape, max_bytes, directory), batches)


def _chunks(
    batches: Iterable[Batch],
    key: str,
    encoder_of: Callable[[Sequence[str]], RowEncoder],
    shape: Shape,
    max_bytes: int,
    directory: str | os.PathLike[str] | None,
) -> Generator[bytes]:
    with closing(ExtentFile(open_unlinked(directory))) as file, open_batches(batches) as opened:
        lines: _LinesByKey | None = None
        for batch in opened:
            lines = lines or _LinesByKey(encoder_of(batch.columns), key, file, max_bytes)
            lines.add(batch)
            del batch
        yield from header_lines(lines.encoder if lines else encoder_of(()), shape)
        if lines:
            yield from lines.chunks()


class _LinesByKey:
    """Rows as JSON, gathered by key in *file*."""

    def __init__(self, encoder: RowEncoder, key: str, file: ExtentFile, max_bytes: int) -> None:
        self.encoder = encoder
        self._position = find_column(encoder.names, key)
        self._numbers = KeyNumbers(key)
        self._partitions = Partitions(file, max_bytes)
        self._read_nbytes = max(max_bytes // 4, READ_NBYTES_MIN)  # pieces and lines of a partition are held at once

    def add(self, batch: Batch) -> None:
        check_columns(self.encoder, batch)
        for start in range(0, len(batch.rows), ROWS_AT_ONCE):
            rows = batch.rows[start : start + ROWS_AT_ONCE]
            pieces = self.encoder.encode_lines(rows).splitlines()  # JSON itself has no line breaks
            self._partitions.add(self._numbers.add(map(key_getter(rows, self._position), rows)), pieces, 0)

    def chunks(self) -> Iterator[bytes]:
        self._partitions.settle(self._read_nbytes)
        keys = iter(self._numbers)
        for groups, extents in self._partitions:
            heads = self.encoder.encode_keys(list(islice(keys, len(groups))))
            yield from _joined(_lines(heads, groups, extents)) if len(groups) > 1 else _long_line(heads[0], extents)


def _lines(heads: Sequence[bytes], groups: range, extents: Iterator[Extent]) -> Iterator[bytes]:
    pieces_of: list[list[bytes]] = [[] for _ in groups]
    for extent in extents:
        extent.deal(extent.pieces(), pieces_of[extent.first - groups.start :])
    return (b'{"key":%b,"rows":[%b]}\n' % (head, b",".join(pieces)) for head, pieces in zip(heads, pieces_of))


def _joined(lines: Iterator[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    nbytes = 0
    for line in lines:
        waiting.append(line)
        nbytes += len(line)
        if nbytes >= CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, nbytes = [], 0
    if waiting:
        yield b"".join(waiting)


def _long_line(head: bytes, extents: Iterator[Extent]) -> Iterator[bytes]:
    """Write the line of a key that has a partition of its own, which may be larger than memory."""
    before = b'{"key":%b,"rows":[' % head
    for extent in extents:
        yield before + b",".join(extent.pieces())
        before = b","
    yield b"]}\n"
