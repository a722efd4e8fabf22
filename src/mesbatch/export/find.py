"""The files of an output, found by the path or URL that a person writes."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mesbatch.errors import ExportError, InvalidExport
from mesbatch.export.journal import OutputFiles
from mesbatch.export.place import LocalPlace, Place

STORES = ("s3", "gs", "az")
_scheme = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_slashless = re.compile(rf"({'|'.join(STORES)}):")


def find_files(out: str) -> OutputFiles | None:
    """Find the files of the output *out*, which may not exist yet; None for a pipe or device, which has none.

    Raises:
        InvalidExport: *out* is a URL of another kind, or no path.
    """
    if "\0" in out:
        raise InvalidExport(f"a path has no NUL in it: {out!r}")
    if not out:
        raise InvalidExport("the output has no name: name a file, a folder that ends with /, or - for standard output")
    scheme = scheme_of(out)
    if scheme in STORES:
        return _objects(out)
    path = Path(unquote(urlsplit(out).path)) if scheme == "file" else Path(out)
    if out == "-" or (path.exists() and not path.is_file() and not path.is_dir()):
        return None
    if out.endswith("/") or path.is_dir():
        return OutputFiles(LocalPlace(path), None)
    return OutputFiles(LocalPlace(path.parent), path.name)


def find_existing(out: str) -> OutputFiles:
    """Find the files of an output that is there, such as a folder whose name was written without ``/``.

    Raises:
        ExportError: nothing is there.
    """
    files = find_files(out)
    if files is None:
        raise ExportError(f"{out} is no file: what went through it cannot be read again")
    if files.name is not None and files.place.size(files.name) is None and scheme_of(out) in STORES:
        files = _objects(f"{out}/")
    there = files.place.names() if files.name is None else [files.name, files.manifest, files.journal]
    if not any(files.place.size(name) is not None for name in there):
        raise ExportError(f"{files.label} does not exist")
    return files


def scheme_of(out: str) -> str | None:
    """Find the scheme of a URL; None for a path.

    Raises:
        InvalidExport: there is no such target.
    """
    found = _scheme.match(out)
    if found is None:
        if slip := _slashless.match(out):
            raise InvalidExport(f"{out} is a path that looks like a URL: write {slip[1]}://BUCKET/PATH, or ./{out}")
        return None
    scheme = found[1].lower()
    if scheme not in (*STORES, "file"):
        known = ", ".join(f"{store}://" for store in STORES)
        raise InvalidExport(f"no target {scheme}://: write to a path, or to {known} or file://")
    return scheme


def _objects(url: str) -> OutputFiles:
    try:
        from mesbatch.export.objects import ObjectPlace
    except ImportError as error:
        raise InvalidExport(f"{url} needs obstore: pip install 'mesbatch[s3]'") from error
    folder, slash, name = url.rpartition("/")
    place: Place = ObjectPlace.from_url(folder + slash)
    return OutputFiles(place, name or None)
