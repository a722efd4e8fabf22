"""Grouping and NDJSON by hand: struct rows, one line a key, only open groups in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice, starmap
from operator import itemgetter
from typing import Any

import msgspec

from benchmarks.tables import COLUMNS

LINES = 100  # keys: about 1,000 rows, 400 KB
Rows = list[tuple[Any, ...]]


class Line(msgspec.Struct, gc=False):
    """The members of one line."""

    key: str
    rows: list[Any]


Row: Any = msgspec.defstruct("Row", list(COLUMNS), gc=False)
encoder = msgspec.json.Encoder(decimal_format="number")


def of_ordered(batches: Iterable[Rows]) -> Iterator[bytes]:
    """Write lines of rows that arrive in the order of their keys; holds the open group and `LINES` lines."""
    groups = groupby(chain.from_iterable(batches), itemgetter(0))
    lines = (Line(key, list(starmap(Row, rows))) for key, rows in groups)
    while some := list(islice(lines, LINES)):
        yield encoder.encode_lines(some)


def of_key_batches(batches: Iterable[Rows]) -> Iterator[bytes]:
    """Write lines of rows that arrive a key batch at a time, in any order within; holds one key batch."""
    groups: dict[str, list[Any]] = defaultdict(list)
    for rows in batches:
        for row in rows:
            groups[row[0]].append(row)
        if not rows:
            lines = iter(groups.items())
            while some := [Line(key, list(starmap(Row, found))) for key, found in islice(lines, LINES)]:
                yield encoder.encode_lines(some)
            groups.clear()


def of_everything(batches: Iterable[Rows]) -> Iterator[bytes]:
    """Write lines of rows that arrive in any order; holds all rows."""
    return of_key_batches(chain(batches, [[]]))
