"""Manifest of a read: what was expected beside what came, so that nothing gets shorter in silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mesbatch.errors import ReadInterrupted

Status = Literal["reading", "complete", "partial", "truncated", "failed"]


@dataclass(frozen=True, slots=True)
class FailedKeys:
    """Range of keys whose rows are missing, and the error that was the reason."""

    first: Any
    last: Any
    count: int
    error: str


@dataclass(slots=True)
class Manifest:
    """Account of one read, kept while it runs.

    *status* is ``reading`` until the end, then ``complete`` (every part came), ``partial`` (some keys failed and the
    caller had asked for ``on_failure="partial"``), ``truncated`` (closed before its end) or ``failed``. A part is one
    statement. *keys* counts the distinct keys that were asked for, *keys_read* those whose rows all came. *nbytes* are
    the bytes that the rows held in memory, estimated from samples. *checksum* comes from the sink that wrote the rows.
    *strategy* is the one by which keys are read, and *one_statement* the reason why one statement reads all of them:
    such a read cannot go on after a failure once rows were given out.
    """

    status: Status = "reading"
    parts_planned: int = 0
    parts_read: int = 0
    keys: int = 0
    keys_read: int = 0
    rows: int = 0
    nbytes: int = 0
    failed: list[FailedKeys] = field(default_factory=list)
    checksum: str | None = None
    strategy: str | None = None
    one_statement: str | None = None

    @property
    def complete(self) -> bool:
        return self.status == "complete"

    def finish(self) -> None:
        """Note the end of the read: complete, or partial where keys were given up.

        Raises:
            ReadInterrupted: a planned part or a key is missing although nothing failed; this has never been seen.
        """
        failed_keys = sum(failed.count for failed in self.failed)
        if self.parts_read + len(self.failed) != self.parts_planned or self.keys_read + failed_keys != self.keys:
            self.status = "failed"
            raise ReadInterrupted(
                f"the read ended with {self.parts_read:,} of {self.parts_planned:,} parts and {self.keys_read:,} of "
                f"{self.keys:,} keys, and {failed_keys:,} keys failed"
            )
        self.status = "partial" if self.failed else "complete"

    def leave(self, status: Literal["truncated", "failed"]) -> None:
        """Note that the read was left early; a status that was final before stays as it is."""
        if self.status == "reading":
            self.status = status
