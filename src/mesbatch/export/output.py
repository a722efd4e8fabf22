"""An output before it is written: its format, the files that are there, and the parts that are whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path

from mesbatch.errors import ExportError, OutputExists
from mesbatch.export.formats import extension, find_format
from mesbatch.export.journal import JOURNAL_NAME, VERSION, ExportPart, ExportPlan, Journal, OutputFiles, whole_parts
from mesbatch.export.target import DirectoryParts, JoinedParts, Pipe, Target, WholeFile
from mesbatch.keys.resume import ResumePoint

FULL = {ENOSPC, EDQUOT, EFBIG}


class Output:
    """The output *out*, in *format* or the one that its name tells; *files* is None for a pipe.

    *plan* and *parts* are those of an earlier run that *resume* goes on with; *complete* says that nothing is missing.

    Raises:
        ExportError: no such format, or one that cannot be resumed.
        OutputExists: there is something, and neither *resume* nor *force* was asked for.
    """

    def __init__(self, out: str, format_: str | None, *, compress: bool, resume: bool, force: bool) -> None:
        directory = out.endswith("/") or Path(out).is_dir()
        self.format = find_format(out, format_, directory=directory)
        self.compress = compress
        self.files = None if out == "-" else OutputFiles(Path(out), directory=directory)
        self.resumable = self.files is not None and (directory or self.format == "ndjson")
        self.plan: ExportPlan | None = None
        self.parts: list[ExportPart] = []
        self.complete = False
        if resume and force:
            raise ExportError("resume goes on with an output and force replaces it: ask for one of them")
        if resume and not self.resumable:
            raise ExportError(f"{out}: a {self.format} file cannot be gone on with; write a directory of parts, {out}/")
        if self.files is not None:
            self._look(self.files, resume=resume, force=force)

    def check_same(self, statement: str) -> None:
        """Raise `ExportError` unless the parts that are here have the same statement, format and version."""
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
    def rows(self) -> int:
        """The rows of the parts that are whole."""
        return sum(part.rows for part in self.parts)

    @property
    def resume_point(self) -> ResumePoint | None:
        """The last key of the whole parts; None where there are none, or they do not end at keys."""
        last_key = self.parts[-1].last_key if self.parts else None
        return None if last_key is None else ResumePoint.decode(last_key)

    def finish(self) -> None:
        """Write the manifest of an output whose parts are all whole."""
        if self.plan is not None and (journal := self.journal(self.plan)) is not None:
            self.target().finish()
            journal.finish()
        self.complete = True

    def journal(self, plan: ExportPlan) -> Journal | None:
        """Begin the journal, with the parts that are whole; None for a pipe."""
        return None if self.files is None else Journal(self.files, plan, self.parts, kept=self.resumable)

    def target(self) -> Target:
        """Open the target that takes the parts."""
        if self.files is None:
            return Pipe(sys.stdout.buffer)
        if self.files.is_directory:
            return DirectoryParts(self.files, extension(self.format, compress=self.compress))
        return JoinedParts(self.files, self.parts) if self.format == "ndjson" else WholeFile(self.files)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Raise our error for a disk that is full, with the way to go on."""
        try:
            yield
        except OSError as error:
            if error.errno not in FULL:
                raise
            more = "free some space and go on with --resume" if self.resumable else "free some space and begin again"
            raise ExportError(
                f"no space left for {self.files and self.files.path}: {error.strerror}; {more}"
            ) from error

    def _look(self, files: OutputFiles, *, resume: bool, force: bool) -> None:
        there = [path for path in (files.path, files.manifest, files.journal) if path.is_file()]
        if files.path.is_dir():
            there += list(files.path.iterdir())
        if not there:
            return
        if force:
            _remove(files)
        elif not resume:
            raise OutputExists(f"{there[0]} exists: go on with it by --resume, or replace it by --force")
        elif manifest := files.read_manifest():
            self.plan, self.parts = manifest.plan, whole_parts(files, manifest.parts)
            self.complete = len(self.parts) == len(manifest.parts)
        elif journal := files.read_journal():
            self.plan, self.parts = journal[0], whole_parts(files, journal[1])
        elif any(path not in (files.manifest, files.journal) for path in there):
            raise OutputExists(f"{there[0]} exists and has no {JOURNAL_NAME}: it cannot be gone on with; use --force")


def _remove(files: OutputFiles) -> None:
    """Remove an output, but no file of somebody else."""
    ours = [files.manifest, files.journal]
    ours += [path.with_suffix(".unfinished") for path in ours]
    if files.is_directory and files.path.is_dir():
        ours += [path for path in files.path.iterdir() if path.name.startswith("part-")]
        if others := [path.name for path in files.path.iterdir() if path not in ours]:
            raise OutputExists(f"{files.path} holds {others[0]!r}, which is none of ours: nothing was removed")
    else:
        ours.append(files.path)
    for path in ours:
        path.unlink(missing_ok=True)
