"""Keys in SQLite's statements: lists, ``json_each``, and temporary tables."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from mesbatch.errors import InvalidKey, NotSplittable
from mesbatch.source.key_forms import (
    KEYS_PER_LIST,
    FilterColumn,
    KeyedQuery,
    KeyForms,
    KeysOfRead,
    KeyText,
    StrategyName,
    new_table_name,
)
from mesbatch.source.session import Session

AFFINITIES = {0x42: "text", 0x43: "numeric", 0x44: "integer", 0x45: "real"}  # P5 of a comparison; else none
AFFINITY_MASK = 0x47
MOST_EXACT = 2**53  # whole numbers up to here are exact in a real column


class SqliteKeys(KeyForms):
    """SQLite takes an array as one JSON text, and orders text by code point under its collation BINARY."""

    strategies = frozenset({"in-list", "array", "temporary-table"})

    def describe_filter(self, session: Session, query: KeyedQuery) -> FilterColumn:
        """Read collation and affinity off EXPLAIN, in the comparison that one more ``=`` makes of the output."""
        found: Counter[tuple[str, int]] = Counter()
        if query.key is not None and query.position:
            with suppress(Exception):  # a statement that cannot stand in a WITH: its rows are checked
                found = _comparisons(session, query, " = 'a'")
                found -= _comparisons(session, query, "")
        if len(found) != 1:
            return FilterColumn()
        ((collation, flags),) = found
        return FilterColumn(AFFINITIES.get(flags & AFFINITY_MASK), collation.rpartition("-")[0] in ("", "BINARY"))

    def check_type(self, query: KeyedQuery, key_type: type) -> None:
        """Refuse numbers for a text column, which gives text where a number was asked for."""
        if query.column.type == "text" and issubclass(key_type, int | float):
            raise InvalidKey(
                f"the keys are of type {key_type.__name__} and their column holds text: pass them as text, or cast the "
                "column"
            )

    def parser(self, query: KeyedQuery) -> Callable[[str], Any] | None:
        readers: dict[str, Callable[[str], Any]] = {"integer": int, "real": float, "numeric": _number}
        return readers.get(query.column.type or "")

    def best(self, session: Session, query: KeyedQuery, keys: KeysOfRead, *, in_parts: bool) -> StrategyName:
        """A table takes 0.8 of the time of sorted lists, whatever its share of the rows: no text, no binds."""
        is_kept = _is_kept(keys, str | int | float) and _is_comparable(query, keys.first(), keys.last())
        if session.owned and not in_parts and len(keys) > KEYS_PER_LIST and is_kept:
            return "temporary-table"
        return "in-list"

    def best_whole(self, session: Session, query: KeyedQuery, keys: KeysOfRead) -> StrategyName:
        """An array where JSON holds the keys exactly, else a list as long as SQLite takes."""
        if len(keys) and not _is_comparable(query, keys.first(), keys.last()):
            return "in-list"
        if session.owned and keys.on_disk:
            return "temporary-table"
        return "array" if _is_kept(keys, str | int | float) else "in-list"

    def array(self, session: Session, query: KeyedQuery, keys: list[Any]) -> KeyText:
        (bind,) = query.statement.placeholders(1)
        _check_comparable(query, keys)
        return KeyText(f"SELECT {_operand(query, 'value', keys[0])} FROM json_each({bind})", [_as_json(keys)])

    def fill_table(self, session: Session, query: KeyedQuery, lists: Iterable[list[Any]], first: Any) -> str:
        table = new_table_name()
        if session.owned:
            session.driver.run(session, "PRAGMA temp.cache_size=-500")  # a quarter of the usual: filled, read in order
        session.driver.run(session, f"CREATE TEMP TABLE {table} (key PRIMARY KEY) WITHOUT ROWID")
        try:
            self._insert(session, query, table, lists)
        except BaseException:
            with suppress(Exception):
                session.driver.run(session, self.table_removals(table)[0])
            raise
        return table

    def _insert(self, session: Session, query: KeyedQuery, table: str, lists: Iterable[list[Any]]) -> None:
        # INSERT behind a WITH: sqlite3 sees no change in it, and so opens no transaction on the caller's connection.
        insert = (
            f"WITH arrived (key) AS (SELECT value FROM json_each(?)) INSERT OR IGNORE INTO {table} "
            "SELECT key FROM arrived"
        )
        for keys in lists:
            _check_comparable(query, keys)
            cursor = session.connection.cursor()
            cursor.execute(insert, (_as_json(keys),))
            cursor.close()

    def table_keys(self, query: KeyedQuery, table: str, first: Any) -> str:
        return f"SELECT {_operand(query, 'key', first)} FROM {table}"

    def table_removals(self, table: str) -> tuple[str, ...]:
        """While another cursor of the caller's connection is open the table stays, empty, as long as the connection."""
        return f"DROP TABLE {table}", f"WITH gone AS (SELECT 1) DELETE FROM {table}"  # WITH: as in `fill_table`

    def collation(self, query: KeyedQuery) -> str:
        return " COLLATE BINARY"


