"""LOBs of a row: read whole, cut in slices or left out, by a policy that looks at their size first."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

from mesbatch.batch import Column, Row
from mesbatch.errors import RowTooLarge, StatementError
from mesbatch.source.oracle.columns import LOB_TYPES, LONG_TYPES
from mesbatch.units import KiB, format_bytes

LobPolicy = Literal["whole", "inline", "slices", "omit", "refuse"]
SLICE = 256 * KiB  # characters or bytes of one round trip
INLINE_LIMIT = 64 * KiB


class LobSlices:
    """A LOB that was not read yet: iterating over it reads a slice at a time, each in one round trip.

    The connection goes back to its pool only when the last of these is gone, and a read that fails takes it away
    from them. *size* counts characters of a CLOB, bytes of a BLOB.

    >>> import io
    >>> def save(value: "str | bytes | LobSlices", file: io.BytesIO) -> None:
    ...     for piece in value if isinstance(value, LobSlices) else [value]:
    ...         file.write(piece if isinstance(piece, bytes) else piece.encode())
    >>> file = io.BytesIO()
    >>> save("a small CLOB", file)
    >>> file.getvalue()
    b'a small CLOB'
    """

    def __init__(self, lob: Any) -> None:
        self._lob = lob
        self.size: int = lob.size()

    def __iter__(self) -> Iterator[str | bytes]:
        for offset in range(1, self.size + 1, SLICE):
            yield self._lob.read(offset, SLICE)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.size:,}>"


class Loan:
    """A connection that is given back once its reader and all its `LobSlices` are done with it."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back = give_back
        self._borrowers = 1
        self._lock = Lock()

    def lend(self, slices: LobSlices) -> None:
        with self._lock:
            self._borrowers += 1
        weakref.finalize(slices, self.end).atexit = False

    def end(self) -> None:
        with self._lock:
            self._borrowers -= 1
            last = self._borrowers == 0
        if last:
            with suppress(Exception):  # a dead connection cannot say goodbye
                self._give_back()


@dataclass(frozen=True)
class LobReader:
    """Makes values of the locators in rows; *limit* is the largest LOB, in characters or bytes, that is read whole."""

    policy: LobPolicy
    limit: int
    columns: dict[int, str]  # names of the LOB columns by their positions
    lend: Callable[[LobSlices], None] | None = None

    def read_rows(self, rows: Sequence[Row], share: int) -> tuple[list[Row], int]:
        """The first of *rows* with their LOBs, as many as make *share* bytes and at least one; and how many those are.

        Raises:
            RowTooLarge: a LOB is larger than the limit; it was not read.
        """
        done: list[Row] = []
        read = 0
        for row in rows:
            values = list(row)
            for position, name in self.columns.items():
                values[position] = value = self._value_of(row[position], name)
                read += len(value) if isinstance(value, str | bytes) else 0
            done.append(tuple(values))
            if read >= share:
                break
        return done, len(done)

    def check(self, rows: Sequence[Row]) -> None:
        """Raise RowTooLarge where a LOB that came with its row is larger than the limit."""
        for position, name in self.columns.items():
            for row in rows:
                if row[position] is not None and len(row[position]) > self.limit:
                    raise self._too_large(name, len(row[position]))

    def _value_of(self, lob: Any, name: str) -> Any:
        if lob is None or self.policy == "omit":
            return None
        if (size := lob.size()) <= self.limit:
            return lob.read() if size else ("" if lob.type.name.endswith("CLOB") else b"")
        if self.policy == "slices":
            slices = LobSlices(lob)
            if self.lend is not None:
                self.lend(slices)
            return slices
        raise self._too_large(name, size)

    def _too_large(self, name: str, size: int) -> RowTooLarge:
        return RowTooLarge(
            f"column {name} holds a LOB of {size:,} characters or bytes, the limit is {format_bytes(self.limit)}: "
            'raise lob_limit or max_bytes, or read it with OracleSource(..., lobs="slices" or "omit")'
        )


def lob_columns(columns: Sequence[Column], policy: LobPolicy) -> dict[int, str]:
    """Positions and names of the LOB columns.

    Raises:
        StatementError: there is one, and the policy refuses them.
    """
    types = LOB_TYPES | LONG_TYPES if policy == "inline" else LOB_TYPES
    found = {i: column.name for i, column in enumerate(columns) if column.type in types}
    if found and policy == "refuse":
        raise StatementError(
            f'the result has LOB columns, which lobs="refuse" does not allow: {", ".join(found.values())}'
        )
    return found
