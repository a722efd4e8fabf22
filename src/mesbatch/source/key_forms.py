"""Ways in which a database takes the keys of a read; each database's folder says which it has and what each costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

from mesbatch.batch import Column
from mesbatch.errors import StatementError
from mesbatch.source.session import Session
from mesbatch.sql.keyed import KeyedStatement
from mesbatch.sql.query import find_order_by

StrategyName = Literal["in-list", "array", "look-up", "temporary-table"]

KEYS_PER_LIST = 1_000  # Oracle refuses longer IN lists (ORA-01795), and nobody else gains from them

_table_numbers = count()  # temporary tables of two reads on one connection need different names


@dataclass(frozen=True)
class FilterColumn:
    """The knowledge of a database about the column that ``:keys`` is compared with.

    *type* is how its type is written in a cast, None where that is not known. *by_code_point* is False where values
    that differ in their characters may be equal, or are ordered otherwise: then only the database may compare them.
    *is_enum* says that its values are ordered by their place in the type. *collation* is the clause that gives keys
    outside of the statement's list the collation of the column: empty where any does, None where it is not known and
    keys that differ may be equal under it.
    """

    type: str | None = None
    by_code_point: bool = True
    is_enum: bool = False
    collation: str | None = ""


@dataclass(frozen=True)
class KeyedQuery:
    """A keyed statement and the column of its result that tells which key a row belongs to.

    *key* is None where no column is known to do that, or where rows come as the statement gives them. *position* counts
    the columns from 1 to the key's; 0 where the driver cannot tell before the rows come. *names* are those of all
    columns.
    """

    statement: KeyedStatement
    key: Column | None
    position: int = 0
    names: tuple[str, ...] = ()
    column: FilterColumn = field(default_factory=FilterColumn)

    @property
    def is_checked(self) -> bool:
        """True where every row's key is held against the keys that were asked for, in their order."""
        return self.key is not None and self.column.by_code_point


class KeyText(NamedTuple):
    """Text in place of ``:keys``, around the statement, and the values of its binds; see `KeyedStatement.with_keys`."""

    inside: str
    values: list[Any]
    head: str = ""
    tail: str = ""


class KeysOfRead(Protocol):
    """The distinct ascending keys of a read, as far as a choice between strategies looks at them."""

    key_type: type | None
    on_disk: bool

    def __len__(self) -> int: ...

    def first(self) -> Any: ...

    def last(self) -> Any: ...


