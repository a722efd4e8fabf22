"""Delivering keys whole: the last key of a fetch is held back until its end has come."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from mesbatch.batch import Row
from mesbatch.errors import ReadInterrupted
from mesbatch.keys.resume import ResumePoint, as_asked
from mesbatch.keys.walk import KeyWalk


class WholeKeys:
    """Cuts the rows of one statement, which come ordered by key, where a key ends.

    *walk* checks the key of every row before it is given out. *resume* is the last key whose rows were all given out:
    a read that fails goes on after it. A key larger than *max_held* bytes is given out as it comes, and is *open_key*
    meanwhile: it cannot be read again without doubling rows.
    """

    def __init__(self, index: int, max_held: int, walk: KeyWalk, key_type: type | None, *, padded: bool) -> None:
        self._index, self._max_held, self._walk = index, max_held, walk
        self._key_type, self._padded = key_type, padded
        self._held: Any = []  # rows
        self.held_bytes = 0
        self.resume: ResumePoint | None = None
        self.open_key: Any = None
        self._refused: set[Any] = set()

    def cut(self, rows: list[Row], nbytes: int) -> list[Row]:
        """Take fetched rows in, and give out those whose key is whole.

        Raises:
            KeyMismatch: a row of another key came, or one out of order.
        """
        self._walk.follow(map(itemgetter(self._index), rows))
        if self._refused and not (rows := self._without_refused(rows)):
            return []
        if self.open_key is not None and rows[0][self._index] != self.open_key:
            self._whole_until(self.open_key)
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

    def key_of(self, row: Row) -> Any:
        """Give the key of *row* as it was asked for."""
        return as_asked(row[self._index], self._key_type, padded=self._padded)

    def refuse(self, row: Row) -> None:
        """Leave out all rows of the key of *row*, which cannot be given.

        Raises:
            KeyMismatch: it is none of the keys.
            ReadInterrupted: rows of it were given out, since it is larger than what is held.
        """
        value = row[self._index]
        self._walk.follow([value])
        if self.open_key is not None and self.open_key == value:
            raise ReadInterrupted(f"key {value!r} was delivered in part when a row of it could not be given")
        self._refused.add(value)
        if self._held:
            self._held = self._without_refused(self._held)
            self.held_bytes = self.held_bytes if self._held else 0

    def _without_refused(self, rows: list[Row]) -> list[Row]:
        return [row for row in rows if row[self._index] not in self._refused]

    def rest(self) -> list[Row]:
        """The statement has ended, so its last key is whole too."""
        rows: list[Row] = self._held
        self._held = []
        if rows:
            self._whole_until(rows[-1][self._index])
        self.open_key = None
        return rows

    def _whole_until(self, value: Any) -> None:
        self.resume = ResumePoint(as_asked(value, self._key_type, padded=self._padded))
        self.open_key = None
