"""The files beside an output: a journal while it is written, the manifest once it is whole."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Annotated

import msgspec

from mesbatch.codec.not_json import NOT_JSON
from mesbatch.errors import CorruptChunk, ExportError
from mesbatch.export.place import LocalPlace, Place
from mesbatch.keys.resume import EncodedKey
from mesbatch.units import MiB

VERSION = 2  # 1 kept the last key of a part as the database spelled it
READ_BYTES = 1 * MiB
MANIFEST_NAME, JOURNAL_NAME = "manifest.json", "journal.ndjson"

# A file beside an output may be damaged: one with a number or a name that cannot be is no manifest.
Count = Annotated[int, msgspec.Meta(ge=0)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]+$")]


class ExportPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The choices that decide the bytes of an output; a resumed export must make the same.

    *compress* names the compression, or is False; manifests of version 0.1 say True, for gzip of lines and zstd of
    columns. *statement* is a digest of SQL, parameters and keys. *part_rows* and *group_rows* were measured at the
    first rows, and *schema* is that of the record batches, as Arrow serialises it. *keyed* says that parts end where a
    key does.
    """

    version: int = VERSION
    format: str
    compress: bool | str
    statement: str
    keyed: bool
    part_rows: int
    group_rows: int
    schema: bytes | None = None


class ExportPart(msgspec.Struct, frozen=True, kw_only=True):
    """A whole part: a file of a directory, or a piece of one file; *crc32* is of its bytes.

    *last_key* is the key of its last rows, as it was asked for; None where parts do not end at keys.
    """

    name: Name
    rows: Count
    nbytes: Count
    crc32: str
    last_key: EncodedKey | None = None


class ExportManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The account of an output that is whole; `verify` returns it.

    Attributes:
        status: ``complete``, or ``partial`` where keys are missing.
        rows: Rows of the output.
        nbytes: Bytes of the output.
        plan: The choices that decide its bytes, such as format and compression.
        parts: Its parts, each with its name, rows, bytes and CRC-32.

    >>> plan = ExportPlan(format="csv", compress=False, statement="", keyed=False, part_rows=1000, group_rows=1000)
    >>> part = ExportPart(name="ids.csv", rows=1, nbytes=7, crc32="5f0e2c1b")
    >>> ExportManifest(status="complete", rows=1, nbytes=7, plan=plan, parts=[part]).parts[0].rows
    1
    """

    status: str
    rows: Count
    nbytes: Count
    plan: ExportPlan
    parts: list[ExportPart]


class OutputFiles:
    """The files of an output in *place*: the file *name*, or without one all parts there, with manifest and journal."""

    def __init__(self, place: Place, name: str | None) -> None:
        self.place, self.name = place, name
        self.label = place.label if name is None else f"{place.label}{name}"
        prefix = "" if name is None else f"{name}."
        self.manifest, self.journal = f"{prefix}{MANIFEST_NAME}", f"{prefix}{JOURNAL_NAME}"

    @property
    def local_path(self) -> Path | None:
        """The path of a single file that bytes can be added to; None for a folder or an object."""
        return self.place.folder / self.name if self.name and isinstance(self.place, LocalPlace) else None

    def read_manifest(self) -> ExportManifest | None:
        """Read the manifest; None where the output is not whole.

        Raises:
            CorruptChunk: it is no manifest of ours.
        """
        data = self.place.read(self.manifest)
        try:
            return None if data is None else msgspec.json.decode(data, type=ExportManifest)
        except NOT_JSON as error:
            raise CorruptChunk(f"{self.place.label}{self.manifest} is no manifest: {error}") from error

    def read_journal(self) -> tuple[ExportPlan, list[ExportPart]] | None:
        """Read the journal of an unfinished output, without a line that was cut off; None where there is none."""
        lines = (self.place.read(self.journal) or b"").split(b"\n")[:-1]
        try:
            return msgspec.json.decode(lines[0], type=ExportPlan), [
                msgspec.json.decode(line, type=ExportPart) for line in lines[1:]
            ]
        except IndexError:
            return None
        except NOT_JSON as error:
            journal = f"{self.place.label}{self.journal}"
            raise ExportError(f"{journal} is no journal of ours: {error}; begin again with --force") from error


class Journal:
    """The journal of an unfinished output: a line for each part, written once the part is whole.

    *parts* are whole already. Unless it is *kept*, it is only in memory.
    """

    def __init__(self, files: OutputFiles, plan: ExportPlan, parts: list[ExportPart], *, kept: bool) -> None:
        self.plan, self.parts = plan, list(parts)
        self._files, self._kept = files, kept
        if kept:
            files.place.write(files.journal, b"".join(msgspec.json.encode(line) + b"\n" for line in (plan, *parts)))
            files.place.remove(files.manifest)

    def add(self, part: ExportPart) -> None:
        """Note that *part* is whole."""
        if self._kept:
            self._files.place.append(self._files.journal, msgspec.json.encode(part) + b"\n")
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
        place = self._files.place
        place.write(self._files.manifest, msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
        if self._kept:
            place.remove(self._files.journal)


def whole_parts(files: OutputFiles, parts: list[ExportPart]) -> list[ExportPart]:
    """Read *parts* from the first on, and give back those before the first whose bytes are not those written."""
    start, whole = 0, []
    for part in parts:
        if crc32_of(files.place, part.name, start, part.nbytes) != part.crc32:
            break
        whole.append(part)
        start += 0 if files.name is None else part.nbytes
    return whole


def crc32_of(place: Place, name: str, start: int, nbytes: int) -> str | None:
    """Compute the CRC-32 of *nbytes* bytes of a file from *start* on; None where it has fewer."""
    crc = 0
    try:
        with place.open(name) as file:
            file.seek(start)
            while nbytes and (data := file.read(min(nbytes, READ_BYTES))):
                crc, nbytes = zlib.crc32(data, crc), nbytes - len(data)
    except FileNotFoundError:
        return None
    return None if nbytes else f"{crc:08x}"
