"""Choosing the strategy for a keyed read: by what the statement allows, then by what the database is good at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mesbatch.batch import Column, find_column
from mesbatch.errors import KeyColumnError, NotSplittable, StatementError
from mesbatch.keys.collect import Keys, SpooledKeys
from mesbatch.keys.strategy import Array, InList, LookUp, Strategy, TemporaryTable
from mesbatch.source.key_forms import KeyedQuery
from mesbatch.source.session import Session
from mesbatch.sql.keyed import KeyedStatement
from mesbatch.sql.splittable import check_splittable

StrategyName = Literal["auto", "in-list", "array", "look-up", "temporary-table"]
Order = Literal["key", "any"]
STRATEGIES: dict[str, type[InList | Array | LookUp | TemporaryTable]] = {
    cls.name: cls for cls in (InList, Array, LookUp, TemporaryTable)
}


@dataclass(frozen=True)
class Examined:
    """A keyed statement with what the database says: its key's column, and whether that is padded with blanks."""

    statement: KeyedStatement
    key: Column | None
    position: int  # of the key's column, from 1; 0 where the driver cannot tell
    padded: bool
    not_splittable: NotSplittable | None


def examine(session: Session, statement: KeyedStatement, key: str | None, splittable: bool) -> Examined:
    """Ask the database for the statement's columns, and its text whether it may be cut by key.

    Raises:
        KeyColumnError: the caller named a key that is no column of the result.
        The driver's error: the statement is wrong.
    """
    text, params = statement.with_keys("NULL")
    columns = session.driver.columns_of(session, text, params)
    name = key or statement.place.column
    column = _key_column(columns, name, named=key is not None)
    refusal = None if splittable else _refusal(statement.text, name, column)
    padded = column is not None and column.type in session.driver.keys.padded_types
    position = columns.index(column) + 1 if columns and column is not None else 0
    return Examined(statement, column, position, padded, refusal)


def choose(
    session: Session,
    examined: Examined,
    keys: Keys,
    name: StrategyName,
    order: Order,
    *,
    whole: bool = False,
    parallel: int = 1,
) -> tuple[Strategy, KeyedQuery]:
    """The strategy, and the query as it shall run; with *whole* one statement must serve all keys.

    With *order* ``any`` or *parallel* above 1 statements for some of the keys are preferred, for the first row's sake
    or because connections share them.

    Raises:
        NotSplittable: the statement cannot be cut, and the strategy would.
    """
    if examined.not_splittable is not None:
        return _one_statement(session, examined, keys, name), KeyedQuery(examined.statement, None)
    query = KeyedQuery(examined.statement, examined.key, examined.position)
    in_parts = order == "any" or parallel > 1
    best = session.driver.keys.best(session, query, keys, in_parts=in_parts) if name == "auto" else name
    strategy: Strategy = STRATEGIES[best]()
    if whole and strategy.keys_per_part is not None:
        if isinstance(strategy, InList) and name != "auto":
            raise StatementError(
                "consistent=True on the caller's own connection needs one statement: strategy 'in-list' has many"
            )
        strategy = LookUp(None) if isinstance(strategy, LookUp) else Array(None)
    unordered = order == "any" and isinstance(strategy, Array | TemporaryTable) and strategy.keys_per_part is None
    return strategy, KeyedQuery(query.statement, None) if unordered else query


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


def _one_statement(session: Session, examined: Examined, keys: Keys, name: StrategyName) -> Strategy:
    """The statement for all keys at once, whose meaning is then its own."""
    assert examined.not_splittable is not None
    known = session.driver.keys.strategies
    spooled = session.owned and isinstance(keys, SpooledKeys) and "temporary-table" in known
    if name == "temporary-table" or (name == "auto" and spooled):
        return TemporaryTable()
    if name == "array" or (name == "auto" and "array" in known):
        return Array(None)
    raise examined.not_splittable
