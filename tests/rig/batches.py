"""Plain code without mesbatch, to compare batches with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mesbatch.batch import Batch, Row


def grouped_in_a_dict(batches: Iterable[Batch], position: int = 0) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for _, rows in batches:
        for row in rows:
            groups.setdefault(row[position], []).append(row)
    return groups


def exactly(value: Any) -> str:
    """Text that differs wherever values, types, NaN, signs or offsets differ."""
    return repr(value)
