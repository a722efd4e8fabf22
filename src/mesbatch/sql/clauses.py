"""One SELECT, cut at the words that begin its clauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mesbatch.sql.tree import Node

SET_OPERATIONS = frozenset({"UNION", "INTERSECT", "EXCEPT", "MINUS"})
ROW_LIMITS = frozenset({"LIMIT", "OFFSET", "FETCH"})

_CLAUSES = SET_OPERATIONS | ROW_LIMITS | {"SELECT", "FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "QUALIFY", "ORDER"}
_CLAUSES |= {"FOR", "START", "CONNECT"}
_FOLLOWED_BY = {  # the second word, without which the first is an ordinary name
    "GROUP": {"BY"},
    "ORDER": {"BY", "SIBLINGS"},
    "START": {"WITH"},
    "CONNECT": {"BY"},
    "FETCH": {"FIRST", "NEXT"},
}
_BEGIN_A_QUERY = frozenset({"SELECT", "ALL", "DISTINCT", "VALUES", "TABLE", "WITH", "BY", "CORRESPONDING", "FROM"})
_CONTINUE_AN_EXPRESSION = (
    _CLAUSES
    | {"AND", "OR", "XOR", "IS", "IN", "LIKE", "ILIKE", "GLOB", "REGEXP", "BETWEEN", "COLLATE", "THEN", "WHEN", "ELSE"}
    | {"END", "ASC", "DESC", "NULLS", "AS", "ON", "USING", "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL"}
)


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause's first word, the character where it starts, and its nodes without that word and its BY."""

    word: str
    start: int
    nodes: tuple[Node, ...]

    def contains(self, character: int) -> bool:
        return bool(self.nodes) and self.nodes[0].start <= character < self.nodes[-1].end


def split_clauses(nodes: Sequence[Node]) -> list[Clause]:
    """List the clauses of the SELECT that *nodes* begin with, with its set operations and without the WITH before it.

    *nodes* are those of a statement, or of one pair of parentheses. Empty when no SELECT stands there.
    """
    starts = [i for i in range(len(nodes)) if _begins_clause(nodes, i)]
    selects = [i for i in starts if nodes[i].word == "SELECT"]
    starts = [i for i in starts if selects and i >= selects[0]]
    return [_cut(nodes, i, end) for i, end in zip(starts, [*starts[1:], len(nodes)])]


def is_after_dot(nodes: Sequence[Node], i: int) -> bool:
    """Tell whether the node at *i* is the second part of a name, whatever word it is."""
    return i > 0 and nodes[i - 1].text == "."


def _begins_clause(nodes: Sequence[Node], i: int) -> bool:
    word = nodes[i].word
    if word not in _CLAUSES or _is_name(nodes, i):
        return False
    following = nodes[i + 1] if i + 1 < len(nodes) else None
    if word == "FROM":
        return not _is_word_of_expression(nodes, i)
    if word == "WINDOW":
        return [node.word for node in nodes[i + 2 : i + 3]] == ["AS"]
    if word in ("LIMIT", "OFFSET"):
        return following is not None and _may_begin_operand(following)
    if word in ("EXCEPT", "MINUS"):
        return following is not None and (following.kind == "parens" or following.word in _BEGIN_A_QUERY)
    return word not in _FOLLOWED_BY or (following is not None and following.word in _FOLLOWED_BY[word])


def _is_name(nodes: Sequence[Node], i: int) -> bool:
    """Tell a word that can only be a name: in two parts, or after AS. After an operator or BY it may begin a clause.

    ``order by id using > limit 3`` and ``order by by limit 3`` have limits.
    """
    is_qualifier = i + 1 < len(nodes) and nodes[i + 1].text == "."
    is_alias = i > 0 and nodes[i - 1].word == "AS" and not is_after_dot(nodes, i - 1)
    return is_qualifier or is_alias or is_after_dot(nodes, i)


def _is_word_of_expression(nodes: Sequence[Node], i: int) -> bool:
    """Tell the FROM of ``a IS DISTINCT FROM b`` and of ``nth_value(x, 2) FROM LAST OVER (...)``."""
    if i > 1 and nodes[i - 1].word == "DISTINCT":
        return nodes[i - 2].word in ("IS", "NOT")
    following = [node.word for node in nodes[i + 1 : i + 3]]
    return following[:1] in (["FIRST"], ["LAST"]) and following[1:] in (["OVER"], ["RESPECT"], ["IGNORE"])


def _may_begin_operand(node: Node) -> bool:
    if node.kind == "operator":
        return node.text in "+-~@!"
    return node.kind != "punctuation" and node.word not in _CONTINUE_AN_EXPRESSION


def _cut(nodes: Sequence[Node], start: int, end: int) -> Clause:
    head = nodes[start]
    by = [i for i in range(start + 1, min(start + 3, end)) if nodes[i].word == "BY"]
    first = by[0] + 1 if head.word in ("GROUP", "ORDER", "CONNECT") and by else start + 1
    return Clause(head.word, head.start, tuple(nodes[first:end]))
