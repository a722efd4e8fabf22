"""One named query of a trace: its SQL, and what its keys or its order are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mesbatch.errors import KeyColumnError, StatementError
from mesbatch.keys.choose import StrategyName
from mesbatch.source.session import Params
from mesbatch.sql.query import find_keys


@dataclass(frozen=True)
class Query:
    """One domain of a trace.

    With a *separator* no index serves the keys, so the SQL has no ``:keys``: it is one scan, and a row is given out,
    once, if any of its keys was asked for, or with *per_key* once for each of them. Another query without ``:keys`` is
    read without keys.

    Args:
        sql: The statement, with ``IN (:keys)`` once, or without it.
        key: The key's column in the result, if that is not the filter's.
        params: Values for the other binds of the statement, in the driver's own style.
        separator: The text between several keys in one value of *key*, such as the comma of ``"a1,b2"``.
        strategy: The way of keys into statements, as in `read_sql_iter`.
        splittable: True says that the statement may be cut by key although nobody can judge it.
        per_key: True gives a row once for each key that was asked for, which stands in the column *key*; select the
            column twice to have the list beside it.
        keyset: Columns of the result of which you swear that they are unique together, and compare by code point where
            they are text. Rows come ordered by them, and a job goes on after the last that is stored.

    Raises:
        KeyColumnError: a *separator* without a *key*, or *per_key* without a separator.
        StatementError: a *separator* with a *strategy*, or with *splittable*; or a *keyset* with any of these.

    >>> query = Query("select * from holds where id in (:keys) and reason = :reason", params={"reason": "dust"})
    >>> query.strategy
    'auto'
    """

    sql: Any
    key: str | None = None
    params: Params = None
    separator: str | None = None
    strategy: StrategyName = "auto"
    splittable: bool = False
    keyset: Sequence[str] = ()
    per_key: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.keyset, str):
            object.__setattr__(self, "keyset", (self.keyset,))
        if self.keyset and (self.key or self.separator or self.splittable or self.strategy != "auto"):
            raise StatementError("keyset= is for a query without keys: no key, separator, strategy or splittable")
        if self.separator is not None and not (self.separator and self.key):
            raise KeyColumnError(f"separator={self.separator!r}: it must not be empty, and key must name its column")
        if self.per_key and self.separator is None:
            raise KeyColumnError("per_key=True is for a column that holds several keys: name its separator, too")
        if self.separator is not None and self.strategy != "auto":
            raise StatementError(f"strategy={self.strategy!r}: no keys get into a statement whose rows hold several")
        if self.separator is not None and self.splittable:
            raise StatementError("splittable=True: a statement whose rows hold several keys is one scan")


def check_keyed(queries: Mapping[str, Query], domains: Sequence[str], *, keyed: bool, going_on: bool) -> None:
    """Raise StatementError for a query that does not fit to a read with keys, or without."""
    for domain in domains:
        query = queries[domain]
        if keyed and query.keyset:
            raise StatementError(f"the query of {domain!r} has a keyset, and is read without keys: pass keys=None")
        if not keyed and (query.separator or _has_keys(query.sql)):
            raise StatementError(f"the query of {domain!r} is for keys, and there are none")
        if going_on and (len(domains) > 1 or not query.keyset):
            raise StatementError("after= is the place to go on from in one domain, whose query has a keyset")


def _has_keys(sql: Any) -> bool:
    with suppress(StatementError):
        return isinstance(sql, str) and bool(find_keys(sql))
    return False
