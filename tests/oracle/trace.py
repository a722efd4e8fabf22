"""The trace of the made-up warehouse in Oracle's own words: NVL, TRUNC, SYSDATE and its arithmetic, ROW_NUMBER."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from mesbatch.demo.queries import JOBS_KEY, JOBS_SEPARATOR, KEY, QUERIES
from mesbatch.trace.read import Query

CENTURY = 36_500  # days: the warehouse is younger
_RECENT = {
    "holds": f" AND h.HOLDTXNDATE >= SYSDATE - {CENTURY}",
    "materials": f" AND TRUNC(m.TXNDATE) >= TRUNC(SYSDATE) - {CENTURY} / 1",
}


def oracle_queries() -> dict[str, Query]:
    """The seven domains; each gives the rows of `mesbatch.demo.queries`."""
    queries = {}
    for domain, sql in QUERIES.items():
        text = sql.replace("COALESCE(", "NVL(").rstrip() + _RECENT.get(domain, "")
        many = domain == "jobs"
        queries[domain] = Query(text, JOBS_KEY if many else KEY, separator=JOBS_SEPARATOR if many else None)
    return queries


def as_sqlite_gives_it(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A *row* of Oracle with SQLite's values: text for times, float for decimals."""
    return tuple(map(_plain, row))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
