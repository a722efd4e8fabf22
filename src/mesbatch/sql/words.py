"""Words that may stand in an expression; any other word after an operand may begin a clause that is not known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from mesbatch.sql.doubt import Doubt
from mesbatch.sql.tree import Node

_BEFORE_AN_OPERAND = frozenset(
    {"AND", "OR", "NOT", "IN", "IS", "LIKE", "ILIKE", "GLOB", "REGEXP", "MATCH", "BETWEEN", "SYMMETRIC", "CASE", "WHEN"}
    | {"THEN", "ELSE", "COLLATE", "ESCAPE", "DISTINCT", "FROM", "TO", "ZONE", "DATE", "TIMESTAMP", "INTERVAL", "DIV"}
    | {"MOD", "OVER", "RLIKE", "PRIOR", "CONNECT_BY_ROOT", "BINARY"}
)
_AFTER_AN_OPERAND = frozenset(
    {"AND", "OR", "NOT", "IN", "IS", "LIKE", "ILIKE", "GLOB", "REGEXP", "MATCH", "BETWEEN", "COLLATE", "ESCAPE", "AT"}
    | {"TIME", "ZONE", "SIMILAR", "TO", "NULL", "ISNULL", "NOTNULL", "WHEN", "THEN", "ELSE", "END", "FROM", "WITHOUT"}
    | {"WITH", "PRECISION", "VARYING", "OVERLAPS", "YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "DIV", "RLIKE"}
    | {"MOD", "OVER", "FILTER", "WITHIN", "KEEP", "IGNORE", "RESPECT"}
)
_AFTER_ANOTHER_WORD = {
    "WITHIN": {"GROUP"},
    "IGNORE": {"NULLS"},
    "RESPECT": {"NULLS"},
    "NULLS": {"FIRST", "LAST", "OVER"},
    "LOCAL": {"TIME"},
}
_ORDERING = frozenset({"ASC", "DESC", "NULLS"})


def check_words(nodes: Sequence[Node], known: frozenset[str] = frozenset()) -> None:
    """Raise `Doubt` for a word, or a second operand, that stands where an operator is due; *known* words may stand."""
    for previous, node in pairwise(nodes):
        is_operand = node.kind in ("name", "quoted", "number") or (node.kind == "bind" and node.text[0] != "?")
        if is_operand and not _is_expected(previous, node, known):
            raise Doubt("not known what this word does", [previous, node])


def check_order(nodes: Sequence[Node]) -> None:
    """Raise `Doubt` for a word of ORDER BY that may begin a clause behind it."""
    check_words(nodes, _ORDERING)


def _is_expected(previous: Node, node: Node, known: frozenset[str]) -> bool:
    if previous.kind == "operator" or previous.text in (",", "."):
        return True
    is_word = node.word in _AFTER_AN_OPERAND or node.word in known
    return is_word or previous.word in _BEFORE_AN_OPERAND or node.word in _AFTER_ANOTHER_WORD.get(previous.word, ())
