"""Keys in DuckDB's statements: lists, arrays, and temporary tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mesbatch.source.key_forms import (
    KEYS_PER_LIST,
    KeyedQuery,
    KeyForms,
    KeysOfRead,
    KeyText,
    Strategies,
    new_table_name,
)
from mesbatch.source.session import Session


class DuckdbKeys(KeyForms):
    """DuckDB takes a Python list as an array of the type of its values, and orders text by code point."""

    strategies = frozenset({"in-list", "array", "temporary-table"})

    def best(self, session: Session, query: KeyedQuery, keys: KeysOfRead, *, in_parts: bool) -> Strategies:
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
