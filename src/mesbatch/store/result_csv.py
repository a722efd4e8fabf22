"""A domain of a stored result as CSV, converted chunk by chunk."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import msgspec

from mesbatch.batch import Column
from mesbatch.codec.column_rules import is_document
from mesbatch.sink.csv import LINE_END, CsvEncoder, CsvStyle, csv_text, neutralise
from mesbatch.sink.stream import ByteStream
from mesbatch.store.reader import Page, ResultReader
from mesbatch.store.row_lists import columns_of, raw_decoder, row_lists

_text = msgspec.json.Decoder(str)


def result_csv(
    reader: ResultReader,
    domain: str,
    *,
    offset: int = 0,
    limit: int = 0,
    style: CsvStyle = CsvStyle(),  # noqa: B008  # frozen
) -> ByteStream:
    """Write rows *offset* to *offset* + *limit* of *domain* as CSV in *style*; *limit* 0 means all that follow.

    The fields are those that `mesbatch.sink.csv` writes of the rows themselves: numbers keep the digits that the chunk
    has, and are never parsed. Holds one chunk, and 500 of its rows as fields. A chunk that is lost or damaged raises
    while this is read, and a cut CSV looks like a whole one: send it where a cut is an error.

    Raises:
        InvalidPage, JobNotFound, JobNotComplete, ResultExpired: as `ResultReader.page`, before the first byte.
    """
    page = reader.page(domain, offset=offset, limit=limit)
    return ByteStream(_lines(page, columns_of(reader, domain), reader.manifest.shape, style), page.data)


def _lines(page: Page, columns: Sequence[Column], shape: str, style: CsvStyle) -> Generator[bytes]:
    yield style.begin + CsvEncoder(columns, neutral=style.neutral).header
    documents = [is_document(column) for column in columns]
    for rows in row_lists(page, columns, raw_decoder(shape)):
        records = (",".join(_field(value, document, style.neutral) for value, document in zip(row, documents))
                   for row in rows)  # fmt: skip
        yield (LINE_END.join(records) + LINE_END).encode()
    if last := style.last_line(page.count):
        yield last


def _field(value: msgspec.Raw, document: bool, neutral: bool) -> str:
    """Write one JSON *value* as a field."""
    data = bytes(value)
    if data == b"null":
        return ""
    if data[:1] == b'"' and not document:
        field = csv_text(_text.decode(data))
        return neutralise(field) if neutral else field
    return csv_text(data.decode())
