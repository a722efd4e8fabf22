"""An output before it is written: its format, the files that are there, and the parts that are whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path

from mesbatch.errors import ExportError, InvalidExport, OutputExists
from mesbatch.export.find import find_files
from mesbatch.export.formats import find_form
from mesbatch.export.journal import JOURNAL_NAME, VERSION, ExportPart, ExportPlan, Journal, OutputFiles, whole_parts
from mesbatch.export.place import UNFINISHED
from mesbatch.export.target import Device, JoinedParts, Pipe, SeparateParts, Target, WholeFile
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
        self.label = out
        self.files = find_files(out)
        is_file = self.files is not None and self.files.name is not None
        self.form = find_form(out, format_, compress=compress, is_file=is_file)
        joined = self.files is not None and self.files.local_path is not None and self.form.is_lines
        self.resumable = self.files is not None and (not is_file or joined)
        self.plan: ExportPlan | None = None
        self.parts: list[ExportPart] = []
        self.complete = False
        if resume and force:
            raise InvalidExport("resume goes on with an output and force replaces it: ask for one of them")
        if resume and not self.resumable:
            what = "a pipe" if self.files is None else f"one {self.form.format} file"
            raise InvalidExport(f"{out}: {what} cannot be gone on with; write a folder of parts, such as {out}/")
        if self.files is not None:
            self._look(self.files, resume=resume, force=force)

    def check_same(self, statement: str) -> None:
        """Raise `ExportError` unless the parts that are here have the same statement, format and version."""
        if self.plan is None:
            return
        for what, before, now in (
            ("format", self.plan.format, self.form.format),
            ("compression", _compression(self.plan), self.form.compression or False),
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
            return Pipe(sys.stdout.buffer) if self.label == "-" else Device(Path(self.label))
        if self.files.name is None:
            return SeparateParts(self.files.place, self.form.extension)
        path = self.files.local_path
        if path is None or not self.form.is_lines:
            return WholeFile(self.files.place, self.files.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return JoinedParts(path, self.parts)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Raise our error for a disk that is full, with the way to go on."""
        try:
            yield
        except OSError as error:
            if error.errno not in FULL:
                raise
            more = "free some space and go on with --resume" if self.resumable else "free some space and begin again"
            raise ExportError(f"no space left for {self.label}: {error.strerror}; {more}") from error

    def _look(self, files: OutputFiles, *, resume: bool, force: bool) -> None:
        there = _files_there(files)
        if not there:
            return
        if force:
            _remove(files, there)
        elif not resume:
            more = "go on with it by --resume, or replace it by --force" if self.resumable else "replace it by --force"
            raise OutputExists(f"{files.place.label}{there[0]} exists: {more}")
        elif manifest := files.read_manifest():
            self.plan, self.parts = manifest.plan, whole_parts(files, manifest.parts)
            self.complete = len(self.parts) == len(manifest.parts)
            if self.complete:
                files.place.remove(files.journal)  # which a run that ended behind its manifest left
        elif journal := files.read_journal():
            self.plan, self.parts = journal[0], whole_parts(files, journal[1])
        elif any(name.removesuffix(UNFINISHED) not in (files.manifest, files.journal) for name in there):
            first = f"{files.place.label}{there[0]}"
            raise OutputExists(f"{first} exists and has no {JOURNAL_NAME}: it cannot be gone on with; use --force")


def _files_there(files: OutputFiles) -> list[str]:
    if files.name is None:
        return files.place.names()
    return [name for name in (files.name, files.manifest, files.journal) if files.place.size(name) is not None]


def _remove(files: OutputFiles, there: list[str]) -> None:
    """Remove an output, but no file of somebody else."""
    ours = {files.manifest, files.journal, files.name}
    ours |= {f"{name}{UNFINISHED}" for name in ours}
    others = [name for name in there if name not in ours and not name.startswith("part-")]
    if others:
        raise OutputExists(f"{files.label} holds {others[0]!r}, which is none of ours: nothing was removed")
    for name in there:
        files.place.remove(name)


def _compression(plan: ExportPlan) -> str | bool:
    """Name the compression of a plan, as manifests of version 0.1 did not."""
    if plan.compress is True:
        return "gzip" if plan.format == "ndjson" else "zstd"
    return plan.compress
