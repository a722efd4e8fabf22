"""The rows of an exported file, read again to see that they can be."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from mesbatch.export.journal import ExportPlan


def count_rows(path: Path, plan: ExportPlan) -> int:
    """The number of rows in the file at *path*; every value of them is looked at.

    Raises:
        ValueError, OSError: the file cannot be read.
    """
    match plan.format:
        case "ndjson":
            return _count_lines(path, compressed=plan.compress)
        case "parquet":
            return sum(map(_check, _parquet_batches(path)))
    return sum(map(_check, _arrow_batches(path)))


def _count_lines(path: Path, *, compressed: bool) -> int:
    """The lines, each of which is JSON in UTF-8."""
    decoder, lines = msgspec.json.Decoder(type=msgspec.Raw), 0
    with gzip.open(path) if compressed else path.open("rb") as file:
        for line in file:
            try:
                decoder.decode(line)
                line.decode()
            except ValueError as error:
                raise ValueError(f"line {lines + 1:,} is no JSON: {error}") from error
            lines += 1
    return lines


def _check(batch: Any) -> int:
    batch.validate(full=True)  # texts are UTF-8, lists and times lie within their bounds
    return int(batch.num_rows)


def _parquet_batches(path: Path) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        yield from file.iter_batches()


def _arrow_batches(path: Path) -> Iterator[Any]:
    import pyarrow as pa

    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as file:
        for number in range(file.num_record_batches):
            yield file.get_batch(number)
