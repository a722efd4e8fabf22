"""Ends of comments and quotes whose closing mark depends on their opening, each looked up in an index of the text.

Searching for an end from every beginning takes quadratic time on a text of beginnings without ends.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise

_OPENING = r"[nN]?[qQ]'(?P<mark>\S)|\$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)?)\$"
_COMMENT_EDGE = r"(?=/\*|\*/)"
_CLOSING_MARKS = {"[": "]", "{": "}", "(": ")", "<": ">"}


class LiteralEnds:
    """The ends of comments, of ``q'[..]'`` (Oracle), of ``$tag$..$tag$`` (PostgreSQL) and of ``[..]`` in *sql*.

    Each method takes the position of a beginning and returns the position after the end, or 0 when there is none.
    Holds the positions of all marks in the text, from the first time that one is asked for.
    """

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def comment(self, start: int) -> int:
        """Find the end of ``/*`` at *start*: of a nested comment (PostgreSQL) if that closes, else the first ``*/``."""
        if nested := self._end_of_level(start + 2):
            return nested
        closing = self._sql.find("*/", start + 2)
        return closing + 2 if closing >= 0 else 0

    def quote(self, start: int) -> int:
        """Find the end of the literal that opens at *start* by ``q'[`` or ``$tag$``."""
        opening = re.compile(_OPENING).match(self._sql, start)
        if opening is None:
            return 0
        if (mark := opening["mark"]) is not None:
            quote = _first_from(self._quotes_after.get(_CLOSING_MARKS.get(mark, mark), ()), opening.end() + 1)
            return quote + 1
        closing = _first_from(self._dollar_tags.get(opening["tag"], ()), opening.end())
        return closing + len(opening[0]) if closing >= 0 else 0

    def bracketed_name(self, start: int) -> int:
        """Find the end of ``[`` at *start* as a name in brackets (SQLite), which has no other ``[`` in it."""
        closing = _first_from(self._closing_brackets, start)
        following = _first_from(self._opening_brackets, start + 1)
        return closing + 1 if closing >= 0 and not start < following < closing else 0

    def _end_of_level(self, start: int) -> int:
        edges, ends = self._comment_levels
        i = bisect_left(edges, start)
        return ends[i] if i < len(edges) else 0

    @cached_property
    def _comment_levels(self) -> tuple[Sequence[int], Sequence[int]]:
        """List the places of ``/*`` and ``*/``, and for each the end of the comment in whose text it comes next."""
        edges = [edge.start() for edge in re.finditer(_COMMENT_EDGE, self._sql)]
        ends = [0] * len(edges)

        def end_of_level(start: int) -> int:
            i = bisect_left(edges, start)
            return ends[i] if i < len(edges) else 0

        for i in range(len(edges) - 1, -1, -1):
            after = edges[i] + 2
            if self._sql[edges[i]] == "*":
                ends[i] = after
            elif inner := end_of_level(after):
                ends[i] = end_of_level(inner)
        return edges, ends

    @cached_property
    def _quotes_after(self) -> Mapping[str, Sequence[int]]:
        quotes: dict[str, list[int]] = defaultdict(list)
        for quote in re.finditer(r"(?<=(.))'", self._sql, re.DOTALL):
            quotes[quote[1]].append(quote.start())
        return quotes

    @cached_property
    def _dollar_tags(self) -> Mapping[str, Sequence[int]]:
        tags: dict[str, list[int]] = defaultdict(list)
        for first, second in pairwise(dollar.start() for dollar in re.finditer(r"\$", self._sql)):
            tags[self._sql[first + 1 : second]].append(first)
        return tags

    @cached_property
    def _opening_brackets(self) -> Sequence[int]:
        return [bracket.start() for bracket in re.finditer(r"\[", self._sql)]

    @cached_property
    def _closing_brackets(self) -> Sequence[int]:
        return [bracket.start() for bracket in re.finditer("]", self._sql)]


def _first_from(positions: Sequence[int], start: int) -> int:
    """Find the first of *positions* that is not before *start*; -1 when there is none."""
    i = bisect_left(positions, start)
    return positions[i] if i < len(positions) else -1
