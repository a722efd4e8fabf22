"""Delivering keys whole: the last key of a fetch is held back until its end has come."""

from __future__ import annotations

from typing import Any

from mesbatch.batch import Row
from mesbatch.errors import KeyMismatch
from mesbatch.keys.resume import ResumePoint


class WholeKeys:
    """Cuts the rows of one statement, which come ordered by key, where a key ends.

    *resume* is the last key whose rows were all given out: a read that fails goes on after it. A key larger than
    *max_held* bytes is given out as it comes, and is *open_key* meanwhile: it cannot be read again without doubling
    rows.
    """

    def __init__(self, index: int, max_held: int, first: Any, last: Any, *, ascending: bool, padded: bool) -> None:
        self._index, self._max_held, self._padded = index, max_held, padded
        self._low, self._high, self._ascending = first, last, ascending
        self._held: Any = []  # rows
        self.held_bytes = 0
        self.resume: ResumePoint | None = None
        self.open_key: Any = None

    def cut(self, rows: list[Row], nbytes: int) -> list[Row]:
        """Take fetched rows in, and give out those whose key is whole."""
        self._check((self._held or rows)[0][self._index], rows[-1][self._index])
        rows = self._held + rows if self._held else rows
        index, last = self._index, rows[-1][self._index]
        start = len(rows) - 1 if rows[0][index] != last else 0  # a key that has all rows is not looked for in each
        while start and rows[start - 1][index] == last:
            start -= 1
        if start:
            self._whole_until(rows[start - 1][index])
            self._held, self.held_bytes = rows[start:], nbytes * (len(rows) - start) // len(rows)
            return rows[:start]
        if self.held_bytes + nbytes < self._max_held and self.open_key is None:
            self._held, self.held_bytes = rows, self.held_bytes + nbytes
            return []
        self._held, self.held_bytes, self.open_key = [], 0, last
        return rows

    def rest(self) -> list[Row]:
        """The statement has ended, so its last key is whole too."""
        rows: list[Row] = self._held
        self._held = []
        if rows:
            self._whole_until(rows[-1][self._index])
        self.open_key = None
        return rows

    def _whole_until(self, key: Any) -> None:
        self._low = self._key(key)
        self.resume = ResumePoint(self._low)
        self.open_key = None

    def _check(self, first: Any, last: Any) -> None:
        """The ends of what came lie in what was asked for, and go on where the rows before them ended."""
        if not self._ascending:
            return
        first, last = self._key(first), self._key(last)
        try:
            fits = self._low <= first <= last <= self._high
        except TypeError:
            fits = False
        if not fits:
            raise KeyMismatch(
                f"rows came for keys {first!r} to {last!r}, but {self._low!r} to {self._high!r} were due: the column "
                "compares otherwise than Python does (type, case or collation); pass keys of its type, or use "
                "order='any' with one statement"
            )

    def _key(self, value: Any) -> Any:
        """A key as it was asked for: CHAR columns give theirs padded with blanks."""
        return value.rstrip(" ") if self._padded else value
