"""Keys in PostgreSQL's statements: lists, arrays, look-ups by index, and temporary tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from mesbatch.batch import Column
from mesbatch.errors import StatementError
from mesbatch.source.key_forms import KeyedQuery, KeyForms, KeysOfRead, KeyText, Strategies, new_table_name
from mesbatch.source.session import Session
from mesbatch.sql.query import find_order

TYPES: dict[type, str] = {
    str: "text",
    int: "numeric",
    bytes: "bytea",
    float: "float8",
    Decimal: "numeric",
    datetime: "timestamptz",
    date: "date",
    UUID: "uuid",
}
# A key that does not fit into the column's own type equals no row; in its own type it would be an error, or be cut.
WIDER_TYPES = {"int2": "int8", "int4": "int8", "float4": "float8", "name": "text"}
COLLATED = {"text", "varchar", "bpchar", "name", "citext"}  # the types that have a collation
# Look-ups of all keys by index may cost this many times what the planner asks for reading the whole table: measured,
# they still win there (151 s against 264 s for all keys of 10.8 million shuffled rows; the planner says 97 times).
LOOK_UP_ADVANTAGE = 100
_TRAILING_COLUMN = re.compile(r'(?:[\w$]+|"[^"]+")(?:\s*\.\s*(?:[\w$]+|"[^"]+"))*\s*$')


class PostgresKeys(KeyForms):
    """PostgreSQL has every strategy; text is ordered by code point under the collation "C".

    A look-up is the statement once for each key of an array, by index, in the array's order, without a sort. Measured
    against a temporary table with one ordered statement: 2.5 times as fast for 1 % of a table's keys, 1.4 times for
    10 %, 1.7 times for all of them, with the first row after milliseconds. It needs an index on the key's column.
    """

    strategies = frozenset({"in-list", "array", "look-up", "temporary-table"})
    padded_types = frozenset({"bpchar"})

    def best(self, session: Session, query: KeyedQuery, keys: KeysOfRead, *, in_parts: bool) -> Strategies:
        """Look-ups where an index serves them, else one statement for all keys."""
        if query.key is not None and query.key.type is None:
            return "in-list"  # an enum or an extension's type: only a bind of its own takes it whatever it is called
        if _look_ups_pay(session, query, keys):
            return "look-up"
        return "temporary-table" if session.owned and "temporary-table" in self.strategies else "array"

    def array(self, session: Session, query: KeyedQuery, keys: list[Any]) -> KeyText:
        (bind,) = query.statement.placeholders(1)
        return KeyText(f"SELECT unnest({bind}::{_type_of(query, keys[0])}[])", [_as_array(keys)])

    def look_up(self, session: Session, query: KeyedQuery, keys: list[Any]) -> KeyText:
        """OFFSET 0 keeps the planner from turning the look-ups into a join, which it would then sort."""
        (bind,) = query.statement.placeholders(1)
        head = (
            f"SELECT mesbatch_rows.* FROM unnest({bind}::{_type_of(query, keys[0])}[]) WITH ORDINALITY "
            "AS mesbatch_keys (key, n)\nCROSS JOIN LATERAL (\n"
        )
        tail = "\nOFFSET 0) AS mesbatch_rows ORDER BY mesbatch_keys.n"
        return KeyText("mesbatch_keys.key", [_as_array(keys)], head, tail)

    def fill_table(self, session: Session, query: KeyedQuery, lists: Iterable[list[Any]], first: Any) -> str:
        table = new_table_name()
        session.driver.run(session, f"CREATE TEMP TABLE {table} (key {_type_of(query, first)})")
        with session.connection.cursor() as cursor, cursor.copy(f"COPY {table} (key) FROM STDIN") as copy:
            for keys in lists:
                for key in keys:
                    copy.write_row((key,))
        return table

    def collation(self, key: Column) -> str:
        return ' COLLATE "C"' if key.type in COLLATED else ""

    def extends_order(self, query: KeyedQuery) -> bool:
        """An expression in ORDER BY, such as one with COLLATE, cannot name a column of the result by its position."""
        return query.key is None or query.key.type not in COLLATED

    def check_wrapped(self, sql: str, query: KeyedQuery) -> None:
        if not self.extends_order(query) and find_order(sql).terms:
            raise StatementError(
                "on PostgreSQL only strategy 'look-up' keeps the statement's own ORDER BY within a key: leave it out, "
                "or read with order='any' and strategy 'temporary-table', which keeps it as a whole"
            )


def _look_ups_pay(session: Session, query: KeyedQuery, keys: KeysOfRead) -> bool:
    """True where the planner sees an index: without one, each look-up reads the whole table.

    The cheaper of two keys counts: one that has most of the rows says nothing of the others.
    """
    statement = query.statement
    column = _TRAILING_COLUMN.search(statement.place.before_in)
    if column is None or not len(keys):
        return False
    (bind,) = statement.placeholders(1)
    ends = (keys.first(), keys.last())
    costs = [session.driver.cost_of(session, *statement.with_keys(bind, [key])) for key in ends]
    single = min((cost for cost in costs if cost is not None), default=None)
    everything = session.driver.cost_of(session, *statement.with_keys(column.group()))
    return single is None or everything is None or single * len(keys) <= LOOK_UP_ADVANTAGE * everything


def _type_of(query: KeyedQuery, key: Any) -> str:
    """The type of the key's column; without one in the result, the type that such keys have as a rule."""
    if query.key is not None and query.key.type:
        return WIDER_TYPES.get(query.key.type, query.key.type)
    return TYPES[next((base for base in type(key).__mro__ if base in TYPES), str)]


def _as_array(keys: list[Any]) -> Any:
    """*keys* as one bind; texts as PostgreSQL's own literal, which psycopg takes 1.4 us a key to write.

    In double quotes only quotes and backslashes are special
    (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO).
    """
    if not isinstance(keys[0], str):
        return keys
    if '"' in (joined := ",".join(keys)) or "\\" in joined:
        keys = [key.replace("\\", "\\\\").replace('"', '\\"') for key in keys]
    return '{"' + '","'.join(keys) + '"}'
