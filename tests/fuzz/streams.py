"""Streams of a job as a server writes them, with other members, lines and bytes here and there."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from random import Random
from typing import Any

from tests.fuzz.damage import damaged

VALUES = [
    "焊接",
    "",
    "a,b",
    '"}],"data":[',
    "]",
    "\\",
    None,
    0,
    -1,
    2.5,
    1379.417,
    True,
    [1, [2]],
    {"x": []},
    2**53 + 1,
    "\u2028",
]
LINES = [  # that a proxy, an older or a newer server, or nobody sends
    b'', b' ', b'null', b'[]', b'{}', b'"complete"', b'<html>', b'\xef\xbb\xbf{}', b'{"type":null}', b'{"type":5}',
    b'{"type":"domain_complete"}', b'{"type":"not complete"}', b'{"type":"complete_result","data":1}',
    b'{"type":["complete"]}', b'{"type":"complete"}', b'{"type":"complete","total_records":0}',
    b'{"type":"complete","total_records":null}', b'{"type":"complete","total_records":0,"domains":{"a":null}}',
    b'{"type":"progress"}', b'{"type":"progress","percent":5}', b'{"type":"warning","code":"x"}',
    b'{"type":"aggregation"}', b'{"type":"aggregation","data":{"n":1}}', b'{"type":"error"}',
    b'{"type":"error","message":5}', b'{"type":"meta"}',
    b'{"type":"error","message":"it failed","problem":{"code":"x"}}', b'{"type":"new","anything":[1]}',
    b'{"type":"records"}', b'{"type":"records","domain":"a","batch":0,"count":0,"data":[]}',
    b'{"type":"records","domain":"a","batch":0,"count":1,"data":null,"rows":[[1]]}',
    b'{"type":"records","domain":"a","batch":0,"count":1,"data":"x"}',
    b'{"type":"records","domain":5,"batch":0,"count":0,"data":[]}',
    b'{"type":"records","batch":0,"count":0,"data":[],"domain":"b"}', b'{"type":"domain_end"}',
    b'{"type":"domain_end","domain":"a","count":0}',
    b'{"type":"domain_end","domain":"b","count":1,"checksum":"00000000"}', b'{"type":"domain_start"}',
    b'{"type":"domain_start","domain":"a","columns":5}', b'{"type":"full_result","data":{}}',
]  # fmt: skip
# Not those that both readers take, and one of them without a look: "domains" of `complete`, "data" of `aggregation`.
MEMBERS = ["type", "domain", "batch", "count", "total_records", "checksum", "columns", "percent"]
OTHERS = [None, 0, 1, -1, "", "a", "00000000", [], {}, "complete", "records", "unknown", [{"ID": 1}], {"a": None}]


def written(chance: Random) -> list[bytes]:
    """The lines of a whole stream, in either shape, with the checksums of its rows."""
    arrays = chance.random() < 0.3
    lines: list[dict[str, Any]] = [{"type": "meta", "job_id": "j", "domains": ["a", "b"], "version": 1}]
    totals = {}
    for domain in ("a", "b")[: chance.randrange(3)]:
        lines.append({"type": "domain_start", "domain": domain, "total": None, "columns": [{"name": "ID"}]})
        texts = []
        for batch in range(chance.randrange(4)):
            rows = [_row(chance, arrays) for _ in range(chance.randrange(4))]
            member = "rows" if arrays else "data"
            lines.append({"type": "records", "domain": domain, "batch": batch, "count": len(rows), member: rows})
            texts += [_compact(row) for row in rows]
            if chance.random() < 0.2:
                lines.append({"type": "progress", "elapsed_seconds": 1.5, "rows": 5})
        checksum = f"{zlib.crc32(','.join(texts).encode()):08x}"
        totals[domain] = {"rows": len(texts), "checksum": checksum}
        if chance.random() < 0.8:
            lines.append({"type": "domain_end", "domain": domain, "count": len(texts), "checksum": checksum})
    if chance.random() < 0.3:
        lines.append({"type": "aggregation", "data": {"total": 1}})
    total = sum(one["rows"] for one in totals.values())
    lines.append({"type": "complete", "total_records": total, "domains": totals, "elapsed_seconds": 0.5})
    return [_compact(line).encode() for line in lines]


def stream(seed: int) -> bytes:
    """A whole stream, or one that is changed: a line, a member, the order, or any byte."""
    chance = Random(seed)
    lines = written(chance)
    for _ in range(chance.choice([0, 1, 1, 1, 2])):
        lines = _changed(lines, chance)
    data = b"".join(line + b"\n" for line in lines)
    return damaged(data, seed) if chance.random() < 0.3 else data


def _row(chance: Random, arrays: bool) -> Any:
    values: Sequence[Any] = [chance.choice(VALUES) for _ in range(2)]
    return values if arrays else dict(zip(("ID", "X[é"), values))


def _changed(lines: list[bytes], chance: Random) -> list[bytes]:
    at = chance.randrange(len(lines))
    match chance.choice(["put in", "put in", "take out", "double", "exchange", "member", "member", "spaces"]):
        case "put in":
            return [*lines[:at], chance.choice(LINES), *lines[at:]]
        case "take out":
            return lines[:at] + lines[at + 1 :]
        case "double":
            return [*lines[:at], lines[at], *lines[at:]]
        case "exchange":
            other = chance.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
            return lines
        case "spaces":
            return [
                *lines[:at],
                json.dumps(_parsed(lines[at]), ensure_ascii=chance.random() < 0.5).encode(),
                *lines[at + 1 :],
            ]
        case _:
            line = _parsed(lines[at])
            if isinstance(line, dict):  # the rows stay the last member, as every reader may expect
                line = {(name := chance.choice(MEMBERS)): None, **line}
                line[name] = chance.choice(["", "a", "b", "c"] if name == "domain" else OTHERS)
            return [*lines[:at], _compact(line).encode(), *lines[at + 1 :]]


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
