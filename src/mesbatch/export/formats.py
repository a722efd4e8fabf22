"""The formats of an export, as the names of files tell them."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal, NamedTuple, get_args

from mesbatch.errors import InvalidExport

Format = Literal["csv", "ndjson", "parquet", "arrow"]
Compression = Literal["gzip", "zstd"]
FORMATS: tuple[Format, ...] = get_args(Format)
EXTENSIONS: dict[str, Format] = {
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
}
COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}
LINES = frozenset({"csv", "ndjson"})  # their parts may be joined, compressed or not


class Form(NamedTuple):
    """The format of an output, and the compression of its bytes or, in Parquet and Arrow, of what is inside."""

    format: Format
    compression: Compression | None

    @property
    def is_lines(self) -> bool:
        return self.format in LINES

    @property
    def extension(self) -> str:
        """The end of the names of parts."""
        endings = {compression: ending for ending, compression in COMPRESSIONS.items()}
        return f".{self.format}{endings[self.compression] if self.is_lines and self.compression else ''}"


def find_form(name: str, wanted: str | None, *, compress: bool, is_file: bool) -> Form:
    """Find the form of the output *name*: the *wanted* format or that of the name, which only a file has.

    Raises:
        InvalidExport: there is no such format, the name tells none, or it tells another.
    """
    if wanted is not None and wanted not in FORMATS:
        raise InvalidExport(f"no format {wanted!r}; the formats are {', '.join(FORMATS)}")
    suffixes = PurePath(name).suffixes if is_file else []
    compression = COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    suffix = "".join(suffixes[-2:-1] if compression else suffixes[-1:])
    format_ = _agree(name, suffix, wanted)
    if format_ not in LINES:
        if compression:
            raise InvalidExport(f"{name}: {format_} is compressed inside, by --compress, and has no {suffixes[-1]}")
        return Form(format_, "zstd" if compress else None)
    if compress and is_file and compression is None:
        raise InvalidExport(f"compressed lines have a name that says so: write to {name}.gz or {name}.zst")
    return Form(format_, compression or ("gzip" if compress else None))


def _agree(name: str, suffix: str, wanted: str | None) -> Format:
    named = EXTENSIONS.get(suffix)
    if wanted is not None and named is not None and named != wanted:
        raise InvalidExport(f"the name {name} says {named}, the format is to be {wanted}")
    for format_ in FORMATS:
        if format_ == (wanted or named):
            return format_
    what = f"the extension {suffix!r}" if suffix else f"the name {name}"
    raise InvalidExport(
        f"{what} says no format: use --format with one of {', '.join(FORMATS)}, or one of the extensions "
        f"{', '.join(EXTENSIONS)}; .gz or .zst may follow those of lines"
    )
