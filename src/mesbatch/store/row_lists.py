"""Rows of a stored domain, decoded a chunk at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from mesbatch.batch import Column
from mesbatch.errors import CorruptChunk
from mesbatch.store.reader import Page, ResultReader

ROWS_AT_ONCE = 500  # decoded values take ten times the bytes of their JSON


def columns_of(reader: ResultReader, domain: str) -> list[Column]:
    """Give the columns of *domain*, as far as its account describes them."""
    return [Column(column["name"], column.get("type")) for column in reader.manifest.domains[domain].columns]


def row_lists(page: Page, columns: Sequence[Column], decoder: msgspec.json.Decoder[Any]) -> Generator[list[list[Any]]]:
    """Decode the rows of *page*, at most `ROWS_AT_ONCE` at a time; *decoder* decodes a list of rows.


    Holds one chunk and the rows of one list.

    Raises:
        CorruptChunk: a row has other columns than its domain.
    """
    names = [column.name for column in columns]
    with page.data:
        for piece in page.data:
            if len(piece) <= 2:  # the brackets around everything
                continue
            for some in _cut(piece):
                rows = [_values(row, names, page.domain) for row in decoder.decode(some)]
                yield rows


def _cut(piece: bytes) -> Iterator[bytes]:
    """Cut the rows of *piece*, behind its bracket or comma, into JSON arrays of a few."""
    with memoryview(piece) as view:
        rows = _raw_rows.decode(b"[%b]" % bytes(view[1:]))
    for first in range(0, len(rows), ROWS_AT_ONCE):
        yield b"[%b]" % b",".join(rows[first : first + ROWS_AT_ONCE])


def _values(row: Any, names: Sequence[str], domain: str) -> list[Any]:
    if isinstance(row, dict):
        if list(row) == names:
            return list(row.values())
    elif len(row) == len(names):
        return list(row)
    raise CorruptChunk(f"a row of {domain!r} has other columns than {', '.join(names)}")


def raw_decoder(shape: str) -> msgspec.json.Decoder[Any]:
    """Make a decoder of rows whose values stay JSON."""
    one: Any = list[msgspec.Raw] if shape == "arrays" else dict[str, msgspec.Raw]
    return msgspec.json.Decoder(list[one])


def transpose(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Give the columns of *rows*."""
    return list(zip(*rows, strict=True))


_raw_rows = msgspec.json.Decoder(list[msgspec.Raw])
