"""A keyed statement with everything that its text and its database tell of it before it runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mesbatch.batch import Column, find_column
from mesbatch.errors import NotSplittable
from mesbatch.source.key_forms import KeyedQuery
from mesbatch.source.session import Session
from mesbatch.sql.judge import judge
from mesbatch.sql.keyed import KeyedStatement


@dataclass(frozen=True)
class Examined:
    """A keyed statement, described and judged.

    The query's key is the output that is proved, or sworn by the caller, to be the filter's own column; None where
    there is none. *padded* says that its values come padded with blanks. *one_statement* is the reason why the keys
    must not be spread over several statements; None where they may.
    """

    query: KeyedQuery
    padded: bool
    one_statement: NotSplittable | None


def examine(session: Session, statement: KeyedStatement, key: str | None, splittable: bool) -> Examined:
    """Describe *statement* and judge whether it may be read in parts.

    *key* is the caller's oath that this output is the filter's column, and *splittable* that reading in parts does not
    change the meaning.

    Raises:
        KeyColumnError: the caller named a key that is no column of the result.
        The driver's error: the statement is wrong.
    """
    text, params = statement.with_keys("NULL")
    columns = session.driver.columns_of(session, text, params)
    names = None if columns is None else [column.name for column in columns]
    judgement = judge(statement.text, names, splittable=splittable)
    query = KeyedQuery(statement, *_key_of(columns, key, judgement.key_outputs), tuple(names or ()))
    query = replace(query, column=session.driver.keys.describe_filter(session, query))
    padded = query.key is not None and query.key.type in session.driver.keys.padded_types
    if judgement.refusal is not None:
        reason: str | None = judgement.refusal
    elif query.key is None:
        reason = f"{judgement.unproved}; if a column of the result is the filter's own, name it with key="
    elif not query.column.by_code_point:
        reason = (
            f"the database compares {query.key.name!r} otherwise than by code point, so that only it can tell which "
            "keys are equal"
        )
    else:
        reason = None
    return Examined(query, padded, None if reason is None else NotSplittable(reason))


def _key_of(columns: tuple[Column, ...] | None, key: str | None, proved: tuple[int, ...]) -> tuple[Column | None, int]:
    """The key's column, and its position from 1; 0 where the driver does not tell the columns."""
    if columns is None:
        return (Column(key), 0) if key is not None else (None, 0)
    if key is not None:
        index = find_column([column.name for column in columns], key)
        return columns[index], index + 1
    return (columns[proved[0]], proved[0] + 1) if proved else (None, 0)
