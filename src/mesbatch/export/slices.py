"""Rows cut into parts at places that only the rows decide, so that a resumed export cuts where the first one did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple


class PartSlice(NamedTuple):
    """Rows of one part: a list of tuples or a record batch. *begins* says that they are the first of a part.

    *last_key* is the value that the last row has in the key's column.
    """

    rows: Any
    begins: bool
    last_key: Any


def slice_into_parts(batches: Iterable[Any], part_rows: int, key: int | None) -> Iterator[PartSlice]:
    """Cut *batches* (lists of rows, or record batches) every *part_rows* rows, or at the end of the key there.

    *key* is the position of the key's column, by which rows of one key are neighbours; None cuts anywhere.

    >>> [(some.rows, some.begins) for some in slice_into_parts([[(1,), (1,), (2,)], [(2,), (3,)]], 1, 0)]
    [([(1,), (1,)], True), ([(2,)], True), ([(2,)], False), ([(3,)], True)]
    """
    have, last = part_rows, None  # as if a part had just been filled
    for rows in batches:
        keys = _keys(rows, key)
        start = 0
        while start < len(rows):
            begins = have >= part_rows and (keys is None or start > 0 or keys[0] != last or last is None)
            if begins:
                have = 0
            end = _end(keys, start, max(part_rows - have, 0), len(rows))
            have += end - start
            last = None if keys is None else keys[end - 1]
            yield PartSlice(_slice(rows, start, end), begins, last)
            start = end
        del rows, keys  # so that they are gone while the next ones are read


def _end(keys: Any, start: int, room: int, length: int) -> int:
    """Find the end of the part that has *room* for more rows, or of the rows."""
    end = min(start + room, length)
    if keys is None:
        return end
    end = max(end, start + 1)
    while end < length and keys[end] == keys[end - 1]:
        end += 1
    return end


def _keys(rows: Any, key: int | None) -> Any:
    if key is None:
        return None
    return [row[key] for row in rows] if isinstance(rows, list) else rows.column(key).to_pylist()


def _slice(rows: Any, start: int, end: int) -> Any:
    if start == 0 and end == len(rows):
        return rows
    return rows[start:end] if isinstance(rows, list) else rows.slice(start, end - start)
