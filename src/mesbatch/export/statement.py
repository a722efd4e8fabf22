"""What an export must know of its statement: whether it is the same as before, and where its key is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mesbatch.errors import NotSplittable
from mesbatch.keys.choose import examine
from mesbatch.keys.collect import CHECKED_AT_ONCE, Keys
from mesbatch.source.connect import find_source
from mesbatch.source.databases import database_of_scheme
from mesbatch.source.session import Params
from mesbatch.sql.keyed import KeyedStatement
from mesbatch.sql.query import check_reads, find_keys
from mesbatch.sql.splittable import check_splittable

INTEGERS = ("int", "number", "serial")  # in the names that databases have for types of whole numbers


def digest(sql: str, params: Params, keys: Keys | None, *options: Any) -> str:
    """The mark of one statement with its parameters, its keys and the *options* that decide about values."""
    found = hashlib.sha256(msgspec.json.encode([sql, params, keys is not None, options], enc_hook=repr))
    for some in keys.slices(lambda: CHECKED_AT_ONCE) if keys is not None else ():
        found.update(msgspec.json.encode(some))
    return found.hexdigest()[:16]


def steady(con: Any) -> Any:
    """*con*, so that a statement gives its rows in the same order each time, if it is a URL whose database can."""
    database = database_of_scheme(urlsplit(con).scheme) if isinstance(con, str) else None
    return con if database is None else database.steady_url(con)


def key_column(sql: str, key: str | None) -> str | None:
    """The result's column of the keys, by which its rows are ordered; None where the statement is not cut by keys."""
    text = check_reads(sql)
    column = key or find_keys(text).column
    try:
        check_splittable(text, column or "")
    except NotSplittable:
        return None
    return column


def key_maker(sql: str, con: Any, params: Params, key: str | None) -> Callable[[str], Any]:
    """What makes of a text a key of the column's type: an int where the database declares whole numbers."""
    session = find_source(con).open()
    try:
        text = check_reads(sql)
        query = examine(session, KeyedStatement.parse(text, params, session.driver.paramstyle), key, splittable=True)
    finally:
        session.close()
    column = query.key
    whole = column is not None and not column.scale and any(word in (column.type or "") for word in INTEGERS)
    return int if whole and "interval" not in (column.type or "" if column else "") else str
