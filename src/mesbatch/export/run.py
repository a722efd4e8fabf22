"""`export`: from a query to files, or on from where an export was left."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from os import PathLike
from time import monotonic
from typing import Any

from mesbatch.errors import ExportError
from mesbatch.events import Hook
from mesbatch.export.cut import cut
from mesbatch.export.journal import Journal, Plan
from mesbatch.export.output import Output
from mesbatch.export.rows import ReadRows
from mesbatch.export.statement import digest, key_column, steady
from mesbatch.export.write import PartsWriter
from mesbatch.keys.collect import Keys, collect_keys
from mesbatch.manifest import Manifest
from mesbatch.read.reader import read_sql_iter
from mesbatch.read.request import check_positive
from mesbatch.source.session import OnInvalidText, Params
from mesbatch.units import MiB

# Of max_bytes: half to the reader; two groups are held, and one of them once more as it is written.
READ_SHARE, GROUP_SHARE = 2, 8


@dataclass(frozen=True, slots=True)
class Summary:
    """What an export did: the *rows*, *nbytes* and *parts* of the whole output, and *seconds* of this run.

    *rows_before* of them were there when it went on; *manifest* is the account of what this run read.
    """

    rows: int
    rows_before: int
    nbytes: int
    parts: int
    seconds: float
    manifest: Manifest


def export(
    sql: str,
    con: Any,
    out: str | PathLike[str],
    *,
    format: str | None = None,  # noqa: A002  # the word of the command line
    params: Params = None,
    keys: Iterable[Any] | Keys | None = None,
    key: str | None = None,
    max_bytes: int = 64 * MiB,
    parallel: int = 1,
    schema: Any = None,
    on_invalid_text: OnInvalidText = "raise",
    compress: bool = False,
    resume: bool = False,
    force: bool = False,
    on_event: Hook | None = None,
) -> Summary:
    """Write the rows of a query to *out*: a file, a directory of parts (a name that ends with ``/``) or ``-``.

    *format* is ``ndjson``, ``parquet`` or ``arrow``; left out, the file's name tells it. *con*, *params*, *keys*,
    *key* and *on_invalid_text* are those of `read_sql_iter`. *schema* declares the types of some or all columns of
    Parquet and Arrow, as in `BatchReader.arrow`. *max_bytes* is all that is held at a time: what is read and what is
    written. *compress* is gzip for NDJSON and zstd for the others.

    Beside the output stands its manifest once it is whole, and a journal until then. With *resume* an NDJSON file or a
    directory goes on after its last whole part, whose checksum is compared. With keys, reading goes on after the
    last key; without, the rows are read again and those that were written are compared by checksum, so the output is
    that of an undisturbed run or an error. *force* replaces what is there.

    Raises:
        OutputExists: something lies at *out*, and neither *resume* nor *force* was asked for.
        ExportError: no such format, a disk that is full, an output of another statement.
        What reading raises.

    >>> import sqlite3, tempfile
    >>> from pathlib import Path
    >>> con = sqlite3.connect(":memory:")
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     summary = export("select 1 as ID, 'a' as LOT", con, f"{directory}/lots.ndjson")
    ...     print(Path(f"{directory}/lots.ndjson").read_text(), summary.rows, summary.manifest.status)
    {"ID":1,"LOT":"a"}
     1 complete
    """
    check_positive("max_bytes", max_bytes)
    if parallel > 1 and keys is None:
        raise ExportError(f"parallel={parallel} reads keys side by side, and there are none")
    output = Output(str(out), format, compress=compress, resume=resume, force=force)
    if schema is not None and output.format == "ndjson":
        raise ExportError("schema declares the types of Parquet and Arrow; NDJSON has none")
    column = key_column(sql, key) if keys is not None else None
    started = monotonic()
    with ExitStack() as closed:
        if keys is not None:
            keys = collect_keys(keys)
            closed.callback(keys.close)
        statement = digest(sql, params, keys, schema, on_invalid_text)
        output.check_same(statement)
        if output.complete:
            return _untouched(output)
        if keys is not None and output.plan is not None and output.plan.keyed and output.parts:
            keys = keys.above(output.parts[-1].last_key)
        origin = steady(con) if output.resumable else con
        share = max(1, max_bytes // READ_SHARE)
        reader = closed.enter_context(
            read_sql_iter(
                sql, origin, params, keys=keys, key=key, max_bytes=share, parallel=parallel,
                on_invalid_text=on_invalid_text, on_event=on_event,
            )
        )  # fmt: skip
        rows = ReadRows(
            reader,
            columnar=output.format != "ndjson",
            schema=output.plan.schema if output.plan else None,
            wanted=schema,
        )
        with output.explaining():
            written = _write(rows, output, column, statement, max(1, max_bytes // GROUP_SHARE))
    before = sum(part.rows for part in output.parts)
    return Summary(written.rows, before, written.nbytes, written.parts, monotonic() - started, reader.manifest)


def _untouched(output: Output) -> Summary:
    """Nothing was left to do."""
    rows, nbytes = sum(part.rows for part in output.parts), sum(part.nbytes for part in output.parts)
    return Summary(rows, rows, nbytes, len(output.parts), 0.0, Manifest("complete"))


def _write(rows: ReadRows, output: Output, column: str | None, statement: str, group_bytes: int) -> PartsWriter:
    """All of *rows*, in parts; *column* is that of the keys, which the rows may lack."""
    plan = output.plan
    position = rows.position_of(column)
    if plan is None:
        part_rows, group_rows = rows.sizes(group_bytes)
        plan = Plan(
            format=output.format,
            compress=output.compress,
            statement=statement,
            keyed=position is not None,
            part_rows=part_rows if output.resumable else sys.maxsize,
            group_rows=group_rows,
            schema=rows.schema,
        )
    journal = None if output.place is None else Journal(output.place, plan, output.parts, kept=output.resumable)
    writer = PartsWriter(output.target(), plan, rows.shape, group_bytes, journal, output.parts, again=not plan.keyed)
    try:
        for piece in cut(rows, plan.part_rows, position):
            writer.write(piece)
            del piece
        writer.finish()
    except BaseException:
        writer.drop()
        raise
    if journal is not None:
        journal.finish()
    return writer
