"""`verify`: compares an output with its manifest, byte for byte, and reads its rows."""

from __future__ import annotations

import csv
from os import PathLike

from mesbatch.errors import CorruptChunk, ExportError
from mesbatch.export.find import find_existing
from mesbatch.export.journal import ExportManifest, OutputFiles, whole_parts
from mesbatch.export.read_back import count_rows


def verify(path: str | PathLike[str]) -> ExportManifest:
    """Read an output again, and compare it with its manifest.

    Bytes are compared, then rows are read as anybody would read them, with every text and every list. Holds a
    mebibyte, or a record batch.

    Args:
        path: A file, a folder of parts, or the URL of an object or of a folder of them.

    Raises:
        ExportError: there is no output, or it is not whole.
        CorruptChunk: bytes are missing, changed or too many, or are not the rows of the manifest.

    >>> import sqlite3, tempfile
    >>> from mesbatch.export import export
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     _ = export("select 1 as ID", sqlite3.connect(":memory:"), f"{directory}/ids.csv")
    ...     verify(f"{directory}/ids.csv").rows
    1
    """
    files = find_existing(str(path))
    manifest = files.read_manifest()
    if manifest is None:
        begun = files.read_journal()
        rows = f": {sum(part.rows for part in begun[1]):,} rows are whole; go on with --resume" if begun else ""
        raise ExportError(f"{files.label} is not complete, it has no {files.manifest}{rows}")
    whole = whole_parts(files, manifest.parts)
    if len(whole) < len(manifest.parts):
        part = manifest.parts[len(whole)]
        raise CorruptChunk(f"{files.label}: {part.name} is not the {part.nbytes:,} bytes with CRC-32 {part.crc32}")
    _check_nothing_more(files, manifest)
    _check_rows(files, manifest)
    return manifest


def _check_rows(files: OutputFiles, manifest: ExportManifest) -> None:
    """Raise `CorruptChunk` unless the files can be read and have the rows of *manifest*."""
    for name in dict.fromkeys(part.name for part in manifest.parts):  # a part may be a piece of a file
        label = f"{files.place.label}{name}"
        expected = sum(part.rows for part in manifest.parts if part.name == name)
        try:
            with files.place.open(name) as file:
                rows = count_rows(file, manifest.plan)
        except (ValueError, OSError, csv.Error) as error:  # Arrow's errors are of these, too
            raise CorruptChunk(f"{label} cannot be read: {error}") from error
        if rows != expected:
            raise CorruptChunk(f"{label} has {rows:,} rows, the manifest {expected:,}")


def _check_nothing_more(files: OutputFiles, manifest: ExportManifest) -> None:
    if files.name is not None:
        size = files.place.size(files.name)
        if size != manifest.nbytes:
            raise CorruptChunk(f"{files.label} has {size or 0:,} bytes, the manifest {manifest.nbytes:,}")
        return
    sizes = {part.name: part.nbytes for part in manifest.parts}
    for name in files.place.names():
        if name not in (files.manifest, files.journal) and files.place.size(name) != sizes.get(name):
            raise CorruptChunk(f"{files.label}{name} is none of the {len(sizes):,} parts, or longer than it was")
