"""`verify`: compares an output with its manifest, byte for byte."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from mesbatch.errors import CorruptChunk, ExportError
from mesbatch.export.journal import ExportManifest, OutputFiles, whole_parts


def verify(path: str | PathLike[str]) -> ExportManifest:
    """Read the output at *path*, a file or a directory of parts, and compare it with its manifest; holds 1 MiB.

    Raises:
        ExportError: there is no output, or it is not whole.
        CorruptChunk: bytes are missing, changed or too many.
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
    return manifest


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
