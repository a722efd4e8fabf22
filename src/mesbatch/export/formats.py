"""The formats of an export: their names, and a writer of one part for each."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from mesbatch.batch import Column
from mesbatch.codec.rows import RowEncoder
from mesbatch.errors import ExportError
from mesbatch.export.journal import ExportPlan
from mesbatch.sink.outlet import Writable

Format = Literal["ndjson", "parquet", "arrow"]
FORMATS: tuple[Format, ...] = get_args(Format)
EXTENSIONS: dict[str, Format] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
}
GZIP_LEVEL = 6  # gzip's own default; 1 is twice as fast and 15 % larger


class PartWriter(Protocol):
    """A writer of the rows of one part: lists of tuples for NDJSON, record batches for the others."""

    def write(self, rows: Any) -> None: ...

    def close(self) -> None:
        """Write the rows that are left; the file stays open."""


def find_format(out: str, wanted: str | None, *, directory: bool) -> Format:
    """Find the format of an output: the one that is *wanted*, or that of the file's name.

    Raises:
        ExportError: there is no such format, the name tells none, or it tells another.
    """
    if wanted is not None and wanted not in FORMATS:
        raise ExportError(f"no format {wanted!r}; the formats are {', '.join(FORMATS)}")
    suffix = Path(out.removesuffix(".gz")).suffix
    named = None if directory or out == "-" else EXTENSIONS.get(suffix)
    if wanted is not None and named is not None and named != wanted:
        raise ExportError(f"the name {out} says {named}, the format is to be {wanted}")
    for format_ in FORMATS:
        if format_ == (wanted or named):
            return format_
    known = ", ".join(EXTENSIONS)
    what = f"the extension {suffix!r}" if suffix else f"the name {out}"
    raise ExportError(f"{what} says no format: name one of {', '.join(FORMATS)}, or an extension of {known}")


def extension(format_: Format, *, compress: bool) -> str:
    """Give the end of the names of parts."""
    return ".ndjson.gz" if format_ == "ndjson" and compress else f".{format_}"


def open_part(plan: ExportPlan, file: Writable, shape: Any, *, group_bytes: int, stream: bool) -> PartWriter:
    """Open a writer of one part to *file*; *shape* is the columns of rows, or the schema of record batches."""
    compress, rows = plan.compress, plan.group_rows
    match plan.format:
        case "arrow":
            from mesbatch.sink.arrow import ArrowWriter

            kind: Literal["file", "stream"] = "stream" if stream else "file"
            compression = "zstd" if compress else None
            return ArrowWriter(file, shape, group_rows=rows, max_bytes=group_bytes, kind=kind, compression=compression)
        case "parquet":
            from mesbatch.sink.parquet import ParquetWriter

            compression = "zstd" if compress else "snappy"
            return ParquetWriter(file, shape, group_rows=rows, max_bytes=group_bytes, compression=compression)
    return NdjsonPart(file, shape, compress=compress)


class NdjsonPart:
    """A part of one row a line; compressed, it is a gzip member of its own, and members may be joined."""

    def __init__(self, file: Writable, columns: Sequence[Column], *, compress: bool) -> None:
        self._encode = RowEncoder(columns).encode_lines
        self._closing = ExitStack()
        self._write: Callable[[bytes], Any] = file.write
        if compress:  # without a time: the same rows give the same bytes
            member = gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0)
            self._write = self._closing.enter_context(member).write

    def write(self, rows: Any) -> None:
        self._write(self._encode(rows))

    def close(self) -> None:
        self._closing.close()