class KeyForms:
    """The knowledge of one kind of database about keys; the base is DB-API's own: IN lists of binds.

    *strategies* are those that it has. Values of *padded_types* come padded with blanks.
    """

    strategies: frozenset[StrategyName] = frozenset({"in-list"})
    padded_types: frozenset[str] = frozenset()

    def describe_filter(self, session: Session, query: KeyedQuery) -> FilterColumn:
        """Ask the database for the filter's column.

        What cannot be asked is left as if it compared by code point: the rows are then checked one by one.
        """
        return FilterColumn()

    def check_type(self, query: KeyedQuery, key_type: type) -> None:
        """Raise InvalidKey where the filter's column is known to have no values of *key_type*."""

    def parser(self, query: KeyedQuery) -> Callable[[str], Any] | None:
        """The conversion of text, such as that of a file, into keys of the column's type; None where keys are text.

        It raises ValueError or ArithmeticError for a text that is no value of the type.
        """
        return None

    def best(self, session: Session, query: KeyedQuery, keys: KeysOfRead, *, in_parts: bool) -> StrategyName:
        """The fastest strategy for *keys*; *in_parts* says that several statements are wanted, for the first row's sake
        or because connections share them."""
        return "in-list"

    def best_whole(self, session: Session, query: KeyedQuery, keys: KeysOfRead) -> StrategyName:
        """The strategy that brings all of *keys* into one statement."""
        if "temporary-table" in self.strategies and session.owned and keys.on_disk:
            return "temporary-table"
        return "array" if "array" in self.strategies else "in-list"

    def bound(self, query: KeyedQuery, keys: list[Any]) -> list[Any]:
        """The values that are bound for *keys*, as the database compares them with the key's column."""
        return keys

    def sorts_otherwise(self, column: Column) -> bool:
        """Tell whether ORDER BY puts the values of *column* into another order than ``>`` compares them with a bind.

        So are enums that are sorted by their place in the type, and compared as text: no read can go on after one.
        """
        return False

    def bound_place(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """The values that are bound for a place to go on from, which has one of each column of a keyset."""
        return values

    def array(self, session: Session, query: KeyedQuery, keys: list[Any]) -> KeyText:
        """All of *keys* in one bind, or in few."""
        raise NotImplementedError

    def look_up(self, session: Session, query: KeyedQuery, keys: list[Any]) -> KeyText:
        """The statement once for each of *keys*, in their order."""
        raise NotImplementedError

    def fill_table(self, session: Session, query: KeyedQuery, lists: Iterable[list[Any]], first: Any) -> str:
        """Make a temporary table whose column *key* holds the keys of *lists*, of which *first* is the first; its name.

        The transaction of the caller's own connection goes on.
        """
        raise NotImplementedError

    def table_keys(self, query: KeyedQuery, table: str, first: Any) -> str:
        """The SELECT of all keys of a temporary table, of which *first* is the first."""
        return f"SELECT key FROM {table}"

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
        """*sql* ordered by the key of *query*, and by its own terms within a key.

        Keys that compare by code point ascend as Python orders them, others as their column orders them.
        """
        key, order = query.key, find_order_by(sql)
        if key is None:
            return sql
        name = query.statement.written(self.quoted(key.name))
        collation = self.collation(query) if query.column.by_code_point else ""
        # A name may be ambiguous among joined tables, and not every database quotes one as the standard does.
        term = str(query.position) if query.position and self.extends_order(collation) else name
        if order.is_one_select and not order.is_limited and not order.is_locking and self.extends_order(collation):
            terms = f", {order.terms}" if order.terms else ""
            return f"{order.before}\nORDER BY {term}{collation}{terms} {order.after}"
        self.check_wrapping(query)
        if query.names and (order.terms or _is_repeated(key.name, query)):
            return self.numbered(sql, query, collation)
        return f"SELECT * FROM (\n{sql}\n) mesbatch_rows ORDER BY {term}{collation}"

    def check_wrapping(self, query: KeyedQuery) -> None:
        """Raise ColumnNameError where the database takes no derived table with the columns of *query*."""

    def quoted(self, name: str) -> str:
        """*name* in the quotes that are around names."""
        return quoted(name)

    def numbered(self, sql: str, query: KeyedQuery, collation: str) -> str:
        """*sql*, whose rows are numbered in its own order, ordered by key and then by number."""
        return _numbered(sql, query, collation)

    def collation(self, query: KeyedQuery) -> str:
        """The words after a term of ORDER BY that make the key ascend by code point."""
        return ""

    def extends_order(self, collation: str) -> bool:
        """True where a key with *collation* may stand before the terms of the statement's own ORDER BY."""
        return True


def _is_repeated(name: str, query: KeyedQuery) -> bool:
    """True where two columns have *name*, which then orders nothing; databases differ in whether its case counts."""
    return [one.casefold() for one in query.names].count(name.casefold()) > 1


def _numbered(sql: str, query: KeyedQuery, collation: str) -> str:
    """*sql*, whose rows are numbered in its own order, ordered by key and then by number."""
    columns = [f"c{i}" for i in range(1, len(query.names) + 1)]
    outputs = ", ".join(
        f"{column} AS {query.statement.written(quoted(name))}" for column, name in zip(columns, query.names)
    )
    return (
        f"SELECT {outputs} FROM (SELECT mesbatch_rows.*, row_number() OVER () FROM (\n{sql}\n) mesbatch_rows) "
        f"AS numbered ({', '.join(columns)}, n) ORDER BY numbered.c{query.position}{collation}, numbered.n"
    )


def quoted(name: str) -> str:
    """*name* as an identifier of standard SQL."""
    return '"' + name.replace('"', '""') + '"'


def uuids_as_text(values: Iterable[Any]) -> list[Any]:
    """*values* for a driver that writes no UUID."""
    return [str(value) if isinstance(value, UUID) else value for value in values]


def new_table_name(prefix: str = "") -> str:
    """A name that no other temporary table of this process has."""
    return f"{prefix}mesbatch_keys_{next(_table_numbers)}"
