"""The choice of a strategy for a keyed read: by what the statement allows, then by what the database is good at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from mesbatch.errors import NotSplittable, StatementError
from mesbatch.keys.collect import Keys
from mesbatch.keys.strategy import Array, InList, LookUp, Strategy, TemporaryTable
from mesbatch.source.key_forms import KeyedQuery
from mesbatch.source.session import Session

if TYPE_CHECKING:
    from mesbatch.keys.examine import Examined

StrategyName = Literal["auto", "in-list", "array", "look-up", "temporary-table"]
Order = Literal["key", "any"]
STRATEGIES: dict[str, type[InList | Array | LookUp | TemporaryTable]] = {
    cls.name: cls for cls in (InList, Array, LookUp, TemporaryTable)
}


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
    or because connections share them. The query that is returned has no key where its rows come in no order of keys.

    Raises:
        NotSplittable: the statement must serve all keys at once, and the strategy cannot.
        StatementError: the database does not have the strategy.
    """
    strategy, query = _choose(
        session, examined, keys, name, order, whole=whole, in_parts=order == "any" or parallel > 1
    )
    if strategy.name not in session.driver.keys.strategies:
        raise session.driver.keys.lacks(strategy.name, session)
    return strategy, query


def _choose(
    session: Session, examined: Examined, keys: Keys, name: StrategyName, order: Order, *, whole: bool, in_parts: bool
) -> tuple[Strategy, KeyedQuery]:
    query = examined.query
    if examined.one_statement is not None:
        strategy = _one_statement(session, examined, keys, name)
        is_ordered = order == "key" and not query.column.by_code_point and query.key is not None
        return strategy, query if is_ordered else replace(query, key=None)
    best = session.driver.keys.best(session, query, keys, in_parts=in_parts) if name == "auto" else name
    strategy = STRATEGIES[best]()
    if whole and strategy.keys_per_part is not None:
        if isinstance(strategy, InList) and name != "auto":
            raise StatementError(
                "consistent=True on the caller's own connection needs one statement: strategy 'in-list' has many"
            )
        strategy = LookUp(None) if isinstance(strategy, LookUp) else Array(None)
    unordered = order == "any" and isinstance(strategy, Array | TemporaryTable) and strategy.keys_per_part is None
    return strategy, replace(query, key=None) if unordered else query


def _one_statement(session: Session, examined: Examined, keys: Keys, name: StrategyName) -> Strategy:
    """The strategy that runs the statement once, with all keys in it."""
    reason = examined.one_statement
    if reason is None:
        raise ValueError("the statement may be read in parts")
    best = session.driver.keys.best_whole(session, examined.query, keys) if name == "auto" else name
    if best == "temporary-table":
        return TemporaryTable()
    if best == "array":
        return Array(None)
    most = session.driver.max_binds
    fits = best == "in-list" and len(keys) <= most
    if fits and (name == "auto" or not examined.query.column.by_code_point):
        return InList(None)
    cannot = f"strategy {best!r} has several statements" if name != "auto" else f"one takes at most {most:,} keys here"
    raise NotSplittable(f"{reason}; so one statement must serve all {len(keys):,} keys, and {cannot}")
