"""Keys in Oracle's statements: lists, list types of the schema SYS, and private temporary tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from mesbatch.batch import Column
from mesbatch.errors import InvalidKey, StatementError
from mesbatch.source.key_forms import KeyedQuery, KeyForms, KeyText, new_table_name
from mesbatch.source.oracle.columns import PADDED_TYPES
from mesbatch.source.session import Session

KEYS_PER_LIST_TYPE = 32_767  # sys.odcivarchar2list is VARRAY(32767) OF VARCHAR2(4000)
PREFIX = "ORA$PTT_"  # of every private temporary table, unless a DBA has set private_temp_table_prefix
LIST_TYPES: dict[type, str] = {
    str: "SYS.ODCIVARCHAR2LIST",
    int: "SYS.ODCINUMBERLIST",
    float: "SYS.ODCINUMBERLIST",
    Decimal: "SYS.ODCINUMBERLIST",
    datetime: "SYS.ODCIDATELIST",
    date: "SYS.ODCIDATELIST",
}
TABLE_TYPES: dict[type, str] = {
    str: "VARCHAR2(4000)",
    int: "NUMBER",
    float: "NUMBER",
    Decimal: "NUMBER",
    datetime: "DATE",
    date: "DATE",
    bytes: "RAW(2000)",
}


class OracleKeys(KeyForms):
    """Oracle takes arrays of up to 32,767 keys in each bind; a session that sorts as NLS_SORT=BINARY orders by byte.

    ``auto`` reads by lists, since the other two need a grant.
    """

    strategies = frozenset({"in-list", "array", "temporary-table"})
    padded_types = PADDED_TYPES

    def bound(self, query: KeyedQuery, keys: list[Any]) -> list[Any]:
        return pad_keys(keys, query.key)

    def array(self, session: Session, query: KeyedQuery, keys: list[Any]) -> KeyText:
        binds = query.statement.placeholders(-(-len(keys) // KEYS_PER_LIST_TYPE))
        return KeyText(*array_expression(session, binds, pad_keys(keys, query.key)))

    def fill_table(self, session: Session, query: KeyedQuery, lists: Iterable[list[Any]], first: Any) -> str:
        table = new_table_name(PREFIX)
        fill_table(session, table, lists, query.key)
        return table


def pad_keys(keys: list[Any], column: Column | None) -> list[Any]:
    """*keys* as Oracle compares them: a CHAR column equals a bind of type VARCHAR2 only with all its blanks.

    Raises:
        InvalidKey: a moment with a fraction of a second, which the driver's DATE would cut off.
    """
    if keys and isinstance(keys[0], datetime) and any(key.microsecond for key in keys):
        raise InvalidKey("a datetime key goes to Oracle as a DATE, which has no microseconds")
    if column is None or column.type not in {"char", "nchar"} or not isinstance(keys[0], str):
        return keys
    width = column.width or 0
    if getattr(column, "in_bytes", False):
        return [key + " " * (width - len(key.encode())) for key in keys]
    return [key.ljust(width) for key in keys]


def array_expression(session: Session, binds: list[str], keys: list[Any]) -> tuple[str, list[Any]]:
    """Text that is a list of *keys*, and the values of *binds*, one for each `KEYS_PER_LIST_TYPE` of them."""
    name = _find(LIST_TYPES, keys[0])
    if name is None:
        raise InvalidKey(f"Oracle has no list type for keys of type {type(keys[0]).__name__}: use strategy 'in-list'")
    make = session.connection.gettype(name).newobject
    text = " UNION ALL ".join(f"SELECT column_value FROM TABLE({bind})" for bind in binds)
    return text, [make(keys[i : i + KEYS_PER_LIST_TYPE]) for i in range(0, len(keys), KEYS_PER_LIST_TYPE)]


def fill_table(session: Session, table: str, lists: Iterable[list[Any]], column: Column | None) -> None:
    """A private temporary table of this session with the keys of *lists*; committed.

    A read-only transaction, in which no table can be filled, is ended before and begun again afterwards.

    Raises:
        StatementError: the connection is the caller's: making the table would commit their transaction.
    """
    if not session.owned:
        raise StatementError(
            "strategy 'temporary-table' would commit your transaction, since Oracle commits before it makes a table: "
            "pass a pool or a function that connects, or use strategy 'array'"
        )
    session.connection.commit()
    with session.connection.cursor() as cursor:
        for keys in _made(cursor, table, lists):
            cursor.executemany(f"INSERT INTO {table} (key) VALUES (:1)", [(key,) for key in pad_keys(keys, column)])
    session.connection.commit()
    if session.is_snapshot:
        session.driver.begin_snapshot(session, None)


def _made(cursor: Any, table: str, lists: Iterable[list[Any]]) -> Iterator[list[Any]]:
    """*lists*, with the table made for the type of the first key."""
    made = False
    for keys in lists:
        if not made:
            kind = _find(TABLE_TYPES, keys[0])
            if kind is None:
                raise InvalidKey(f"no column of Oracle holds keys of type {type(keys[0]).__name__}")
            cursor.execute(f"CREATE PRIVATE TEMPORARY TABLE {table} (key {kind}) ON COMMIT PRESERVE DEFINITION")
            made = True
        yield keys


def _find(names: dict[type, str], key: Any) -> str | None:
    return next((names[base] for base in type(key).__mro__ if base in names), None)
