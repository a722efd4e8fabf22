"""The parts of an export: begun, filled with rows, ended, and noted in the journal."""

from __future__ import annotations

import sys
from contextlib import suppress

from mesbatch.errors import ExportError
from mesbatch.export.journal import ExportPart, ExportPlan
from mesbatch.export.output import Output
from mesbatch.export.parts import PartWriter, open_part
from mesbatch.export.rows import ReadRows
from mesbatch.export.slices import PartSlice, slice_into_parts
from mesbatch.export.target import Pipe
from mesbatch.keys.resume import EncodedKey
from mesbatch.sink.outlet import CheckedOutlet


def write_rows(rows: ReadRows, output: Output, statement: str, group_bytes: int) -> OutputWriter:
    """Write *rows* to *output*, and its manifest at the end; *statement* is the digest of the statement.

    Raises:
        ExportError: rows that were written before are others now.
    """
    plan = output.plan or _plan(rows, output, statement, group_bytes)
    writer = OutputWriter(rows, output, plan, group_bytes)
    try:
        for some in slice_into_parts(rows, plan.part_rows, rows.key_position):
            writer.write(some)
            del some
        writer.finish()
    except BaseException:
        writer.drop()
        raise
    return writer


def _plan(rows: ReadRows, output: Output, statement: str, group_bytes: int) -> ExportPlan:
    part_rows, group_rows = rows.sizes(group_bytes)
    return ExportPlan(
        format=output.form.format,
        compress=output.form.compression or False,
        statement=statement,
        keyed=rows.key_position is not None,
        part_rows=part_rows if output.resumable else sys.maxsize,
        group_rows=group_rows,
        schema=rows.schema,
    )


class OutputWriter:
    """A writer of slices of rows to *output*, which notes each part that is whole in its journal.

    If parts end at keys, the slices go on after the parts that are whole. Otherwise they begin at the first row again:
    those of known parts go to nowhere, and are compared by checksum.

    *rows*, *nbytes* and *parts* count the output so far.
    """

    def __init__(self, rows: ReadRows, output: Output, plan: ExportPlan, group_bytes: int) -> None:
        self._read, self._plan, self._form, self._group_bytes = rows, plan, output.form, group_bytes
        self._journal, self._target = output.journal(plan), output.target()
        self._known = [] if plan.keyed else output.parts
        self._file: CheckedOutlet | None = None
        self._writer: PartWriter | None = None
        self._rows = 0
        self._last_key: EncodedKey | None = None
        before = output.parts if plan.keyed else []
        self.rows, self.nbytes = sum(part.rows for part in before), sum(part.nbytes for part in before)
        self.parts = len(before)

    def write(self, some: PartSlice) -> None:
        """Write *some* rows, which may begin a part.

        Raises:
            ExportError: a known part had other rows.
        """
        if some.begins or self._writer is None:
            self._end()
            self._writer = self._begin()
        self._writer.write(some.rows)
        self._rows += len(some.rows)
        if some.last_key is not None:  # looked up now, while the reader still has its keys
            self._last_key = self._read.resume_point(some.last_key).encoded

    def finish(self) -> None:
        """End the last part and the output; an output without any row has one part without rows.

        Raises:
            ExportError: there are fewer rows than in the known parts.
        """
        self._end()
        if not self.parts:
            self._writer = self._begin()
            self._end()
        if self.parts < len(self._known):
            raise ExportError(
                f"the statement now has {self.rows:,} rows, fewer than were written before: begin again with --force"
            )
        self._target.finish()
        if self._journal is not None:
            self._journal.finish()

    def drop(self) -> None:
        """Give up the part that is not whole."""
        if self._file is not None and self._writer is not None:
            self._file.shut()
            with suppress(Exception):  # a format cannot be ended any more, and its writer would try when collected
                self._writer.close()
        self._target.drop()

    def _begin(self) -> PartWriter:
        again = self.parts < len(self._known)
        self._file = CheckedOutlet(None if again else self._target.begin(self.parts))
        self._rows = 0
        return open_part(
            self._form,
            self._file,
            self._read.shape,
            group_rows=self._plan.group_rows,
            group_bytes=self._group_bytes,
            first=not (self.parts and self._target.joins),
            stream=isinstance(self._target, Pipe),
        )

    def _end(self) -> None:
        if self._writer is None or self._file is None:
            return
        self._writer.close()
        part = ExportPart(
            name=self._target.name_of(self.parts),
            rows=self._rows,
            nbytes=self._file.nbytes,
            crc32=self._file.crc32,
            last_key=self._last_key,
        )
        if self.parts < len(self._known):
            self._compare(part)
        else:
            self._target.keep()
            if self._journal is not None:
                self._journal.add(part)
        self._writer = self._file = None
        self.rows, self.nbytes, self.parts = self.rows + part.rows, self.nbytes + part.nbytes, self.parts + 1

    def _compare(self, part: ExportPart) -> None:
        if part != self._known[self.parts]:
            raise ExportError(
                f"part {self.parts + 1:,} has other rows than before: the data changed, or the statement has no "
                "ORDER BY that fixes the order of its rows; begin again with --force"
            )
