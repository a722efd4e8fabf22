"""The condition ``IN (:keys)`` in a WHERE."""

from __future__ import annotations

from collections.abc import Sequence

from mesbatch.sql.doubt import Doubt
from mesbatch.sql.functions import SCALAR_FUNCTIONS
from mesbatch.sql.key_column import ColumnOfTable
from mesbatch.sql.names import read_path
from mesbatch.sql.select import Select
from mesbatch.sql.tree import Node, Parens, levels


def read_filter(select: Select, keys: int) -> ColumnOfTable:
    """Read the column on the left of the IN whose parenthesis opens at the character *keys*; none for an expression.

    Raises:
        Doubt: the condition is not one of those that WHERE joins by AND, or keys are not what it compares.
    """
    operand = _find_operand(select.clauses["WHERE"], keys)
    path = read_path(operand)
    if not path:
        _check_expression(operand)
    return ColumnOfTable(select.scope, path)


def _find_operand(condition: Sequence[Node], keys: int) -> Sequence[Node]:
    """Find the nodes on the left of ``IN (:keys)``: a term of *condition*, or of a term that is in parentheses."""
    while True:
        term = next(term for term in _conjuncts(condition) if term and term[0].start <= keys < term[-1].end)
        (first, *others) = term
        if others or not isinstance(first, Parens):
            break
        if first.is_query:
            raise Doubt("the keys stand in a subquery of WHERE", term)
        condition = first.nodes
    if len(term) < 3 or term[-2].word != "IN" or term[-1].start != keys:
        raise Doubt("IN (:keys) is not a condition of its own", term)
    if term[-3].word == "NOT":
        raise Doubt("each part would give what belongs to the others", term)
    return term[:-2]


def _conjuncts(condition: Sequence[Node]) -> list[list[Node]]:
    """List the terms that AND joins; CASE and BETWEEN keep theirs."""
    terms: list[list[Node]] = [[]]
    cases = betweens = 0
    for previous, node in zip((None, *condition), condition):
        word = "" if previous and previous.text == "." else node.word
        cases += (word == "CASE") - (word == "END")
        if cases < 0 or (word in ("OR", "XOR") and not cases):
            raise Doubt(f"{word} stands beside the keys", condition)
        if node.text == "||" and not cases:
            raise Doubt("|| beside the keys is OR in MySQL unless it stands in parentheses", condition)
        betweens += word == "BETWEEN" and not cases
        joins = word == "AND" and not cases
        if joins and not betweens:
            terms.append([])
        else:
            terms[-1].append(node)
            betweens -= joins
    return terms


def _check_expression(operand: Sequence[Node]) -> None:
    """Accept a known function, or a column's cast; anything else could bind weaker than IN, or equal two keys."""
    is_call = len(operand) == 2 and operand[0].word in SCALAR_FUNCTIONS and operand[1].text == "("
    inner = list(levels(operand))
    has_query = any(isinstance(node, Parens) and node.is_query for level in inner for node in level)
    is_cast = len(operand) > 2 and operand[-2].text == "::" and bool(read_path(operand[:-2])) and operand[-1].word
    is_collated = any(node.word == "COLLATE" for level in inner for node in level)
    if not ((is_call and not has_query) or is_cast) or is_collated:
        raise Doubt("IN (:keys) has neither a column nor a known function on its left", operand)
