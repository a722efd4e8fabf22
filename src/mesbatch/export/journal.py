"""The files beside an output: a journal while it is written, the manifest once it is whole."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Self

import msgspec

from mesbatch.errors import CorruptChunk, ExportError
from mesbatch.keys.resume import EncodedKey
from mesbatch.units import MiB

VERSION = 2  # 1 kept the last key of a part as the database spelled it
READ_BYTES = 1 * MiB
MANIFEST_NAME, JOURNAL_NAME = "manifest.json", "journal.ndjson"


class ExportPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The choices that decide the bytes of an output; a resumed export must make the same.

    *statement* is a digest of SQL, parameters and keys. *part_rows* and *group_rows* were measured at the first rows,
    and *schema* is that of the record batches, as Arrow serialises it. *keyed* says that parts end where a key does.
    """

    version: int = VERSION
    format: str
    compress: bool
    statement: str
    keyed: bool
    part_rows: int
    group_rows: int
    schema: bytes | None = None


class ExportPart(msgspec.Struct, frozen=True, kw_only=True):
    """A whole part: a file of a directory, or a piece of one file; *crc32* is of its bytes.

    *last_key* is the key of its last rows, as it was asked for; None where parts do not end at keys.
    """

    name: str
    rows: int
    nbytes: int
    crc32: str
    last_key: EncodedKey | None = None


class ExportManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The account of an output that is whole."""

    status: str
    rows: int
    nbytes: int
    plan: ExportPlan
    parts: list[ExportPart]


class OutputFiles:
    """The paths of an output: *path* is a file or a directory of parts, *manifest* and *journal* are beside it."""

    def __init__(self, path: Path, *, directory: bool) -> None:
        self.path, self.is_directory = path, directory
        beside = path if directory else path.parent
        prefix = "" if directory else f"{path.name}."
        self.manifest, self.journal = beside / f"{prefix}{MANIFEST_NAME}", beside / f"{prefix}{JOURNAL_NAME}"

    @classmethod
    def find(cls, path: Path) -> Self:
        """Take the output at *path* as it is: a file or a directory."""
        return cls(path, directory=path.is_dir())

    def read_manifest(self) -> ExportManifest | None:
        """Read the manifest; None where the output is not whole.

        Raises:
            CorruptChunk: it is no manifest of ours.
        """
        try:
            return msgspec.json.decode(self.manifest.read_bytes(), type=ExportManifest)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise CorruptChunk(f"{self.manifest} is no manifest: {error}") from error

    def read_journal(self) -> tuple[ExportPlan, list[ExportPart]] | None:
        """Read the journal of an unfinished output, without a line that was cut off; None where there is none."""
        try:
            lines = self.journal.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return None
        try:
            return msgspec.json.decode(lines[0], type=ExportPlan), [
                msgspec.json.decode(line, type=ExportPart) for line in lines[1:]
            ]
        except IndexError:
            return None
        except msgspec.DecodeError as error:
            raise ExportError(f"{self.journal} is no journal of ours: {error}; begin again with --force") from error


class Journal:
    """The journal of an unfinished output: a line for each part, written once the part is whole.

    *parts* are whole already. Unless it is *kept*, it is only in memory.
    """

    def __init__(self, files: OutputFiles, plan: ExportPlan, parts: list[ExportPart], *, kept: bool) -> None:
        self.plan, self.parts = plan, list(parts)
        self._files, self._kept = files, kept
        files.journal.parent.mkdir(parents=True, exist_ok=True)
        if not kept:
            return
        unfinished = files.journal.with_suffix(".unfinished")
        unfinished.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in (plan, *parts)))
        unfinished.replace(files.journal)
        files.manifest.unlink(missing_ok=True)

    def add(self, part: ExportPart) -> None:
        """Note that *part* is whole."""
        if self._kept:
            with self._files.journal.open("ab") as file:
                file.write(msgspec.json.encode(part) + b"\n")
        self.parts.append(part)

    def finish(self) -> None:
        """Write the manifest, which says that the output is whole, and remove the journal."""
        manifest = ExportManifest(
            status="complete",
            rows=sum(part.rows for part in self.parts),
            nbytes=sum(part.nbytes for part in self.parts),
            plan=self.plan,
            parts=self.parts,
        )
        unfinished = self._files.manifest.with_suffix(".unfinished")
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
        unfinished.replace(self._files.manifest)
        self._files.journal.unlink(missing_ok=True)


def whole_parts(files: OutputFiles, parts: list[ExportPart]) -> list[ExportPart]:
    """Read *parts* from the first on, and give back those before the first whose bytes are not those written."""
    start, whole = 0, []
    for part in parts:
        if crc32_of(files.path / part.name if files.is_directory else files.path, start, part.nbytes) != part.crc32:
            break
        whole.append(part)
        start += 0 if files.is_directory else part.nbytes
    return whole


def crc32_of(path: Path, start: int, nbytes: int) -> str | None:
    """Compute the CRC-32 of *nbytes* bytes of a file from *start* on; None where it has fewer."""
    crc = 0
    try:
        with path.open("rb") as file:
            file.seek(start)
            while nbytes and (data := file.read(min(nbytes, READ_BYTES))):
                crc, nbytes = zlib.crc32(data, crc), nbytes - len(data)
    except FileNotFoundError:
        return None
    return None if nbytes else f"{crc:08x}"
