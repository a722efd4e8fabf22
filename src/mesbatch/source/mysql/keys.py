"""Keys in MySQL's and MariaDB's statements: lists, ``JSON_TABLE``, and temporary tables."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from mesbatch.batch import Column
from mesbatch.errors import ColumnNameError, InvalidKey, NotSplittable, StatementError
from mesbatch.source.key_forms import (
    KEYS_PER_LIST,
    FilterColumn,
    KeyedQuery,
    KeyForms,
    KeysOfRead,
    KeyText,
    StrategyName,
    new_table_name,
    uuids_as_text,
)
from mesbatch.source.mysql.columns import INTEGERS
from mesbatch.source.session import Session
from mesbatch.sql.query import find_order_by

# Texts without padding that are compared by their bytes, which are in the order of code points.
BY_CODE_POINT = frozenset(
    {"utf8mb4_nopad_bin", "utf8mb3_nopad_bin", "utf8_nopad_bin", "ascii_nopad_bin", "utf8mb4_0900_bin"}
)
TEXTS = frozenset({"char", "varchar", "text", "enum", "set"})
# The types of values whose equality and order are those of Python's values, and the keys that each takes.
NUMBERS = (int, float, Decimal)
TAKES: dict[str, tuple[type, ...]] = {
    "integer": NUMBERS, "year": NUMBERS, "decimal": NUMBERS, "double": NUMBERS, "float": NUMBERS,
    "date": (date,), "datetime": (datetime,), "timestamp": (datetime,), "bytes": (bytes,),
}  # fmt: skip
READERS: dict[str, Callable[[str], Any]] = {
    "integer": int, "year": int, "decimal": Decimal, "double": float, "float": float,
    "date": date.fromisoformat, "datetime": datetime.fromisoformat, "timestamp": datetime.fromisoformat,
}  # fmt: skip
LONGEST = 768  # characters of utf8mb4 in InnoDB's longest index, of 3,072 bytes
KEYS_PER_INSERT = 1_000
ALL_ROWS = 2**64 - 1
MOST_EXACT = 2**53  # a whole number beyond it has no double of its own
JSON_TABLE_SINCE = {True: (10, 6), False: (8, 0, 4)}  # MariaDB, MySQL


@dataclass(frozen=True)
class MysqlColumn(FilterColumn):
    """The filter's column: *type* is one of `TAKES` or ``text``, and *collation* that of a text."""

    collation: str = ""
    unsigned: bool = False


