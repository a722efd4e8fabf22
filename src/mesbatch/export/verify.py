"""`verify`: compares an output with its manifest, byte for byte, and reads its rows."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from mesbatch.errors import CorruptChunk, ExportError
from mesbatch.export.journal import ExportManifest, OutputFiles, whole_parts
from mesbatch.export.read_back import count_rows


def verify(path: str | PathLike[str]) -> ExportManifest:
    """Read the output at *path*, a file or a directory of parts, and compare it with its manifest.

    Bytes are compared, then rows are read as anybody would read them, with every text and every list; holds a mebibyte,
    or a record batch.

    Raises:
        ExportError: there is no output, or it is not whole.
        CorruptChunk: bytes are missing, changed or too many, or are not the rows of the manifest.
    """
    files = OutputFiles.find(Path(path))
    if not files.path.exists():
        raise ExportError(f"{files.path} does not exist")
    manifest = files.read_manifest()
    if manifest is None:
        begun = files.read_journal()
        rows = f": {sum(part.rows for part in begun[1]):,} rows are whole; go on with --resume" if begun else ""
        raise ExportError(f"{files.path} is not complete, it has no {files.manifest.name}{rows}")
    whole = whole_parts(files, manifest.parts)
    if len(whole) < len(manifest.parts):
        part = manifest.parts[len(whole)]
        raise CorruptChunk(f"{files.path}: {part.name} is not the {part.nbytes:,} bytes with CRC-32 {part.crc32}")
    _check_nothing_more(files, manifest)
    _check_rows(files, manifest)
    return manifest


def _check_rows(files: OutputFiles, manifest: ExportManifest) -> None:
    """Raise `CorruptChunk` unless the files can be read and have the rows of *manifest*."""
    for name in dict.fromkeys(part.name for part in manifest.parts):  # a part may be a piece of a file
        path = files.path / name if files.is_directory else files.path
        expected = sum(part.rows for part in manifest.parts if part.name == name)
        try:
            rows = count_rows(path, manifest.plan)
        except (ValueError, OSError) as error:  # Arrow's errors are of these, too
            raise CorruptChunk(f"{path} cannot be read: {error}") from error
        if rows != expected:
            raise CorruptChunk(f"{path} has {rows:,} rows, the manifest {expected:,}")


def _check_nothing_more(files: OutputFiles, manifest: ExportManifest) -> None:
    if not files.is_directory:
        size = files.path.stat().st_size
        if size != manifest.nbytes:
            raise CorruptChunk(f"{files.path} has {size:,} bytes, the manifest {manifest.nbytes:,}")
        return
    sizes = {part.name: part.nbytes for part in manifest.parts}
    for file in files.path.iterdir():
        if file.name != files.manifest.name and file.stat().st_size != sizes.get(file.name):
            raise CorruptChunk(f"{file} is none of the {len(sizes):,} parts, or longer than it was")
