"""Verification of an output: every part has the bytes that were written, and they can be read."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from mesbatch.errors import CorruptChunk, ExportError
from mesbatch.export.journal import ExportManifest, Place, whole_parts
from mesbatch.export.read_back import count_rows


def verify(path: str | PathLike[str]) -> ExportManifest:
    """Read the output at *path*, a file or a directory of parts, and hold it against its manifest.

    Its bytes are compared, and its rows are read as anybody would read them, every text and every list; holds a
    mebibyte, or a record batch.

    Raises:
        ExportError: there is no output, or it is not whole.
        CorruptChunk: bytes are missing, changed or too many, or are not the rows of the manifest.
    """
    place = Place.find(Path(path))
    if not place.path.exists():
        raise ExportError(f"{place.path} does not exist")
    manifest = place.read_manifest()
    if manifest is None:
        begun = place.read_journal()
        rows = f": {sum(part.rows for part in begun[1]):,} rows are whole; go on with --resume" if begun else ""
        raise ExportError(f"{place.path} is not complete, it has no {place.manifest.name}{rows}")
    whole = whole_parts(place, manifest.parts)
    if len(whole) < len(manifest.parts):
        part = manifest.parts[len(whole)]
        raise CorruptChunk(f"{place.path}: {part.name} is not the {part.nbytes:,} bytes with CRC-32 {part.crc32}")
    _check_nothing_more(place, manifest)
    _check_rows(place, manifest)
    return manifest


def _check_rows(place: Place, manifest: ExportManifest) -> None:
    """Raise CorruptChunk unless the files can be read, and have the rows of *manifest*."""
    for name in dict.fromkeys(part.name for part in manifest.parts):  # a part may be a piece of a file
        path = place.path / name if place.is_directory else place.path
        expected = sum(part.rows for part in manifest.parts if part.name == name)
        try:
            rows = count_rows(path, manifest.plan)
        except (ValueError, OSError) as error:  # Arrow's errors are of these, too
            raise CorruptChunk(f"{path} cannot be read: {error}") from error
        if rows != expected:
            raise CorruptChunk(f"{path} has {rows:,} rows, the manifest {expected:,}")


def _check_nothing_more(place: Place, manifest: ExportManifest) -> None:
    if not place.is_directory:
        size = place.path.stat().st_size
        if size != manifest.nbytes:
            raise CorruptChunk(f"{place.path} has {size:,} bytes, the manifest {manifest.nbytes:,}")
        return
    sizes = {part.name: part.nbytes for part in manifest.parts}
    for file in place.path.iterdir():
        if file.name != place.manifest.name and file.stat().st_size != sizes.get(file.name):
            raise CorruptChunk(f"{file} is none of the {len(sizes):,} parts, or longer than it was")