class MysqlKeys(KeyForms):
    """The column's own collation says which keys are equal, and orders them.

    Most collations ignore case or blanks at the end; then one statement holds all keys. Lists of more than 1,000 become
    a table of their own inside MariaDB, so that a list is never slow there.
    """

    strategies = frozenset({"in-list", "array", "temporary-table"})

    def describe_filter(self, session: Session, query: KeyedQuery) -> FilterColumn:
        """Ask for the collation of the output in a result without rows, whose texts are known all the same."""
        if query.key is None or not query.position:
            return FilterColumn()
        sql, params = query.statement.with_keys("NULL")
        columns = ", ".join(f"c{i}" for i in range(1, len(query.names) + 1))
        probe = (
            f"WITH r ({columns}) AS (\n{sql}\n) SELECT collation(r.c{query.position}) "
            "FROM (SELECT 1) one LEFT JOIN r ON false"
        )
        ((collation,),) = session.driver.fetch_all(session, probe, params)
        return column_of(query.key.type, str(collation))

    def check_type(self, query: KeyedQuery, key_type: type) -> None:
        """Refuse keys that MySQL would turn into numbers, or into text, before it compares them."""
        kind = query.column.type
        if kind is None:
            return
        takes = TAKES.get(kind, (str,))
        if not issubclass(key_type, takes) or (kind == "date" and issubclass(key_type, datetime)):
            raise InvalidKey(
                f"the keys are of type {key_type.__name__} and their column holds {kind}: pass keys of its type, or "
                "cast the column"
            )

    def parser(self, query: KeyedQuery) -> Callable[[str], Any] | None:
        return READERS.get(query.column.type or "")

    def best(self, session: Session, query: KeyedQuery, keys: KeysOfRead, *, in_parts: bool) -> StrategyName:
        if session.owned and not in_parts and len(keys) > KEYS_PER_LIST and _has_table(query, keys.key_type):
            return "temporary-table"
        return "in-list"

    def check_wrapping(self, query: KeyedQuery) -> None:
        repeated = [name for name, times in Counter(map(str.lower, query.names)).items() if times > 1]
        if repeated:
            raise ColumnNameError(
                f"two columns have the name {repeated[0]!r}, which a derived table of MySQL must not have, and without "
                "one the rows of this statement cannot be ordered by key: give them names of their own, or pass "
                "order='any'"
            )

    def best_whole(self, session: Session, query: KeyedQuery, keys: KeysOfRead) -> StrategyName:
        """A short list as it is; a long one as a table of ours, but rather not on the caller's connection."""
        if len(keys) <= KEYS_PER_LIST:
            return "in-list"
        if not session.owned and _has_array(query, keys.key_type) and _knows_json_table(session):
            return "array"
        return "temporary-table" if _has_table(query, keys.key_type) else "array"

    def bound(self, query: KeyedQuery, keys: list[Any]) -> list[Any]:
        if isinstance(keys[0], datetime) and any(key.tzinfo is not None for key in keys):
            raise InvalidKey("MySQL keeps no time zones: pass times without one, in the zone of the session")
        _check_numbers(query, keys)
        return uuids_as_text(keys) if isinstance(keys[0], UUID) else keys  # not every driver writes them

    def sorts_otherwise(self, column: Column) -> bool:
        return column.type in ("enum", "set")

    def bound_place(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(uuids_as_text(values))

    def array(self, session: Session, query: KeyedQuery, keys: list[Any]) -> KeyText:
        """A JSON array where its values can have the column's type and collation, else a list of literals, which take
        them on."""
        if not _has_array(query, type(keys[0])):
            return self._literals(query, keys)
        kind = _key_type(query, keys[0], max(map(len, keys)) if isinstance(keys[0], str) else 0)
        (bind,) = query.statement.placeholders(1)
        inside = f"SELECT j.mesbatch_key FROM json_table({bind}, '$[*]' COLUMNS (mesbatch_key {kind} PATH '$')) j"
        return KeyText(inside, [json.dumps(_fitting(query, keys), ensure_ascii=False)])

    def _literals(self, query: KeyedQuery, keys: list[Any]) -> KeyText:
        """The keys in the text itself, as hexadecimal: the mariadb driver takes quadratic time to put in binds."""
        if isinstance(keys[0], str):
            return KeyText(", ".join([f"_utf8mb4 x'{key.encode().hex()}'" for key in keys]), [])
        if isinstance(keys[0], bytes):
            return KeyText(", ".join([f"x'{key.hex()}'" for key in keys]), [])
        return KeyText(", ".join(query.statement.placeholders(len(keys))), self.bound(query, keys))

    def fill_table(self, session: Session, query: KeyedQuery, lists: Iterable[list[Any]], first: Any) -> str:
        if not _has_table(query, type(first)):
            raise NotSplittable(
                "strategy 'temporary-table' needs the key's column in the result, of the keys' own type, and Unicode "
                "if it is text, since a table of keys is to have its collation: use strategy 'array'"
            )
        table = new_table_name()
        kind = _key_type(query, first, LONGEST)
        session.driver.run(session, f"CREATE TEMPORARY TABLE {table} (mesbatch_key {kind} PRIMARY KEY)")
        bind = "?" if session.driver.paramstyle.startswith("qmark") else "%s"
        for keys in lists:
            fitting = iter(_fitting(query, self.bound(query, keys)))
            while some := list(islice(fitting, KEYS_PER_INSERT)):
                if isinstance(first, str) and max(map(len, some)) > LONGEST:
                    raise StatementError(f"strategy 'temporary-table' takes keys of at most {LONGEST} characters")
                # IGNORE: of keys that are equal in this column one is enough.
                places = ", ".join([f"({bind})"] * len(some))
                with closing(session.connection.cursor()) as cursor:
                    cursor.execute(f"INSERT IGNORE INTO {table} VALUES {places}", tuple(some))
        return table

    def table_keys(self, query: KeyedQuery, table: str, first: Any) -> str:
        return f"SELECT mesbatch_key FROM {table}"

    def table_removals(self, table: str) -> tuple[str, ...]:
        return (f"DROP TEMPORARY TABLE {table}",)  # without TEMPORARY it would commit

    def quoted(self, name: str) -> str:
        """A name in backquotes: between double ones it would be a text, and nothing would be ordered."""
        return "`" + name.replace("`", "``") + "`"

    def numbered(self, sql: str, query: KeyedQuery, collation: str) -> str:
        """*sql*, ordered by key and then by its own order, which a table in FROM keeps only with a LIMIT."""
        columns = [f"c{i}" for i in range(1, len(query.names) + 1)]
        outputs = ", ".join(
            f"{column} AS {query.statement.written(self.quoted(name))}" for column, name in zip(columns, query.names)
        )
        limit = "" if find_order_by(sql).is_limited else f"\nLIMIT {ALL_ROWS}"
        return (
            f"WITH numbered ({', '.join(columns)}, n) AS (SELECT mesbatch_rows.*, row_number() OVER () "
            f"FROM (\n{sql}{limit}\n) mesbatch_rows) SELECT {outputs} FROM numbered ORDER BY c{query.position}, n"
        )


def column_of(kind: str | None, collation: str) -> MysqlColumn:
    """The filter's column, of the type *kind* of a description and with *collation*."""
    kind, _, unsigned = (kind or "").partition(" ")
    if collation != "binary":
        plain = collation in BY_CODE_POINT and kind not in ("enum", "set")
        return MysqlColumn("text", plain, kind == "enum", collation)
    if kind in INTEGERS:
        return MysqlColumn("integer", unsigned=bool(unsigned))
    if kind in TAKES:
        return MysqlColumn(kind)
    if kind in ("binary", "varbinary", "blob", ""):
        return MysqlColumn("bytes", kind != "binary")  # BINARY(n) pads with zeros
    return MysqlColumn(None, False)


def _collation(query: KeyedQuery) -> str:
    return query.column.collation if isinstance(query.column, MysqlColumn) else ""


def _check_numbers(query: KeyedQuery, keys: list[Any]) -> None:
    """Refuse numbers that are equal to the column's in one list and not in another.

    A year of two digits stands for one of four where the server reads constants, and not in a list that it makes a
    table of. A float alone is compared as the whole number that it is, and among fractions all are compared as doubles.

    Raises:
        InvalidKey: there are some.
    """
    kind, first, last = query.column.type, keys[0], keys[-1]
    if kind == "year" and (short := next((key for key in keys if 0 < key < 100), None)) is not None:
        raise InvalidKey(f"MySQL reads {short!r} as a year of this century or the last: pass years of four digits")
    if isinstance(first, float) and kind in ("integer", "decimal") and not -MOST_EXACT < first <= last < MOST_EXACT:
        raise InvalidKey(
            f"one of the keys from {first!r} to {last!r} is a float of 2**53 or more, which equals several numbers of "
            f"their column, of type {kind}: pass int or Decimal"
        )


def _has_array(query: KeyedQuery, key_type: type | None) -> bool:
    kind = query.column.type
    is_unicode = kind == "text" and _collation(query).startswith("utf8")
    return key_type is not None and (
        (is_unicode and issubclass(key_type, str)) or (kind == "integer" and issubclass(key_type, int))
    )


def _has_table(query: KeyedQuery, key_type: type | None) -> bool:
    if key_type is None or _has_array(query, key_type):
        return key_type is not None
    kind = query.column.type
    same = {"double": float, "date": date, "datetime": datetime, "timestamp": datetime, "bytes": bytes}
    return kind in same and issubclass(key_type, same[kind])


def _key_type(query: KeyedQuery, key: Any, length: int) -> str:
    """The type of a column of keys that is compared as the filter's own column is."""
    if isinstance(key, str):
        collation = _collation(query)
        return f"varchar({length}) CHARACTER SET {collation.partition('_')[0]} COLLATE {collation}"
    if isinstance(key, int):
        unsigned = isinstance(query.column, MysqlColumn) and query.column.unsigned
        return "bigint unsigned" if unsigned else "bigint"
    names = {float: "double", datetime: "datetime(6)", date: "date", bytes: "varbinary(3072)"}
    return next(name for base, name in names.items() if isinstance(key, base))


def _fitting(query: KeyedQuery, keys: list[Any]) -> list[Any]:
    """*keys* without those that the column's type cannot hold: no row has them."""
    if isinstance(keys[0], int):
        unsigned = isinstance(query.column, MysqlColumn) and query.column.unsigned
        least, end = (0, 2**64) if unsigned else (-(2**63), 2**63)
        return [key for key in keys if least <= key < end]
    if isinstance(keys[0], str) and not _collation(query).startswith("utf8mb4"):
        return [key for key in keys if max(key) <= "\uffff"]
    return keys


def _knows_json_table(session: Session) -> bool:
    ((version,),) = session.driver.fetch_all(session, "SELECT version()", None)
    numbers = tuple(map(int, re.findall(r"\d+", version)[:3]))
    return numbers >= JSON_TABLE_SINCE["MariaDB" in version]
