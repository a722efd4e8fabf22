"""What the rows are, by direct SQL and the standard library alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg

from mesbatch.demo.queries import JOBS_KEY, QUERIES

Rows = Counter[str]


def direct(url: str, domain: str, ids: Sequence[str]) -> Rows:
    """The rows of *domain* for *ids*, each as one text."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        if domain == "jobs":
            cursor.execute(QUERIES[domain])
        else:
            cursor.execute(QUERIES[domain].replace("IN (:keys)", "= ANY(%s::bpchar[])"), [list(ids)])
        names = [column.name for column in cursor.description or ()]
        rows = (dict(zip(names, map(plain, row))) for row in cursor)
        wanted, at = set(ids), JOBS_KEY.lower()
        return as_texts(row for row in rows if domain != "jobs" or wanted & set((row[at] or "").split(",")))


def plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return float(value)
        case _:
            return value


def as_texts(rows: Iterable[dict[str, Any]]) -> Rows:
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


def of_json(answer: Any) -> dict[str, Rows]:
    return {domain: as_texts(result["data"]) for domain, result in answer["results"].items()}


def of_lines(lines: Iterable[dict[str, Any]]) -> dict[str, Rows]:
    """The rows of a stream, whose own account is checked as it is read."""
    found: dict[str, Rows] = {}
    names: dict[str, list[str]] = {}
    last = {}
    for line in lines:
        match last := line:
            case {"type": "domain_start", "domain": domain, "columns": columns}:
                found[domain], names[domain] = Counter(), [column["name"] for column in columns]
            case {"type": "records", "domain": domain, "count": count, "data": rows}:
                assert len(rows) == count
                found[domain] += as_texts(rows)
            case {"type": "records", "domain": domain, "rows": rows}:
                found[domain] += as_texts(dict(zip(names[domain], row, strict=True)) for row in rows)
            case {"type": "domain_end", "domain": domain, "count": count}:
                assert found[domain].total() == count
    assert last["type"] == "complete", last
    assert last["total_records"] == sum(rows.total() for rows in found.values())
    return found
