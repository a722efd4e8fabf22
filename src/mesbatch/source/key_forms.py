"""Ways in which a database takes the keys of a read; each database's folder says which it has and what each costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, NamedTuple, Protocol

from mesbatch.batch import Column
from mesbatch.errors import StatementError
from mesbatch.source.session import Session
from mesbatch.sql.keyed import KeyedStatement
from mesbatch.sql.query import find_order

Strategies = Literal["in-list", "array", "look-up", "temporary-table"]

KEYS_PER_LIST = 1_000  # Oracle refuses longer IN lists (ORA-01795), and nobody else gains from them

_table_numbers = count()  # temporary tables of two reads on one connection need different names


@dataclass(frozen=True)
class KeyedQuery:
    """A keyed statement and the column of its result that tells which key a row belongs to.

    *key* is None where no column does, or where rows come as the statement gives them. *position* counts the columns
    from 1 to the key's; 0 where the driver cannot tell before the rows come.
    """

    statement: KeyedStatement
    key: Column | None
    position: int = 0


class KeyText(NamedTuple):
    """Text in place of ``:keys``, around the statement, and the values of its binds; see `KeyedStatement.with_keys`."""

    inside: str
    values: list[Any]
    head: str = ""
    tail: str = ""


class KeysOfRead(Protocol):
    """The distinct ascending keys of a read, as far as a choice between strategies looks at them."""

    key_type: type | None

    def __len__(self) -> int: ...

    def first(self) -> Any: ...

    def last(self) -> Any: ...


class KeyForms:
    """The knowledge of one kind of database about keys; the base is DB-API's own: IN lists of binds.

    *strategies* are those that it has. Values of *padded_types* come padded with blanks.
    """

    strategies: frozenset[Strategies] = frozenset({"in-list"})
    padded_types: frozenset[str] = frozenset()

    def best(self, session: Session, query: KeyedQuery, keys: KeysOfRead, *, in_parts: bool) -> Strategies:
        """The fastest strategy for *keys*; *in_parts* says that several statements are wanted, for the first row's sake
        or because connections share them."""
        return "in-list"

    def bound(self, query: KeyedQuery, keys: list[Any]) -> list[Any]:
        """The values that are bound for *keys*, as the database compares them with the key's column."""
        return keys

    def array(self, session: Session, query: KeyedQuery, keys: list[Any]) -> KeyText:
        """All of *keys* in one bind, or in few."""
        raise self.lacks("array", session)

    def look_up(self, session: Session, query: KeyedQuery, keys: list[Any]) -> KeyText:
        """The statement once for each of *keys*, in their order."""
        raise self.lacks("look-up", session)

    def fill_table(self, session: Session, query: KeyedQuery, lists: Iterable[list[Any]], first: Any) -> str:
        """Make a temporary table whose column *key* holds the keys of *lists*, of which *first* is the first; its name.

        The transaction of the caller's own connection goes on.
        """
        raise self.lacks("temporary-table", session)

    def table_removals(self, table: str) -> tuple[str, ...]:
        """Statements that remove a temporary table, in the order in which they are tried until one succeeds."""
        return (f"DROP TABLE {table}",)

    def lacks(self, strategy: str, session: Session) -> StatementError:
        """The error for a strategy that this database does not have."""
        known = ", ".join(repr(name) for name in sorted(self.strategies))
        return StatementError(
            f"strategy {strategy!r} is not known for a {session.driver.dialect} connection: use {known}"
        )

    def in_order(self, sql: str, query: KeyedQuery) -> str:
        """*sql* ordered by the key of *query* as Python orders keys, and by its own terms within a key."""
        key, order = query.key, find_order(sql)
        if key is None:
            return sql
        name = '"' + key.name.replace('"', '""') + '"'
        if order.is_one_select and not order.is_limited and not order.is_locking and self.extends_order(query):
            term = str(query.position) if query.position else name  # a name may be ambiguous among joined tables
            terms = f", {order.terms}" if order.terms else ""
            return f"{order.before}\nORDER BY {term}{self.collation(key)}{terms} {order.after}"
        self.check_wrapped(sql, query)
        return f"SELECT * FROM (\n{sql}\n) mesbatch_rows ORDER BY {name}{self.collation(key)}"

    def collation(self, key: Column) -> str:
        """The words after a term of ORDER BY that make text of the column *key* ascend by code point."""
        return ""

    def extends_order(self, query: KeyedQuery) -> bool:
        """True where the key may stand before the terms of the statement's own ORDER BY."""
        return True

    def check_wrapped(self, sql: str, query: KeyedQuery) -> None:
        """Raise StatementError where *sql* as a derived table would lose an order that the caller asked for."""


def new_table_name(prefix: str = "") -> str:
    """A name that no other temporary table of this process has."""
    return f"{prefix}mesbatch_keys_{next(_table_numbers)}"
