"""Keys in PostgreSQL's statements: lists, arrays, look-ups by index, and temporary tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from mesbatch.errors import InvalidKey, NotSplittable
from mesbatch.source.key_forms import (
    FilterColumn,
    KeyedQuery,
    KeyForms,
    KeysOfRead,
    KeyText,
    StrategyName,
    new_table_name,
)
from mesbatch.source.postgres.filter_column import describe_filter
from mesbatch.source.reals import is_exact_in_double, is_exact_in_real, read_real
from mesbatch.source.session import Session

TEXTS = frozenset({"text", "varchar", "bpchar", "name", "citext"})
NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"})
TIMES = frozenset({"date", "timestamp", "timestamptz"})
# The types that take keys of a Python type; text is read by the server as a value of any type.
TAKES: dict[type, frozenset[str]] = {
    int: NUMBERS | {"oid"},
    float: NUMBERS,
    Decimal: NUMBERS,
    bytes: frozenset({"bytea"}),
    UUID: frozenset({"uuid"}),
    datetime: TIMES,
    date: TIMES,
}
# Text that stands for a value of another type: its order is that of the values, not of their spelling.
READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), int),
    "numeric": Decimal,
    "float4": read_real,
    "float8": float,
    "uuid": UUID,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
}
INTEGERS = {"int2": 2**15, "int4": 2**31, "int8": 2**63}
# In units of the planner's cost, each measured as processor time of both sides, in memory (benchmarks/README.md).
INDEX_GAIN = 5  # an index makes one look-up cheaper than the whole table by more; parallel workers at most by 4
KEY_TABLE_COST = 1_000  # making, filling and dropping a table of keys: 6 ms, when a unit of reading takes 5.4 us
# The planner takes a page that is read by index for dear, and the sort that look-ups save for cheap. So look-ups by an
# index may cost this many times the whole table: for numbers they won at 43 times and lost at 86. Texts that begin
# alike, as ids do, are sorted by comparing them whole, 2 us a row: there look-ups still won at 234 times.
ADVANTAGE = 60
ADVANTAGE_OF_TEXTS = 250
REAL = (
    "real, the type of its column, and PostgreSQL rounds it in some statements and not in others: compare the column "
    "cast to numeric, with keys of type Decimal"
)
DOUBLE = (
    "double precision, the type of its column, which rounds it: pass keys of type float, or compare the column cast to "
    "numeric"
)
_TRAILING_COLUMN = re.compile(r'(?:[\w$]+|"[^"]+")(?:\s*\.\s*(?:[\w$]+|"[^"]+"))*\s*$')


class PostgresKeys(KeyForms):
    """PostgreSQL has every strategy; text is ordered by code point under the collation "C".

    A look-up is the statement once for each key of an array, by index, in the array's order, without a sort. By texts
    it costs 0.7 to 1.05 of the processor time of a temporary table with one ordered statement, whatever the share of a
    table's keys, with the first row after milliseconds. It needs an index on the key's column.
    """

    strategies = frozenset({"in-list", "array", "look-up", "temporary-table"})
    padded_types = frozenset({"bpchar"})
    binds_floats = True  # as double precision; psycopg2 and pg8000 send text, which the server reads as numeric

    def describe_filter(self, session: Session, query: KeyedQuery) -> FilterColumn:
        return describe_filter(session, query, 0)

    def check_type(self, query: KeyedQuery, key_type: type) -> None:
        kind = _kind(query) or ""
        base = next((base for base in key_type.__mro__ if base in TAKES), None)
        if base is None:
            refused = kind in READERS and query.key is not None
        else:
            refused = kind in TEXTS | READERS.keys() | {"bytea"} and kind not in TAKES[base]
        if refused:
            raise InvalidKey(
                f"the keys are of type {key_type.__name__} and their column is {kind}: pass keys of its type, or cast "
                "the column"
            )

    def parser(self, query: KeyedQuery) -> Callable[[str], Any] | None:
        return READERS.get(_kind(query) or "")

    def best(self, session: Session, query: KeyedQuery, keys: KeysOfRead, *, in_parts: bool) -> StrategyName:
        """Look-ups where an index serves them, else one statement for all keys."""
        if query.key is not None and query.column.type is None and query.key.type is None:
            return "in-list"  # only a bind of its own takes a type whose name is not known
        if _look_ups_pay(session, query, keys):
            return "look-up"
        return "temporary-table" if session.owned and "temporary-table" in self.strategies else "array"

    def best_whole(self, session: Session, query: KeyedQuery, keys: KeysOfRead) -> StrategyName:
        if query.column.collation is None and keys.key_type is str:
            return "in-list"
        return super().best_whole(session, query, keys)

    def bound(self, query: KeyedQuery, keys: list[Any]) -> list[Any]:
        return self._fitting(query, keys)

    def array(self, session: Session, query: KeyedQuery, keys: list[Any]) -> KeyText:
        (bind,) = query.statement.placeholders(1)
        collation = _collation(query, keys[0])
        return KeyText(
            f"SELECT unnest({bind}::{self._array_type(query, keys[0])}[]){collation}",
            [self.as_array(self._fitting(query, keys))],
        )

    def look_up(self, session: Session, query: KeyedQuery, keys: list[Any]) -> KeyText:
        """OFFSET 0 keeps the planner from turning the look-ups into a join, which it would then sort."""
        (bind,) = query.statement.placeholders(1)
        head = (
            f"SELECT mesbatch_rows.* FROM unnest({bind}::{self._array_type(query, keys[0])}[]) WITH ORDINALITY "
            "AS mesbatch_keys (key, n)\nCROSS JOIN LATERAL (\n"
        )
        tail = "\nOFFSET 0) AS mesbatch_rows ORDER BY mesbatch_keys.n"
        return KeyText("mesbatch_keys.key", [self.as_array(self._fitting(query, keys))], head, tail)

    def fill_table(self, session: Session, query: KeyedQuery, lists: Iterable[list[Any]], first: Any) -> str:
        table = new_table_name()
        type_, collation = self._array_type(query, first), _collation(query, first)
        session.driver.run(session, f"CREATE TEMP TABLE {table} (key {type_}{collation})")
        self.fill(session, table, (self._fitting(query, keys) for keys in lists), type_)
        return table

    def fill(self, session: Session, table: str, lists: Iterable[list[Any]], type_: str) -> None:
        """Put the keys of *lists*, which are of *type_* in the database, into *table*."""
        for keys in lists:
            with closing(session.connection.cursor()) as cursor:
                cursor.execute(f"INSERT INTO {table} SELECT unnest(%s::{type_}[])", (self.as_array(keys),))

    def as_array(self, keys: list[Any]) -> Any:
        """*keys* as one bind; texts as PostgreSQL's own literal, which psycopg takes 1.4 us a key to write.

        In double quotes only quotes and backslashes are special
        (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO).
        """
        if not isinstance(keys[0], str):
            return keys
        if '"' in (joined := ",".join(keys)) or "\\" in joined:
            keys = [key.replace("\\", "\\\\").replace('"', '\\"') for key in keys]
        return '{"' + '","'.join(keys) + '"}'

    def _array_type(self, query: KeyedQuery, key: Any) -> str:
        if isinstance(key, float) and not self.binds_floats and _kind(query) in INTEGERS.keys() | {"numeric"}:
            return "numeric"
        return _array_type(query, key)

    def _fitting(self, query: KeyedQuery, keys: list[Any]) -> list[Any]:
        if _kind(query) == "float4" and not (self.binds_floats and isinstance(keys[0], float)):
            _check_exact(keys, is_exact_in_real, REAL)
        if _kind(query) == "float8" and keys and not isinstance(keys[0], float):
            _check_exact(keys, is_exact_in_double, DOUBLE)
        return _fitting(query, keys)

    def collation(self, query: KeyedQuery) -> str:
        if query.column.is_enum:
            return '::text COLLATE "C"'
        return ' COLLATE "C"' if (_kind(query) or "text") in TEXTS else ""

    def extends_order(self, collation: str) -> bool:
        """An expression in ORDER BY, such as one with COLLATE, cannot name a column of the result by its position."""
        return not collation


def _look_ups_pay(session: Session, query: KeyedQuery, keys: KeysOfRead) -> bool:
    """True where an index serves them, and where they are so few that reading the table for each is cheaper still.

    The cheaper of two keys counts: one that has most of the rows says nothing of the others.
    """
    statement = query.statement
    column = _TRAILING_COLUMN.search(statement.filter.before_in)
    if statement.filter.column is None or column is None or not len(keys):  # a cast ends with a name, too
        return False
    (bind,) = statement.placeholders(1)
    ends = session.driver.keys.bound(query, [keys.first(), keys.last()])
    costs = [session.driver.cost_of(session, *statement.with_keys(bind, [key])) for key in ends]
    single = min((cost for cost in costs if cost is not None), default=None)
    everything = session.driver.cost_of(session, *statement.with_keys(column.group()))
    if single is None or everything is None:
        return False  # without an index, a thousand times as much
    if single * len(keys) <= everything + KEY_TABLE_COST:
        return True
    advantage = ADVANTAGE_OF_TEXTS if keys.key_type is not None and issubclass(keys.key_type, str) else ADVANTAGE
    return single * INDEX_GAIN <= everything and single * len(keys) <= advantage * everything


def _kind(query: KeyedQuery) -> str | None:
    """The name of the filter's type where it is one of PostgreSQL's own."""
    if query.column.type is None:
        return query.key.type if query.key is not None else None
    return query.column.type.strip('"')


def _collation(query: KeyedQuery, key: Any) -> str:
    """The clause that gives *key* the column's own collation: PostgreSQL makes the keys of an IN distinct under theirs,
    and joins them under the column's, so that two that are equal there would give its rows twice.

    Raises:
        NotSplittable: which collation that is, is not known.
    """
    if not isinstance(key, str):
        return ""
    if query.column.collation is None:
        raise NotSplittable(
            "the filter's column is not known, and this database has collations under which texts that differ are "
            "equal: its keys must stand in one list, as strategy='auto' writes them, up to 65,535; if a column of the "
            "result is the filter's own, name it with key="
        )
    return query.column.collation


def _array_type(query: KeyedQuery, key: Any) -> str:
    """A type that holds *key* exactly and is compared with the column as a bind of the key would be.

    Text takes the column's own type, so that the database compares as it does within the column; a short name is text,
    since a longer key would be cut. Numbers and times take the widest type of their kind: in the column's own, a key
    that does not fit would be an error, or be rounded to one that does.
    """
    kind = _kind(query)
    if isinstance(key, str):
        own = query.column.type or kind
        return "text" if own is None or kind in ("name", "char") else own
    if isinstance(key, int) and kind != "oid":
        return "int8" if kind in INTEGERS else "float8" if kind in ("float4", "float8") else "numeric"
    if isinstance(key, datetime):
        return "timestamp" if key.tzinfo is None else "timestamptz"
    names = {int: "oid", float: "float8", Decimal: "numeric", date: "date", UUID: "uuid", bytes: "bytea"}
    return next(name for base, name in names.items() if isinstance(key, base))


def _check_exact(keys: list[Any], is_exact: Callable[[Any], bool], told: str) -> None:
    """Refuse numbers that the column's type rounds; *told* names it and says what to do.

    ``r IN (0.1, 0.2)`` finds the row of a real 0.1, ``r IN (0.1)`` and an array do not; 2**53 and 2**53 + 1 look up the
    same doubles.

    Raises:
        InvalidKey: there are some.
    """
    for key in keys:
        if not is_exact(key):
            raise InvalidKey(f"the key {key!r} is no number of type {told}")


def _fitting(query: KeyedQuery, keys: list[Any]) -> list[Any]:
    """*keys* without those that the column's type cannot hold: no row has them."""
    kind = _kind(query)
    if keys and isinstance(keys[0], int) and kind in INTEGERS:
        limit = INTEGERS["int8"]
        return [key for key in keys if -limit <= key < limit] or [None]
    if keys and isinstance(keys[0], int) and kind == "oid":
        return [key for key in keys if 0 <= key < 2**32] or [None]
    return keys
