"""The reason why a statement may not be cut by key."""

from __future__ import annotations

from collections.abc import Iterable

from mesbatch.sql.tree import Node, write_nodes


class Doubt(Exception):
    """A reason why a part of the keys could give other rows than the whole, and the words that give it."""

    def __init__(self, reason: str, words: Iterable[Node]) -> None:
        super().__init__(f"{reason}: {write_nodes(words)!r}")
