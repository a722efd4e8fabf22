"""The statement of an export: its digest, and a steady order of its rows."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mesbatch.keys.collect import CHECKED_AT_ONCE, Keys
from mesbatch.source.databases import database_of_scheme
from mesbatch.source.session import Params


def digest(sql: str, params: Params, keys: Keys | None, *options: Any) -> str:
    """Compute a text that differs for another statement, other parameters, other keys or *options* of its values."""
    found = hashlib.sha256(msgspec.json.encode([sql, params, keys is not None, options], enc_hook=repr))
    for some in keys.slices(lambda: CHECKED_AT_ONCE) if keys is not None else ():
        found.update(msgspec.json.encode(some))
    return found.hexdigest()[:16]


def steady(con: Any) -> Any:
    """Make the URL *con* give the rows of a statement in the same order each time, where its database can."""
    database = database_of_scheme(urlsplit(con).scheme) if isinstance(con, str) else None
    return con if database is None else database.steady_url(con)
