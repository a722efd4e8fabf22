"""The memory of rows, with that of nested values: JSON documents and arrays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from sys import getsizeof
from types import NoneType
from typing import Any
from uuid import UUID

from mesbatch.batch import Row, measure_rows

NESTED = (list, dict, tuple)
FLAT = frozenset({NoneType, bool, int, float, str, bytes, Decimal, date, datetime, time, timedelta, UUID})


def measure_deeply(rows: Sequence[Row]) -> int:
    """The bytes of *rows* as `measure_rows` counts them, and of all values inside lists, tuples and dicts.

    >>> measure_deeply([([1_000, 2_000],)]) - measure_rows([([1_000, 2_000],)])
    56
    """
    nbytes = measure_rows(rows)
    if not FLAT.issuperset(map(type, chain.from_iterable(rows))):
        nbytes += _measure_inside([value for row in rows for value in row if isinstance(value, NESTED)])
    return nbytes


def _measure_inside(nested: list[Any]) -> int:
    nbytes = 0
    while nested:  # no recursion: a document may be nested as deeply as it likes
        value = nested.pop()
        children = list(chain(value, value.values()) if isinstance(value, dict) else value)
        nbytes += sum(map(getsizeof, children))
        nested += [child for child in children if isinstance(child, NESTED)]
    return nbytes
