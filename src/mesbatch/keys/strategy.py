"""Ways to ask for the rows of many keys: which statements there are, and how keys get into them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from mesbatch.errors import StatementError
from mesbatch.keys.collect import Keys
from mesbatch.keys.resume import ResumePoint
from mesbatch.source.key_forms import KEYS_PER_LIST, KeyedQuery, KeyText
from mesbatch.source.session import Params, Rows, Session

LIST_SHAPES = (1, 10, 100, KEYS_PER_LIST)  # few texts, so that statement caches hold them all
KEYS_PER_ARRAY = 10_000  # one bind of about 0.2 MB; arrays of 1,000 cost 15 % more time on PostgreSQL

PLACE = "mesbatch_keys_stand_here"


@dataclass(frozen=True)
class Part:
    """The keys of one statement: a list, or all keys of the read where one statement serves them all."""

    keys: list[Any] | Keys
    first: Any
    last: Any
    count: int

    def lists(self, size: int = KEYS_PER_ARRAY) -> Iterator[list[Any]]:
        """The keys again, in lists of at most *size*."""
        if isinstance(self.keys, list):
            yield from (self.keys[i : i + size] for i in range(0, len(self.keys), size))
        else:
            yield from self.keys.slices(lambda: size)

    def after(self, point: ResumePoint) -> Part:
        """The keys above *point*."""
        if isinstance(self.keys, list):
            keys: list[Any] | Keys = self.keys[bisect_right(self.keys, point.key) :]
        else:
            keys = self.keys.above(point.key)
        rest = Part(keys, None, self.last, len(keys))
        return replace(rest, first=next(rest.lists(1))[0]) if rest.count else rest

    def flat(self) -> list[Any]:
        """All keys as one list."""
        return [key for some in self.lists() for key in some]


class Strategy(Protocol):
    """A way to turn keys into statements; *keys_per_part* keys go into one, None means all."""

    name: str
    keys_per_part: int | None

    def start(self, session: Session, query: KeyedQuery, part: Part, max_bytes: int) -> Rows:
        """Run the statement for the keys of *part*."""


class InList:
    """``IN (?, ?, ...)``: works everywhere; padded to few shapes by repeating the last key."""

    name = "in-list"

    def __init__(self, keys_per_part: int | None = KEYS_PER_LIST) -> None:
        self.keys_per_part = keys_per_part

    def start(self, session: Session, query: KeyedQuery, part: Part, max_bytes: int) -> Rows:
        keys = session.driver.keys.bound(query, part.flat())
        shape = next((shape for shape in LIST_SHAPES if shape >= len(keys)), len(keys))
        values = keys + [keys[-1]] * (shape - len(keys))
        inside = ", ".join(query.statement.placeholders(shape))
        return session.execute(*_in_order(session, query, KeyText(inside, values)), max_bytes)


class Array:
    """One array in one bind: PostgreSQL's ``unnest``, SQLite's ``json_each``, Oracle's ``sys.odcivarchar2list``."""

    name = "array"

    def __init__(self, keys_per_part: int | None = KEYS_PER_ARRAY) -> None:
        self.keys_per_part = keys_per_part

    def start(self, session: Session, query: KeyedQuery, part: Part, max_bytes: int) -> Rows:
        text = session.driver.keys.array(session, query, part.flat())
        return session.execute(*_in_order(session, query, text), max_bytes)


class LookUp:
    """The statement once for each key of an array, by index, in the array's order."""

    name = "look-up"

    def __init__(self, keys_per_part: int | None = KEYS_PER_ARRAY) -> None:
        self.keys_per_part = keys_per_part

    def start(self, session: Session, query: KeyedQuery, part: Part, max_bytes: int) -> Rows:
        if query.key is None:
            raise StatementError("strategy 'look-up' needs the key's column in the result")
        text = session.driver.keys.look_up(session, query, part.flat())
        return session.execute(*_written(query, text), max_bytes)


class TemporaryTable:
    """All keys in a temporary table, and one statement whose rows stream in the order of the keys."""

    name = "temporary-table"
    keys_per_part: int | None = None

    def start(self, session: Session, query: KeyedQuery, part: Part, max_bytes: int) -> Rows:
        table = session.driver.keys.fill_table(session, query, part.lists(), part.first)
        try:
            text = KeyText(session.driver.keys.table_keys(query, table, part.first), [])
            rows = session.execute(*_in_order(session, query, text), max_bytes)
        except BaseException:
            _drop(session, table)
            raise
        return _RowsThen(rows, lambda: _drop(session, table))


class _RowsThen:
    """Rows with something to do once they are closed."""

    def __init__(self, rows: Rows, then: Callable[[], None]) -> None:
        self.columns, self.fetch, self.schema = rows.columns, rows.fetch, getattr(rows, "schema", None)
        self._rows, self._then = rows, then
        self._open = True

    def close(self) -> None:
        if self._open:
            self._open = False
            self._rows.close()
            self._then()


def _written(query: KeyedQuery, text: KeyText) -> tuple[str, Params]:
    return query.statement.with_keys(text.inside, text.values, head=text.head, tail=text.tail)


def _in_order(session: Session, query: KeyedQuery, text: KeyText) -> tuple[str, Params]:
    """The statement with its keys, ordered by key where *query* has one."""
    if query.key is None:
        return _written(query, text)
    # Ordered before the keys are in it: 1,000 binds take 6 ms to look through.
    ordered = session.driver.keys.in_order(query.statement.with_keys(PLACE)[0], query)
    return ordered.replace(PLACE, text.inside, 1), _written(query, text)[1]


def _drop(session: Session, table: str) -> None:
    """Drop *table* if the connection can; an error here would stand before the one that ended the read.

    It cannot in a transaction that has failed, whose end drops the table.
    """
    for remove in session.driver.keys.table_removals(table):
        with suppress(Exception):
            session.driver.run(session, remove)
            return
