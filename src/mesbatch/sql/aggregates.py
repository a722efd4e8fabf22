"""Aggregates of a SELECT without GROUP BY: they make one row of the rows of all keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from mesbatch.sql.doubt import Doubt
from mesbatch.sql.functions import AGGREGATES_OF_ROWS, SCALAR_FUNCTIONS, WORDS_BEFORE_PARENTHESES
from mesbatch.sql.key_column import KeyColumn
from mesbatch.sql.names import fold, read_path
from mesbatch.sql.select import Select
from mesbatch.sql.tokens import unquote
from mesbatch.sql.tree import Node, Parens, levels

_BEFORE_OVER = frozenset({"FILTER", "KEEP", "IGNORE", "RESPECT", "NULLS", "FROM", "FIRST", "LAST"})


def judge_functions(select: Select, column: KeyColumn) -> None:
    """Raise `Doubt` for any function that is not known to look at one row only."""
    source = levels(select.clauses["FROM"], with_queries=False)
    outer_names = {fold(unquote(node.text)) for level in source for node in level if node.identity}
    for nodes in select.expressions:
        for level in levels(nodes, with_queries=False):
            for i in _calls(level):
                if not _is_scalar(level, i) and not _has_window(level, i):
                    raise Doubt("not known to look at one row only", level[i : i + 2])
            for i in _calls_with_dot(level):
                if not column.is_listed(read_path(level[i - 1 : i + 2])):
                    raise Doubt("could aggregate, as PostgreSQL lets a function be written", level[i - 1 : i + 2])
            for node in level:
                if isinstance(node, Parens) and node.is_query:
                    _judge_subquery(node, outer_names)


def _judge_subquery(query: Parens, outer_names: set[str]) -> None:
    """Raise `Doubt` when an aggregate in *query* could belong to the SELECT around it.

    ``(SELECT max(t.a))`` in a SELECT from t is an aggregate of that SELECT.
    """
    of_subquery = _mark_arguments(query, outer_names)
    for level in levels(query.nodes):
        for i in _calls(level):
            if not (_is_scalar(level, i) or _has_window(level, i) or _is_of_subquery(level, i, of_subquery)):
                words = level[i : i + 2]
                raise Doubt("could aggregate over the outer SELECT unless its columns are qualified", words)
        for i in _calls_with_dot(level):
            if not _is_inner_column(level, i - 1, outer_names):
                raise Doubt("could aggregate, as PostgreSQL lets a function be written", level[i - 1 : i + 2])


def _calls(level: Sequence[Node]) -> Iterator[int]:
    for i, (node, following) in enumerate(pairwise(level)):
        if following.text == "(" and node.identity and node.word not in WORDS_BEFORE_PARENTHESES:
            yield i


def _calls_with_dot(level: Sequence[Node]) -> Iterator[int]:
    """Find the dots of ``t.count``, which PostgreSQL takes for ``count(t)`` where t has no column of that name."""
    for i in range(1, len(level) - 1):
        name, following = level[i + 1], [node.text for node in level[i + 2 : i + 3]]
        is_aggregate = bool(name.identity) and fold(unquote(name.text)) in AGGREGATES_OF_ROWS
        if level[i].text == "." and is_aggregate and following not in (["("], ["."]):
            yield i


def _is_scalar(level: Sequence[Node], call: int) -> bool:
    is_qualified = call > 0 and level[call - 1].text == "."
    has_rows = _word_after(level, call) in ("FILTER", "WITHIN", "KEEP")
    return level[call].word in SCALAR_FUNCTIONS and not is_qualified and not has_rows


def _has_window(level: Sequence[Node], call: int) -> bool:
    i = call + 2
    while i < len(level) and level[i].word in _BEFORE_OVER:
        has_arguments = i + 1 < len(level) and level[i + 1].text == "("
        i += 2 if has_arguments else 1
    return i < len(level) and level[i].word == "OVER"


def _is_of_subquery(level: Sequence[Node], call: int, of_subquery: set[int]) -> bool:
    """Tell whether an aggregate in a subquery belongs to it: when it looks at one of its columns, or at none."""
    arguments = level[call + 1]
    if isinstance(arguments, Parens) and [node.text for node in arguments.nodes] == ["*"]:
        return _word_after(level, call) != "FILTER"
    return id(arguments) in of_subquery


def _mark_arguments(query: Parens, outer_names: set[str]) -> set[int]:
    """Find the parentheses in *query*, by id, that have a column of it and no SELECT at any depth."""
    inner = [node for level in levels(query.nodes) for node in level if isinstance(node, Parens)]
    with_column: set[int] = set()
    with_select: set[int] = set()
    for parens in reversed(inner):  # what is inside comes first
        nodes = parens.nodes
        nested = [id(node) for node in nodes if isinstance(node, Parens)]
        if any(node.word == "SELECT" for node in nodes) or not with_select.isdisjoint(nested):
            with_select.add(id(parens))
        has_column = any(_is_inner_column(nodes, i, outer_names) for i in range(len(nodes) - 2))
        if has_column or not with_column.isdisjoint(nested):
            with_column.add(id(parens))
    return with_column - with_select


def _is_inner_column(nodes: Sequence[Node], i: int, outer_names: set[str]) -> bool:
    """Tell whether a two-part name begins at *i* whose first part the outer FROM does not know."""
    name, dot, column = nodes[i : i + 3]
    is_longer = (i > 0 and nodes[i - 1].text == ".") or (i + 3 < len(nodes) and nodes[i + 3].text in (".", "("))
    is_name = bool(name.identity) and dot.text == "." and bool(column.identity)
    return is_name and not is_longer and fold(unquote(name.text)) not in outer_names


def _word_after(level: Sequence[Node], call: int) -> str:
    return level[call + 2].word if call + 2 < len(level) else ""
