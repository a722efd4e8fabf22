"""The parts of an output, begun, ended and written down."""

from __future__ import annotations

from contextlib import suppress

from mesbatch.errors import ExportError
from mesbatch.export.cut import Piece
from mesbatch.export.formats import PartWriter, open_part
from mesbatch.export.journal import Journal, Part, Plan
from mesbatch.export.rows import ReadRows
from mesbatch.export.target import Pipe, Target
from mesbatch.keys.resume import EncodedKey
from mesbatch.sink.outlet import CheckedOutlet


class PartsWriter:
    """Writes pieces into *target*, and the parts that are whole into *journal*.

    The parts *whole* are there. With *again* the pieces begin with theirs, which go to nowhere and are compared by
    checksum; otherwise with what follows.
    """

    def __init__(
        self,
        target: Target,
        plan: Plan,
        rows: ReadRows,
        group_bytes: int,
        journal: Journal | None,
        whole: list[Part],
        *,
        again: bool,
    ) -> None:
        self._target, self._plan, self._read, self._group_bytes = target, plan, rows, group_bytes
        self._journal, self._known = journal, list(whole) if again else []
        self._file: CheckedOutlet | None = None
        self._writer: PartWriter | None = None
        self._rows = 0
        self._last_key: EncodedKey | None = None
        before = [] if again else whole
        self.rows, self.nbytes = sum(part.rows for part in before), sum(part.nbytes for part in before)
        self.parts = len(before)

    def write(self, piece: Piece) -> None:
        """Write the rows of *piece*, which may begin a part.

        Raises:
            ExportError: a known part had other rows.
        """
        if piece.begins:
            self._end()
            self._begin()
        assert self._writer is not None
        self._writer.write(piece.rows)
        self._rows += len(piece.rows)
        if piece.last_key is not None:  # now, while the reader still has its keys
            self._last_key = self._read.resume_point(piece.last_key).encoded

    def finish(self) -> None:
        """The last part is whole; without any row there is one part without rows."""
        self._end()
        if not self.parts:
            self._begin()
            self._end()
        if self.parts < len(self._known):
            raise ExportError(
                f"the statement now has {self.rows:,} rows, fewer than were written before: begin again with --force"
            )
        self._target.finish()

    def drop(self) -> None:
        """Give up the part that is not whole."""
        if self._file is not None and self._writer is not None:
            self._file.shut()
            with suppress(Exception):  # a format cannot be ended any more, and its writer would try when collected
                self._writer.close()
        self._target.drop()

    def _begin(self) -> None:
        again = self.parts < len(self._known)
        self._file = CheckedOutlet(None if again else self._target.begin(self.parts))
        stream = isinstance(self._target, Pipe)
        self._writer = open_part(self._plan, self._file, self._read.shape, group_bytes=self._group_bytes, stream=stream)
        self._rows = 0

    def _end(self) -> None:
        if self._writer is None or self._file is None:
            return
        self._writer.close()
        part = Part(
            name=self._target.name_of(self.parts),
            rows=self._rows,
            nbytes=self._file.nbytes,
            crc32=self._file.crc32,
            last_key=self._last_key,
        )
        if self.parts < len(self._known):
            if part != self._known[self.parts]:
                raise ExportError(
                    f"part {self.parts + 1:,} has other rows than before: the data changed, or the statement has no "
                    "ORDER BY that fixes the order of its rows; begin again with --force"
                )
        else:
            self._target.keep()
            if self._journal is not None:
                self._journal.add(part)
        self._writer = self._file = None
        self.rows, self.nbytes, self.parts = self.rows + part.rows, self.nbytes + part.nbytes, self.parts + 1
