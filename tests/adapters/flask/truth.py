"""True rows, by direct SQL and the standard library alone."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import psycopg

from mesbatch.demo.queries import JOBS_KEY, QUERIES

Rows = Counter[str]


def direct(url: str, domain: str, ids: Sequence[str]) -> Rows:
    """Read the rows of *domain* for *ids*, each as one text."""
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
    """Collect the rows of a stream, and check its own account."""
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


# -- the same for results that are too large to be held: the number of rows, and the sum of their checksums


Digest = tuple[int, int]
RawRows = list[msgspec.Raw]


class _Result(msgspec.Struct):
    data: RawRows


class _Answer(msgspec.Struct):
    results: dict[str, _Result]


class _Line(msgspec.Struct):
    type: str
    data: msgspec.Raw = msgspec.Raw(b"[]")  # of an aggregation it is an object


def digest_direct(url: str, domain: str, ids: Sequence[str]) -> Digest:
    """Digest the rows by direct SQL, written as JSON by the standard library."""
    sql = QUERIES[domain] if domain == "jobs" else QUERIES[domain].replace("IN (:keys)", "= ANY(%s::bpchar[])")
    wanted, at, found = set(ids), JOBS_KEY.lower(), []
    with psycopg.connect(url) as connection, connection.cursor("truth") as cursor:
        cursor.itersize = 10_000
        cursor.execute(sql, None if domain == "jobs" else [list(ids)])
        for row in cursor:
            names = [column.name for column in cursor.description or ()]
            if domain != "jobs" or wanted & set((row[names.index(at)] or "").split(",")):
                found.append(zlib.crc32(_as_json(names, row).encode()))
    return len(found), sum(found)


def _as_json(names: list[str], row: Sequence[Any]) -> str:
    """Write a row as JSON; a Decimal has the digits that the database gave it."""
    texts = (str(v) if isinstance(v, Decimal) else json.dumps(plain(v), ensure_ascii=False) for v in row)
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in zip(names, texts)) + "}"


def digest_json(body: bytes, domain: str) -> Digest:
    return _digest(msgspec.json.decode(body, type=_Answer).results[domain].data)


def digest_lines(body: bytes) -> Digest:
    lines = [msgspec.json.decode(line, type=_Line) for line in body.splitlines()]
    assert lines[-1].type == "complete"
    parts = [_digest(msgspec.json.decode(line.data, type=RawRows)) for line in lines if line.type == "records"]
    return sum(count for count, _ in parts), sum(total for _, total in parts)


def _digest(rows: RawRows) -> Digest:
    return len(rows), sum(map(zlib.crc32, rows))
