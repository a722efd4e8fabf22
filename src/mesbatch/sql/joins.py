"""Joins of a FROM that begins with the rows of the keys: each of these rows must have its own rows of the result."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from mesbatch.sql.clauses import is_after_dot
from mesbatch.sql.doubt import Doubt
from mesbatch.sql.select import Select
from mesbatch.sql.tree import Node, Parens
from mesbatch.sql.words import check_words

_OF_BOTH_SIDES = frozenset({"RIGHT", "FULL"})
_OF_ALL_ROWS = frozenset({"PIVOT", "UNPIVOT", "MATCH_RECOGNIZE", "PARTITION", "MODEL", "POSITIONAL", "ASOF"})
_ON = frozenset({"ON"})


def check_joins(select: Select) -> None:
    """Check all joins of *select*, whose first source has the rows of the keys.

    Raises:
        Doubt: a join gives rows of no key or of more than one, or is not known.
    """
    nodes = select.clauses["FROM"]
    for i, node in enumerate(nodes):
        is_join = node.word in _OF_BOTH_SIDES and [near.word for near in nodes[i + 1 : i + 2]] in (["JOIN"], ["OUTER"])
        if (is_join or node.word in _OF_ALL_ROWS) and not is_after_dot(nodes, i):
            raise Doubt("may give rows that belong to no key, or to more than one", nodes[i : i + 2])
    if any(node.text == "(" or node.kind == "bind" for node in nodes[1:2]):
        raise Doubt("not known what this source gives", nodes[:2])
    for source in select.scope.sources:
        if source.rest:
            raise Doubt("what follows the derived table is not known to keep its rows apart", source.rest)
        check_words(source.condition, _ON)
    _check_oracle_joins(select.clauses.get("WHERE", ()))


def _check_oracle_joins(condition: Sequence[Node]) -> None:
    for previous, node in pairwise(condition):
        if isinstance(node, Parens) and [inner.text for inner in node.nodes] == ["+"]:
            raise Doubt("may give rows that belong to no key", [previous, node])
