"""`export`: the rows of a query as files, also on from the place where an export ended early."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from os import PathLike
from time import monotonic
from typing import Any

from mesbatch.errors import InvalidExport
from mesbatch.events import Hook
from mesbatch.export.output import Output
from mesbatch.export.rows import ReadRows
from mesbatch.export.statement import digest, steady
from mesbatch.export.write import write_rows
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
    """The account of an export.

    Attributes:
        rows: Rows of the whole output.
        rows_before: Rows of it that were there when this run went on.
        nbytes: Bytes of the whole output.
        parts: Parts of the whole output.
        seconds: Seconds of this run.
        manifest: The account of the rows that this run read, a `Manifest`.

    >>> import sqlite3, tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     summary = export("select 1 as ID", sqlite3.connect(":memory:"), f"{directory}/ids.csv")
    >>> summary.rows, summary.rows_before, summary.nbytes
    (1, 0, 7)
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
    """Write the rows of a query to a file, a folder of parts, or standard output.

    A journal stands beside the output until it is whole, then its manifest. With *resume* a file of lines or a
    folder goes on after its last whole part, whose checksum is compared. With keys, reading goes on after the
    last key; without, the rows are read again and those that were written are compared by checksum, so the output is
    that of an undisturbed run or an error.

    Args:
        sql: The query, as in `read_sql_iter`.
        con: The connection, as in `read_sql_iter`.
        out: A file, a folder of parts (a name that ends with ``/``), ``-``, or the URL of an object or a folder of an
            object store: ``s3://``, ``gs://`` or ``az://``.
        format: ``csv``, ``ndjson``, ``parquet`` or ``arrow``; without it, the name of *out* tells it.
        params: Values for the binds, as in `read_sql_iter`.
        keys: The keys to read, as in `read_sql_iter`.
        key: The column that holds the key, as in `read_sql_iter`.
        max_bytes: Bytes of everything that is held at a time, read and written.
        parallel: The number of lists of keys that are read at once.
        schema: The types of some or all columns of Parquet and Arrow, as in `BatchReader.arrow`.
        on_invalid_text: ``raise``, ``replace`` or ``base64``, as in `read_sql_iter`.
        compress: True compresses: CSV and NDJSON by gzip, the others by zstd. A name that ends with ``.gz`` or ``.zst``
            says so, too.
        resume: True goes on after the last whole part of an output that was cut off.
        force: True replaces an output that is there.
        on_event: A function that is called with each event of `mesbatch.events`.

    Raises:
        OutputExists: there is something at *out*, and neither *resume* nor *force* was asked for.
        InvalidExport: no such format or target, or options that do not go together.
        ExportError: a disk that is full, an output of another statement.
        Any error of `read_sql_iter`, and of reading.

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
        raise InvalidExport(f"parallel={parallel} reads keys side by side, and there are none")
    output = Output(str(out), format, compress=compress, resume=resume, force=force)
    if schema is not None and output.form.is_lines:
        raise InvalidExport(f"schema declares the types of Parquet and Arrow; {output.form.format} has none")
    started = monotonic()
    with ExitStack() as opened:
        wanted = None if keys is None else _collected(keys, opened)
        statement = digest(sql, params, wanted, schema, on_invalid_text)
        output.check_same(statement)
        left = None if wanted is None else _not_written(wanted, output)
        if output.complete:
            return _untouched(output)
        reader = opened.enter_context(
            read_sql_iter(
                sql, steady(con) if output.resumable else con, params, keys=left, key=key,
                max_bytes=max(1, max_bytes // READ_SHARE), parallel=parallel, on_invalid_text=on_invalid_text,
                on_event=on_event,
            )
        )  # fmt: skip
        with output.explaining():
            rows = ReadRows(reader, output.form.format, output.plan, None if left is None else left.key_type, schema)
            written = write_rows(rows, output, statement, max(1, max_bytes // GROUP_SHARE))
    return Summary(written.rows, output.rows, written.nbytes, written.parts, monotonic() - started, reader.manifest)


def _collected(keys: Iterable[Any] | Keys, opened: ExitStack) -> Keys:
    """Check and sort *keys*; they are closed with *opened* unless the caller collected them."""
    if isinstance(keys, Keys):
        return keys
    return opened.enter_context(closing(collect_keys(keys)))


def _not_written(keys: Keys, output: Output) -> Keys:
    """Leave out of *keys* those whose rows are in *output*; if no key is left, only its manifest was missing."""
    point = output.resume_point
    if point is None:
        return keys
    left = keys.above(point.key)
    if not len(left):
        output.finish()
    return left


def _untouched(output: Output) -> Summary:
    """Sum up an output that needed no rows."""
    nbytes = sum(part.nbytes for part in output.parts)
    return Summary(output.rows, output.rows, nbytes, len(output.parts), 0.0, Manifest("complete"))
