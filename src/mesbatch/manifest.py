"""Manifest of a read: what was expected beside what came, so that nothing gets shorter in silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mesbatch.errors import ReadInterrupted

Status = Literal["reading", "complete", "partial", "truncated", "failed"]


@dataclass(frozen=True, slots=True)
class FailedKeys:
    """Range of keys whose rows are missing, and the error that was the reason.

    Attributes:
        first: The first key of the range.
        last: The last key of the range.
        count: The number of keys in it.
        error: The name and the words of the error.

    >>> FailedKeys(first="a1", last="b2", count=7, error="ConnectionLost: reset").count
    7
    """

    first: Any
    last: Any
    count: int
    error: str


@dataclass(slots=True)
class Manifest:
    """Account of one read, kept while it runs. A part is one statement.

    Attributes:
        status: ``reading`` until the end, then ``complete`` (every part came), ``partial`` (some keys failed and the
            caller had asked for ``on_failure="partial"``), ``truncated`` (closed before its end) or ``failed``.
        parts_planned: Statements that the read consists of.
        parts_read: Statements of which all rows came.
        keys: Distinct keys that were asked for.
        keys_read: Keys of which all rows came.
        rows: Rows that were delivered.
        nbytes: Bytes that these rows held in memory, estimated from samples.
        failed: The keys that are missing, as a list of `FailedKeys`.
        checksum: CRC-32 of the bytes, from the sink that wrote the rows.
        strategy: The way by which keys are read; None without keys.
        one_statement: The reason why one statement reads all keys. Such a read cannot go on after a failure once rows
            were given out.

    >>> import sqlite3
    >>> from mesbatch import read_sql_iter
    >>> reader = read_sql_iter("select 1 as id where id in (:keys)", sqlite3.connect(":memory:"), keys=[1, 2])
    >>> rows = [row for batch in reader for row in batch.rows]
    >>> reader.manifest.status, reader.manifest.keys, reader.manifest.rows
    ('complete', 2, 1)
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
