"""The statement of an export: its digest, and a steady order of its rows."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from mesbatch.keys.collect import CHECKED_AT_ONCE, Keys
from mesbatch.source.session import Params
from mesbatch.source.urls import POSTGRES_SCHEMES

# Otherwise a scan of a large table begins at the place of another scan, or several workers share it: the rows of one
# statement come in another order each time.
STEADY = "-c synchronize_seqscans=off -c max_parallel_workers_per_gather=0"


def digest(sql: str, params: Params, keys: Keys | None) -> str:
    """Compute a text that differs for another statement, other parameters or other keys."""
    found = hashlib.sha256(msgspec.json.encode([sql, params, keys is not None], enc_hook=repr))
    for some in keys.slices(lambda: CHECKED_AT_ONCE) if keys is not None else ():
        found.update(msgspec.json.encode(some))
    return found.hexdigest()[:16]


def steady(con: Any) -> Any:
    """Make the URL *con* give the rows of a statement in the same order each time; only those of PostgreSQL need it."""
    if not isinstance(con, str) or urlsplit(con).scheme not in POSTGRES_SCHEMES:
        return con
    parts = urlsplit(con)
    given = parts.query.split("&") if parts.query else []
    options = [value.removeprefix("options=") for value in given if value.startswith("options=")]
    rest = [value for value in given if not value.startswith("options=")]
    return urlunsplit(parts._replace(query="&".join([*rest, "options=" + "%20".join([*options, quote(STEADY)])])))
