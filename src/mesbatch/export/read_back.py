"""The rows of an exported file, read again to see that they can be."""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from typing import Any, BinaryIO, cast

import msgspec

from mesbatch.export.journal import ExportPlan


def count_rows(file: BinaryIO, plan: ExportPlan) -> int:
    """Count the rows in *file*; every value of them is looked at.

    Raises:
        ValueError, OSError, csv.Error: the file cannot be read.
    """
    match plan.format:
        case "ndjson":
            return _count_lines(_decompressed(file, plan.compress))
        case "csv":
            return _count_records(_decompressed(file, plan.compress))
        case "parquet":
            return sum(map(_check, _parquet_batches(file)))
    return sum(map(_check, _arrow_batches(file)))


def _decompressed(file: BinaryIO, compression: bool | str) -> BinaryIO:
    if not compression:
        return file
    if compression == "zstd":
        import pyarrow as pa

        return cast("BinaryIO", BufferedReader(pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")))
    return cast("BinaryIO", gzip.open(file))


def _count_lines(file: BinaryIO) -> int:
    """Count the lines, each of which is JSON in UTF-8."""
    decoder, lines = msgspec.json.Decoder(type=msgspec.Raw), 0
    for line in file:
        try:
            decoder.decode(line)
            line.decode()
        except ValueError as error:
            raise ValueError(f"line {lines + 1:,} is no JSON: {error}") from error
        lines += 1
    return lines


def _count_records(file: BinaryIO) -> int:
    """Count the records below the header, each of which has as many fields."""
    rows = 0
    with _any_length_of_fields(), TextIOWrapper(file, encoding="utf-8", newline="") as text:
        records = csv.reader(text, strict=True)
        header = next(records, [])
        for record in records:
            rows += 1
            if len(record) != len(header) and (record or len(header) > 1):  # one column: an empty line is a NULL
                raise ValueError(f"record {rows:,} has {len(record):,} fields, the header {len(header):,}")
    return rows


@contextmanager
def _any_length_of_fields() -> Iterator[None]:
    """Lift the limit of 131,072 characters that `csv` has for a process."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _check(batch: Any) -> int:
    batch.validate(full=True)  # texts are UTF-8, lists and times lie within their bounds
    return int(batch.num_rows)


def _parquet_batches(file: BinaryIO) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as parquet:
        yield from parquet.iter_batches()


def _arrow_batches(file: BinaryIO) -> Iterator[Any]:
    import pyarrow as pa

    with pa.ipc.open_file(file) as arrow:
        for number in range(arrow.num_record_batches):
            yield arrow.get_batch(number)
