"""A comparison of the rows of two pipelines, however they are ordered and spelled."""

from __future__ import annotations

import json
import math
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from benchmarks.tables import COLUMNS

NUMBERS = [name in {"TRACKINQTY", "TRACKOUTQTY", "QTYCONSUMED"} for name in COLUMNS]
TIMES = [name in {"TRACKINTIME", "TRACKOUTTIME"} for name in COLUMNS]


class Tally:
    """The number of rows and the sum of their hashes."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    @property
    def checksum(self) -> str:
        return f"{self._sum % 2**64:016x}"

    def add(self, piece: Any) -> None:
        """Add an item of a pipeline: a list of rows, a frame, Arrow, NDJSON or a whole JSON answer."""
        for row in _rows_of(piece):
            values = [_same(*what) for what in zip(row, NUMBERS, TIMES)]
            self.rows += 1
            self._sum += int.from_bytes(blake2b(json.dumps(values).encode(), digest_size=8).digest())


def _rows_of(piece: Any) -> Any:
    if isinstance(piece, bytes):
        for line in piece.splitlines():
            yield from _rows_of_json(json.loads(line))
    elif isinstance(piece, str):
        yield from _rows_of_json(json.loads(piece))
    elif hasattr(piece, "itertuples"):
        yield from piece.itertuples(index=False, name=None)
    elif hasattr(piece, "iter_rows"):
        yield from piece.iter_rows()
    elif hasattr(piece, "schema"):
        yield from zip(*(column.to_pylist() for column in piece.columns))
    else:
        yield from piece


def _rows_of_json(value: dict[str, Any]) -> Any:
    """Find the rows of a line ``{"key", "rows"}`` or of the incident's answer."""
    records = value["rows"] if "rows" in value else value["results"]["events"]["data"]
    for record in records:
        yield tuple({name.upper(): found for name, found in record.items()}[column] for column in COLUMNS)


def _same(value: Any, number: bool, is_time: bool) -> Any:
    """Give a value one spelling: drivers give Decimal or float, datetime or text; pandas gives NaN for NULL."""
    if value is None or value != value or str(value) in {"NaT", "nan"}:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    if is_time:
        return str(value).replace(" ", "T")
    if number:
        return float(value) if isinstance(value, Decimal | str) or math.isfinite(value) else None
    return value
