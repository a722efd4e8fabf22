"""Keys in DuckDB's statements: lists, arrays, and temporary tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from mesbatch.batch import Column
from mesbatch.errors import InvalidKey
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
from mesbatch.source.reals import read_real
from mesbatch.source.session import Session

# Two texts, and whether the first equals the second, and is below it, by code point.
PROBES = [("A", "a", False, True), ("e", "\u00e9", False, True), ("\u00e9", "e\u0301", False, False),
          ("B", "a", False, True), ("a", "a ", False, True)]  # fmt: skip

INTEGERS = ("tinyint", "smallint", "integer", "bigint", "hugeint")
TIMES = ("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone")
# Text that stands for a value of another type: its order is that of the values, not of their spelling.
READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys((*INTEGERS, *(f"u{name}" for name in INTEGERS)), int),
    "decimal": Decimal,
    "float": read_real,
    "double": float,
    "uuid": UUID,
    "date": date.fromisoformat,
    **dict.fromkeys(TIMES, datetime.fromisoformat),
}


class DuckdbKeys(KeyForms):
    """DuckDB takes a Python list as an array of the type of its values, and orders text by code point."""

    strategies = frozenset({"in-list", "array", "temporary-table"})

    def describe_filter(self, session: Session, query: KeyedQuery) -> FilterColumn:
        """Compare probes as values of the output, since no catalogue tells its collation."""
        by_code_point = True
        if query.key is not None and query.key.type == "varchar" and query.position:
            with suppress(Exception):  # a statement that cannot stand in a WITH: its rows are checked
                by_code_point = all(_compare(session, query, *probe) for probe in PROBES)
        return FilterColumn(None, by_code_point)

    def sorts_otherwise(self, column: Column) -> bool:
        return (column.type or "").startswith("enum(")

    def check_type(self, query: KeyedQuery, key_type: type) -> None:
        """Refuse text for a column of another type, which DuckDB compares in a list and refuses in an array."""
        if query.key is not None and query.key.type in READERS and issubclass(key_type, str):
            raise InvalidKey(
                f"the keys are of type {key_type.__name__} and their column is {query.key.type}: pass keys of its "
                "type, or cast the column"
            )

    def parser(self, query: KeyedQuery) -> Callable[[str], Any] | None:
        return READERS.get((query.key and query.key.type) or "")

    def best(self, session: Session, query: KeyedQuery, keys: KeysOfRead, *, in_parts: bool) -> StrategyName:
        """Each statement is a scan, so many keys go into one array; few are compared on the way."""
        return "array" if len(keys) > KEYS_PER_LIST else "in-list"

    def array(self, session: Session, query: KeyedQuery, keys: list[Any]) -> KeyText:
        (bind,) = query.statement.placeholders(1)
        return KeyText(f"SELECT unnest({bind})", [keys])

    def fill_table(self, session: Session, query: KeyedQuery, lists: Iterable[list[Any]], first: Any) -> str:
        table = new_table_name()
        for number, keys in enumerate(lists):
            into = f"INSERT INTO {table} SELECT" if number else f"CREATE TEMP TABLE {table} AS SELECT"
            session.connection.execute(f"{into} unnest(?) AS key", [keys])
        return table


def _compare(session: Session, query: KeyedQuery, first: str, second: str, is_equal: bool, is_below: bool) -> bool:
    """True where the database compares two texts of the key's output as code points do."""
    sql, params = query.statement.with_keys("NULL")
    columns = ", ".join(f"c{i}" for i in range(1, len(query.names) + 1))
    probe = (
        f"WITH r ({columns}) AS (\n{sql}\n), probe AS (SELECT c{query.position} AS a FROM r WHERE false UNION ALL "
        f"SELECT '{first}') SELECT a = '{second}', a < '{second}' FROM probe"
    )
    connection = session.connection
    found = connection.execute(probe) if params is None else connection.execute(probe, params)
    return bool(found.fetchall() == [(is_equal, is_below)])
