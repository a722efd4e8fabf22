"""Choosing the strategy for a keyed read: by what the statement allows, then by what the database is good at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from mesbatch.batch import Column, find_column
from mesbatch.errors import KeyColumnError, NotSplittable, StatementError
from mesbatch.keys.collect import Keys, KeySpool
from mesbatch.keys.strategy import KEYS_PER_LIST, Array, InList, LookUp, Query, Strategy, TemporaryTable
from mesbatch.source.session import Session
from mesbatch.sql.judge import check_splittable
from mesbatch.sql.keyed import KeyedStatement

StrategyName = Literal["auto", "in-list", "array", "look-up", "temporary-table"]
Order = Literal["key", "any"]
STRATEGIES: dict[str, type[InList | Array | LookUp | TemporaryTable]] = {
    cls.name: cls for cls in (InList, Array, LookUp, TemporaryTable)
}
# Look-ups of all keys by index may cost this many times what the planner asks for reading the whole table: measured,
# they still win there (151 s against 264 s for all keys of 10.8 million shuffled rows; the planner says 97 times).
LOOK_UP_ADVANTAGE = 100
_TRAILING_COLUMN = re.compile(r'(?:[\w$]+|"[^"]+")(?:\s*\.\s*(?:[\w$]+|"[^"]+"))*\s*$')


@dataclass(frozen=True)
class KeyedQuery:
    """A keyed statement with what the database says: its key's column, and whether that is padded with blanks."""

    statement: KeyedStatement
    key: Column | None
    position: int  # of the key's column, from 1; 0 where the driver cannot tell
    padded: bool
    not_splittable: NotSplittable | None


def examine(session: Session, statement: KeyedStatement, key: str | None, splittable: bool) -> KeyedQuery:
    """Ask the database for the statement's columns, and its text whether it may be cut by key.

    Raises:
        KeyColumnError: the caller named a key that is no column of the result.
        The driver's error: the statement is wrong.
    """
    text, params = statement.with_keys("NULL")
    columns = session.driver.columns_of(session, text, params)
    name = key or statement.filter.column
    column = _key_column(columns, name, named=key is not None)
    refusal = None if splittable else _refusal(statement.text, name, column)
    padded = column is not None and column.type in session.driver.padded_types
    position = columns.index(column) + 1 if columns and column is not None else 0
    return KeyedQuery(statement, column, position, padded, refusal)


def choose(
    session: Session,
    query: KeyedQuery,
    keys: Keys,
    name: StrategyName,
    order: Order,
    *,
    whole: bool = False,
    parallel: int = 1,
) -> tuple[Strategy, Query]:
    """The strategy, and the query as it shall run; with *whole* one statement must serve all keys.

    With *order* ``any`` or *parallel* above 1 statements for some of the keys are preferred, for the first row's sake
    or because connections share them.

    Raises:
        NotSplittable: the statement cannot be cut, and the strategy would.
    """
    if query.not_splittable is not None:
        return _one_statement(session, query, keys, name), Query(query.statement, None)
    in_parts = order == "any" or parallel > 1
    strategy = STRATEGIES[name]() if name != "auto" else _best(session, query, keys, in_parts=in_parts)
    if whole and strategy.keys_per_part is not None:
        if isinstance(strategy, InList) and name != "auto":
            raise StatementError(
                "consistent=True on the caller's own connection needs one statement: strategy 'in-list' has many"
            )
        strategy = LookUp(None) if isinstance(strategy, LookUp) else Array(None)
    unordered = order == "any" and isinstance(strategy, Array | TemporaryTable) and strategy.keys_per_part is None
    return strategy, Query(query.statement, None if unordered else query.key, query.position)


def _key_column(columns: tuple[Column, ...] | None, name: str | None, *, named: bool) -> Column | None:
    if columns is None:  # a driver that cannot tell; the first rows will
        return Column(name) if name else None
    try:
        return columns[find_column([column.name for column in columns], name)] if name else None
    except KeyColumnError:
        if named:
            raise
        return None


def _refusal(text: str, name: str | None, column: Column | None) -> NotSplittable | None:
    if name is None or column is None:
        return NotSplittable(
            f"the result has no column {name!r} that tells which key a row belongs to: select it, name another with "
            "key=, or use a strategy of one statement ('array', 'temporary-table')"
        )
    try:
        check_splittable(text, name)
    except NotSplittable as error:
        return error
    return None


def _one_statement(session: Session, query: KeyedQuery, keys: Keys, name: StrategyName) -> Strategy:
    """The statement for all keys at once, whose meaning is then its own."""
    assert query.not_splittable is not None
    known = session.driver.name in {"sqlite", "postgres", "oracle"}
    if name == "temporary-table" or (name == "auto" and known and session.owned and isinstance(keys, KeySpool)):
        return TemporaryTable()
    if name == "array" or (name == "auto" and known):
        return Array(None)
    raise query.not_splittable


def _best(session: Session, query: KeyedQuery, keys: Keys, *, in_parts: bool) -> Strategy:
    """Measured on each database: `python -m benchmarks keyed` shows every strategy beside this choice."""
    if session.driver.name == "sqlite" and session.owned and not in_parts and _is_worth_a_table(keys):
        return TemporaryTable()  # 0.8 of the time of sorted lists, whatever the share of the table: no text, no binds
    if session.driver.name != "postgres":
        return InList()
    if query.key is not None and query.key.type is None:
        return InList()  # an enum or an extension's type: only a bind of its own takes it whatever it is called
    if _look_ups_pay(session, query.statement, keys):
        return LookUp()
    return TemporaryTable() if session.owned else Array(None)


def _is_worth_a_table(keys: Keys) -> bool:
    return len(keys) > KEYS_PER_LIST and keys.key_type is not None and issubclass(keys.key_type, str | int | float)


def _look_ups_pay(session: Session, statement: KeyedStatement, keys: Keys) -> bool:
    """Whether the planner sees an index: without one, each look-up reads the whole table.

    The cheaper of two keys counts: one that has most of the rows says nothing of the others.
    """
    column = _TRAILING_COLUMN.search(statement.filter.before_in)
    if column is None or not len(keys):
        return False
    (bind,) = statement.placeholders(1)
    ends = (next(keys.slices(lambda: 1))[0], keys.last())
    costs = [session.driver.cost_of(session, *statement.with_keys(bind, [key])) for key in ends]
    single = min((cost for cost in costs if cost is not None), default=None)
    everything = session.driver.cost_of(session, *statement.with_keys(column.group()))
    return single is None or everything is None or single * len(keys) <= LOOK_UP_ADVANTAGE * everything
