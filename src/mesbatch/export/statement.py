"""The statement of an export: its digest, a steady order of its rows, and its keys."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import chain
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from mesbatch.keys.choose import examine
from mesbatch.keys.collect import CHECKED_AT_ONCE, Keys, collect_keys
from mesbatch.keys.resume import ResumePoint
from mesbatch.source.connect import find_source
from mesbatch.source.session import Params
from mesbatch.source.urls import POSTGRES_SCHEMES
from mesbatch.sql.keyed import KeyedStatement
from mesbatch.sql.query import check_reads

# Without these a large table is read from where another scan is just now, or by several workers as they please: the
# rows of one statement then come in another order each time.
STEADY = "-c synchronize_seqscans=off -c max_parallel_workers_per_gather=0"
INTEGERS = ("int", "number", "serial")  # in the names that databases have for types of whole numbers


def digest(sql: str, params: Params, keys: Keys | None) -> str:
    """What tells one statement with its parameters and keys from another."""
    found = hashlib.sha256(msgspec.json.encode([sql, params, keys is not None], enc_hook=repr))
    for some in keys.slices(lambda: CHECKED_AT_ONCE) if keys is not None else ():
        found.update(msgspec.json.encode(some))
    return found.hexdigest()[:16]


def steady(con: Any) -> Any:
    """*con*, so that a statement gives its rows in the same order each time, if it is a URL of PostgreSQL."""
    if not isinstance(con, str) or urlsplit(con).scheme not in POSTGRES_SCHEMES:
        return con
    parts = urlsplit(con)
    given = parts.query.split("&") if parts.query else []
    options = [value.removeprefix("options=") for value in given if value.startswith("options=")]
    rest = [value for value in given if not value.startswith("options=")]
    return urlunsplit(parts._replace(query="&".join([*rest, "options=" + "%20".join([*options, quote(STEADY)])])))


def keys_after(keys: Keys, point: ResumePoint, *, padded: bool) -> Keys:
    """Those of *keys* that are read after *point*; blanks at their ends do not count where the column is *padded*."""
    if padded:
        keys = collect_keys(chain.from_iterable(keys.slices(lambda: CHECKED_AT_ONCE)), strip_blanks=True)
    return keys.above(point.key)


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
