"""An output before it is written: what its name asks for, what lies there, what of it is whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path

from mesbatch.errors import ExportError, OutputExists
from mesbatch.export.formats import extension, find_format
from mesbatch.export.journal import JOURNAL_NAME, VERSION, Journal, Part, Place, Plan, whole_parts
from mesbatch.export.target import DirectoryParts, FilePieces, Pipe, Target, WholeFile
from mesbatch.keys.resume import ResumePoint

FULL = {ENOSPC, EDQUOT, EFBIG}


class Output:
    """The output *out*, in *format* or the one that its name tells; *place* is None for a pipe.

    *plan* and *parts* are those of the run before where *resume* finds one, *complete* says that nothing is missing.

    Raises:
        ExportError: no such format, or one that cannot be resumed.
        OutputExists: something is there, and neither *resume* nor *force* was asked for.
    """

    def __init__(self, out: str, format_: str | None, *, compress: bool, resume: bool, force: bool) -> None:
        directory = out.endswith("/") or Path(out).is_dir()
        self.format = find_format(out, format_, directory=directory)
        self.compress = compress
        self.place = None if out == "-" else Place(Path(out), directory=directory)
        self.resumable = self.place is not None and (directory or self.format == "ndjson")
        self.plan: Plan | None = None
        self.parts: list[Part] = []
        self.complete = False
        if resume and force:
            raise ExportError("resume goes on with an output and force replaces it: ask for one of them")
        if resume and not self.resumable:
            raise ExportError(f"{out}: a {self.format} file cannot be gone on with; write a directory of parts, {out}/")
        if self.place is not None:
            self._look(self.place, resume=resume, force=force)

    def check_same(self, statement: str) -> None:
        """Raise `ExportError` unless what lies here comes from the same statement, in the same format."""
        if self.plan is None:
            return
        for what, before, now in (
            ("format", self.plan.format, self.format),
            ("compression", self.plan.compress, self.compress),
            ("statement, parameters or keys", self.plan.statement, statement),
        ):
            if before != now:
                raise ExportError(f"the output was begun with another {what} ({before}, now {now}): use --force")
        if self.plan.version != VERSION and not self.complete:
            raise ExportError(
                f"the output was begun by another version of mesbatch ({self.plan.version}, now {VERSION}): use --force"
            )

    @property
    def resume_point(self) -> ResumePoint | None:
        """The place after the last key of the whole parts; None where there are none, or they do not end at keys."""
        last_key = self.parts[-1].last_key if self.parts else None
        return None if last_key is None else ResumePoint.decode(last_key)

    @property
    def pads_keys(self) -> bool:
        """Tell whether the key's column pads its values with blanks, as an earlier run found."""
        return self.plan is not None and self.plan.padded

    def finish(self) -> None:
        """Write the manifest of an output whose parts are all whole; only that was missing."""
        if self.place is not None and self.plan is not None:
            self.target().finish()
            Journal(self.place, self.plan, self.parts, kept=True).finish()
        self.complete = True

    def target(self) -> Target:
        """Where the parts go."""
        if self.place is None:
            return Pipe(sys.stdout.buffer)
        if self.place.is_directory:
            return DirectoryParts(self.place, extension(self.format, compress=self.compress))
        return FilePieces(self.place, self.parts) if self.format == "ndjson" else WholeFile(self.place)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """A disk that is full is our error, with what can be done."""
        try:
            yield
        except OSError as error:
            if error.errno not in FULL:
                raise
            more = "free some space and go on with --resume" if self.resumable else "free some space and begin again"
            raise ExportError(
                f"no space left for {self.place and self.place.path}: {error.strerror}; {more}"
            ) from error

    def _look(self, place: Place, *, resume: bool, force: bool) -> None:
        there = [path for path in (place.path, place.manifest, place.journal) if path.is_file()]
        if place.path.is_dir():
            there += list(place.path.iterdir())
        if not there:
            return
        if force:
            _remove(place)
        elif not resume:
            raise OutputExists(f"{there[0]} exists: go on with it by --resume, or replace it by --force")
        elif manifest := place.read_manifest():
            self.plan, self.parts = manifest.plan, whole_parts(place, manifest.parts)
            self.complete = len(self.parts) == len(manifest.parts)
        elif journal := place.read_journal():
            self.plan, self.parts = journal[0], whole_parts(place, journal[1])
        elif any(path not in (place.manifest, place.journal) for path in there):
            raise OutputExists(f"{there[0]} exists and has no {JOURNAL_NAME}: it cannot be gone on with; use --force")


def _remove(place: Place) -> None:
    """Remove an output, but no file that is not one of ours."""
    ours = [place.manifest, place.journal]
    ours += [path.with_suffix(".unfinished") for path in ours]
    if place.is_directory and place.path.is_dir():
        ours += [path for path in place.path.iterdir() if path.name.startswith("part-")]
        if others := [path.name for path in place.path.iterdir() if path not in ours]:
            raise OutputExists(f"{place.path} holds {others[0]!r}, which is none of ours: nothing was removed")
    else:
        ours.append(place.path)
    for path in ours:
        path.unlink(missing_ok=True)
