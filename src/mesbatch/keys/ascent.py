"""The promise of a keyset, checked row by row: its columns are not NULL, of types that order alike, and ascend."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from operator import lt
from typing import Any
from uuid import UUID

from mesbatch.batch import Row, find_column
from mesbatch.errors import KeysetBroken
from mesbatch.keys.moments import at_fixed_offset

TYPES = (int, Decimal, date, datetime, UUID, str)
_ALLOWED = frozenset(TYPES)
_WAY_OUT = "name columns that are unique together; a text needs a binary collation, as by COLLATE in the SQL"


class Ascent:
    """The rows of a read ordered by the columns *names* of *columns*, from the values *after* on.

    The row with these values is known, and is left out. Holds the last row's values.
    """

    def __init__(self, names: Sequence[str], columns: Sequence[str], after: Sequence[Any] | None) -> None:
        self._names = tuple(names)
        self._positions = [find_column(columns, name) for name in names]
        self._last = self._known = None if after is None else tuple(map(at_fixed_offset, after))

    def refuse(self, positions: Collection[int]) -> None:
        """Refuse the columns at *positions*, whose rows come in another order than that in which a place is compared.

        Raises:
            KeysetBroken: one of them is in the keyset.
        """
        if found := next((name for name, at in zip(self._names, self._positions) if at in positions), None):
            raise KeysetBroken(
                f"the keyset column {found!r} is an enum or set, which this database sorts by its members' places and "
                "compares as text, so that rows would be left out: cast it to text in the SQL"
            )

    def check(self, rows: list[Row]) -> list[Row]:
        """Look at *rows*, which follow those before, and return those that are not known already.

        Raises:
            KeysetBroken: a value is NULL or of a type that is no key, or a row does not come after the one before it.
        """
        columns = []
        for name, position in zip(self._names, self._positions):
            values = [row[position] for row in rows]
            kinds = set(map(type, values))
            columns.append(list(map(at_fixed_offset, values)) if datetime in kinds else values)
            if not kinds <= _ALLOWED:
                kind = next(kind for kind in kinds if kind not in _ALLOWED)
                found = "NULL" if kind is type(None) else f"a {kind.__name__}"
                raise KeysetBroken(
                    f"the keyset column {name!r} has {found}: it may have values of int, date, datetime, UUID, Decimal "
                    "or text, and no NULL"
                )
        points = list(zip(*columns))
        if self._known is not None and points and points[0] == self._known:
            rows, points = rows[1:], points[1:]
        self._known = None  # it comes once, and first
        if not rows:
            return rows
        before = [points[0] if self._last is None else self._last, *points[:-1]]
        first = 0 if self._last is not None else 1
        try:
            ascends = all(map(lt, before[first:], points[first:]))
        except (TypeError, ArithmeticError) as error:
            raise KeysetBroken(f"the values of the keyset {', '.join(self._names)} have no order: {error}") from error
        if not ascends:
            one, other = next((a, b) for a, b in zip(before[first:], points[first:]) if not a < b)
            raise KeysetBroken(
                f"a row with {self._told(other)} comes after one with {self._told(one)}: {_WAY_OUT}"
            ).hidden("rows do not ascend by the keyset of their query")
        self._last = points[-1]
        return rows

    def _told(self, point: tuple[Any, ...]) -> str:
        return ", ".join(f"{name}={value!r:.60}" for name, value in zip(self._names, point))
