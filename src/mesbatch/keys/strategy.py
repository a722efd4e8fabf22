"""Ways to ask for the rows of many keys: the text that each one writes, and how the keys get into it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import count
from typing import Any, Protocol
from uuid import UUID

from mesbatch.batch import Column
from mesbatch.errors import InvalidKey, StatementError
from mesbatch.keys.collect import Keys
from mesbatch.source.oracle.keys import KEYS_PER_LIST_TYPE, PREFIX, array_expression, fill_table, pad_keys
from mesbatch.source.session import Params, Rows, Session
from mesbatch.sql.keyed import KeyedStatement
from mesbatch.sql.query import find_order_by

KEYS_PER_LIST = 1_000  # Oracle refuses longer IN lists (ORA-01795), and nobody else gains from them
LIST_SHAPES = (1, 10, 100, KEYS_PER_LIST)  # few texts, so that statement caches hold them all
KEYS_PER_ARRAY = 10_000  # one bind of about 0.2 MB; arrays of 1,000 cost 15 % more time on PostgreSQL
POSTGRES_TYPES: dict[type, str] = {
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
COLLATED = {"text", "varchar", "bpchar", "name", "citext"}  # PostgreSQL's types that have a collation

PLACE = "mesbatch_keys_stand_here"

_numbers = count()  # temporary tables of two reads on one connection need different names


@dataclass(frozen=True)
class Query:
    """A statement with its key's column; without one (*key* is None) its rows come as the statement gives them.

    *position* counts the columns of the result from 1 to the key's; 0 where the driver cannot tell before the rows
    come.
    """

    statement: KeyedStatement
    key: Column | None
    position: int = 0

    def write(self, session: Session, inside: str, values: list[Any]) -> tuple[str, Params]:
        """The text for the keys *inside*, ordered by key as Python orders them: text by code point."""
        text, params = self.statement.with_keys(inside, values)
        if self.key is None:
            return text, params
        # Ordered before the keys are in it: 1,000 binds take 6 ms to look through.
        ordered = _ordered(self.statement.with_keys(PLACE)[0], self.key, self.position, session.driver.name)
        return ordered.replace(PLACE, inside, 1), params


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


class Strategy(Protocol):
    """How keys become statements; *keys_per_part* is how many of them one statement takes, None means all."""

    name: str
    keys_per_part: int | None

    def start(self, session: Session, query: Query, part: Part, max_bytes: int) -> Rows:
        """Run the statement for the keys of *part*."""


class InList:
    """``IN (?, ?, ...)``: works everywhere; padded to few shapes by repeating the last key."""

    name = "in-list"

    def __init__(self, keys_per_part: int = KEYS_PER_LIST) -> None:
        self.keys_per_part: int | None = keys_per_part

    def start(self, session: Session, query: Query, part: Part, max_bytes: int) -> Rows:
        (keys,) = part.lists(KEYS_PER_LIST)
        shape = next(shape for shape in LIST_SHAPES if shape >= len(keys))
        padded = keys + [keys[-1]] * (shape - len(keys))
        if session.driver.name == "oracle":
            padded = pad_keys(padded, query.key)
        text, params = query.write(session, ", ".join(query.statement.placeholders(shape)), padded)
        return session.execute(text, params, max_bytes)


class Array:
    """One array in one bind: PostgreSQL's ``unnest``, SQLite's ``json_each``, Oracle's ``sys.odcivarchar2list``."""

    name = "array"

    def __init__(self, keys_per_part: int | None = KEYS_PER_ARRAY) -> None:
        self.keys_per_part = keys_per_part

    def start(self, session: Session, query: Query, part: Part, max_bytes: int) -> Rows:
        keys = [key for some in part.lists() for key in some]
        if session.driver.name == "oracle":
            binds = query.statement.placeholders(-(-len(keys) // KEYS_PER_LIST_TYPE))
            expression, values = array_expression(session, binds, pad_keys(keys, query.key))
        else:
            (bind,) = query.statement.placeholders(1)
            expression, value = _array(session, query, bind, keys)
            values = [value]
        text, params = query.write(session, expression, values)
        return session.execute(text, params, max_bytes)


class LookUp:
    """PostgreSQL: the statement once for each key of an array, by index, in the array's order, without a sort.

    Measured against a temporary table with one ordered statement: 2.5 times as fast for 1 % of a table's keys, 1.4
    times for 10 %, 1.7 times for all of them, with the first row after milliseconds. It needs an index on the key's
    column.
    """

    name = "look-up"

    def __init__(self, keys_per_part: int | None = KEYS_PER_ARRAY) -> None:
        self.keys_per_part = keys_per_part

    def start(self, session: Session, query: Query, part: Part, max_bytes: int) -> Rows:
        if session.driver.name != "postgres" or query.key is None:
            raise StatementError("strategy 'look-up' needs PostgreSQL, and the key's column in the result")
        keys = [key for some in part.lists() for key in some]
        (bind,) = query.statement.placeholders(1)
        # OFFSET 0 keeps the planner from turning the look-ups into a join, which it would then sort.
        text, params = query.statement.with_keys(
            "mesbatch_keys.key",
            [_postgres_array(keys)],
            head=f"SELECT mesbatch_rows.* FROM unnest({bind}::{_postgres_type(query, keys)}[]) WITH ORDINALITY "
            "AS mesbatch_keys (key, n)\nCROSS JOIN LATERAL (\n",
            tail="\nOFFSET 0) AS mesbatch_rows ORDER BY mesbatch_keys.n",
        )
        return session.execute(text, params, max_bytes)


class TemporaryTable:
    """All keys in a temporary table, and one statement whose rows stream in the order of the keys."""

    name = "temporary-table"
    keys_per_part: int | None = None

    def start(self, session: Session, query: Query, part: Part, max_bytes: int) -> Rows:
        prefix = PREFIX if session.driver.name == "oracle" else ""
        table = f"{prefix}mesbatch_keys_{next(_numbers)}"
        fill = {"sqlite": _fill_sqlite, "postgres": _fill_postgres, "oracle": _fill_oracle}.get(session.driver.name)
        if fill is None:
            raise StatementError(f"strategy 'temporary-table' is not known for a {session.driver.name} connection")
        fill(session, query, part, table)
        try:
            text, params = query.write(session, f"SELECT key FROM {table}", [])
            rows = session.execute(text, params, max_bytes)
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


def _ordered(sql: str, key: Column, position: int, driver: str) -> str:
    """*sql* ordered by its key first and by its own terms within a key."""
    term = '"' + key.name.replace('"', '""') + '"'
    order = find_order_by(sql)
    if driver == "postgres" and key.type in COLLATED:
        term += ' COLLATE "C"'
        if order.terms:  # there an expression in ORDER BY cannot name a column of the result
            raise StatementError(
                "on PostgreSQL only strategy 'look-up' keeps the statement's own ORDER BY within a key: leave it out, "
                "or read with order='any' and strategy 'temporary-table', which keeps it as a whole"
            )
    elif order.is_one_select and not order.is_limited and not order.is_locking:
        term = str(position) if position else term  # by name it is ambiguous where two joined tables have it
        term += " COLLATE BINARY" if driver == "sqlite" else ""
        return f"{order.before}\nORDER BY {term}{', ' + order.terms if order.terms else ''} {order.after}"
    return f"SELECT * FROM (\n{sql}\n) mesbatch_rows ORDER BY {term}"


def _array(session: Session, query: Query, bind: str, keys: list[Any]) -> tuple[str, Any]:
    """The expression that is a list of *keys*, and the value of its one bind."""
    match session.driver.name:
        case "sqlite":
            return f"SELECT value FROM json_each({bind})", _json(keys)
        case "postgres":
            return f"SELECT unnest({bind}::{_postgres_type(query, keys)}[])", _postgres_array(keys)
    raise StatementError(f"strategy 'array' is not known for a {session.driver.name} connection: use 'in-list'")


def _postgres_type(query: Query, keys: list[Any]) -> str:
    """The type of the key's column; without one in the result, the type that such keys have as a rule."""
    if query.key is not None and query.key.type:
        return WIDER_TYPES.get(query.key.type, query.key.type)
    return POSTGRES_TYPES[next((base for base in type(keys[0]).__mro__ if base in POSTGRES_TYPES), str)]


def _postgres_array(keys: list[Any]) -> Any:
    """*keys* as one bind; texts as PostgreSQL's own literal, which psycopg takes 1.4 us a key to write.

    In double quotes only quotes and backslashes are special
    (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO).
    """
    if not isinstance(keys[0], str):
        return keys
    if '"' in (joined := ",".join(keys)) or "\\" in joined:
        keys = [key.replace("\\", "\\\\").replace('"', '\\"') for key in keys]
    return '{"' + '","'.join(keys) + '"}'


def _json(keys: list[Any]) -> str:
    if keys and not isinstance(keys[0], str | int | float):
        raise InvalidKey(
            f"SQLite takes an array of text or numbers, not of {type(keys[0]).__name__}: use strategy 'in-list'"
        )
    return json.dumps(keys, ensure_ascii=False)


def _fill_sqlite(session: Session, query: Query, part: Part, table: str) -> None:
    if session.owned:
        session.driver.run(session, "PRAGMA temp.cache_size=-500")  # a quarter of the usual: filled and read in order
    session.driver.run(session, f"CREATE TEMP TABLE {table} (key PRIMARY KEY) WITHOUT ROWID")
    # INSERT behind a WITH: sqlite3 does not see a change in it, and so opens no transaction on the caller's connection.
    insert = (
        f"WITH arrived (key) AS (SELECT value FROM json_each(?)) INSERT OR IGNORE INTO {table} SELECT key FROM arrived"
    )
    for keys in part.lists():
        cursor = session.connection.cursor()
        cursor.execute(insert, (_json(keys),))
        cursor.close()


def _fill_postgres(session: Session, query: Query, part: Part, table: str) -> None:
    key_type = _postgres_type(query, [part.first])
    session.driver.run(session, f"CREATE TEMP TABLE {table} (key {key_type})")
    with session.connection.cursor() as cursor, cursor.copy(f"COPY {table} (key) FROM STDIN") as copy:
        for keys in part.lists():
            for key in keys:
                copy.write_row((key,))


def _fill_oracle(session: Session, query: Query, part: Part, table: str) -> None:
    fill_table(session, table, part.lists(), query.key)


def _drop(session: Session, table: str) -> None:
    """Drop *table* if the connection can; an error here would stand before the one that ended the read.

    It cannot in a transaction that has failed, whose end drops the table, nor in SQLite while another cursor of the
    caller's connection is open: there the table stays, empty, as long as the connection.
    """
    for remove in (f"DROP TABLE {table}", f"WITH gone AS (SELECT 1) DELETE FROM {table}"):  # WITH: as in _fill_sqlite
        with suppress(Exception):
            session.driver.run(session, remove)
            return