def _comparisons(session: Session, query: KeyedQuery, ending: str) -> Counter[tuple[str, int]]:
    """Collation and flags of each comparison in the program of the key's output, with *ending* after it."""
    sql, params = query.statement.with_keys("NULL")
    columns = ", ".join(f"c{i}" for i in range(1, len(query.names) + 1))
    explained = f"EXPLAIN WITH r ({columns}) AS (\n{sql}\n) SELECT c{query.position}{ending} FROM r"
    program = session.driver.fetch_all(session, explained, params)
    return Counter((str(row[5] or ""), int(row[6])) for row in program if row[1] in ("Eq", "Ne"))


def _is_kept(keys: KeysOfRead, types: Any) -> bool:
    """True for keys that come back from a table or a JSON text as they went in."""
    return keys.key_type is not None and issubclass(keys.key_type, types)


def _operand(query: KeyedQuery, name: str, key: Any) -> str:
    """The column *name* of keys such as *key* as an operand that is compared with the filter's column as binds are.

    Between two columns SQLite turns no number into text, as it does for a bind beside a column of text. An expression
    takes the affinity of the filter's column as a bind does, but in a list it would be rounded for a real column, where
    a bind is not: see `_is_comparable`. Texts need none (https://www.sqlite.org/datatype3.html#comparisons).
    """
    return name if query.column.type or isinstance(key, str) else f"+{name}"


def _is_comparable(query: KeyedQuery, first: Any, last: Any) -> bool:
    """True where keys from *first* to *last* are compared outside of the statement's own list as in it."""
    return bool(query.column.type) or not isinstance(first, int) or (first >= -MOST_EXACT and last <= MOST_EXACT)


def _check_comparable(query: KeyedQuery, keys: list[Any]) -> None:
    """Refuse whole numbers that a real column would round, where it is not known whether the filter's column is one.

    Raises:
        NotSplittable: there are some.
    """
    if keys and not _is_comparable(query, keys[0], keys[-1]):
        raise NotSplittable(
            f"the filter's column is not known, and one of the keys from {keys[0]} to {keys[-1]} is beyond 2**53, "
            "which a real column would round: they must stand in one list, as strategy='auto' writes them, up to "
            "32,766; if a column of the result is the filter's own, name it with key="
        )


def _as_json(keys: list[Any]) -> str:
    """*keys* as one JSON text; SQLite reads the shortest spelling of a float as that float.

    Raises:
        InvalidKey: they are neither text nor numbers, or whole numbers of more than 64 bits.
    """
    if keys and not isinstance(keys[0], str | int | float):
        raise InvalidKey(
            f"SQLite takes an array of text or numbers, not of {type(keys[0]).__name__}: use strategy 'in-list'"
        )
    if keys and isinstance(keys[0], int) and not (keys[0] >= -(2**63) and keys[-1] < 2**63):
        raise InvalidKey(f"SQLite's whole numbers have 64 bits: one of {keys[0]} to {keys[-1]} has more")
    return json.dumps(keys, ensure_ascii=False)


def _number(text: str) -> int | float | str:
    """Read a text as a column of affinity NUMERIC does, which keeps it where it is no number."""
    for number in (int, float):
        with suppress(ValueError):
            return number(text)
    return text
