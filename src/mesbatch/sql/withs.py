"""WITHs of a query, and the places that use their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from mesbatch.sql.clauses import SET_OPERATIONS
from mesbatch.sql.doubt import Doubt
from mesbatch.sql.names import Name, fold, read_name
from mesbatch.sql.tokens import Token, unquote
from mesbatch.sql.tree import Node, Parens

# A name that follows one of these is no table.
_BEFORE_A_COLUMN = frozenset(
    {"SELECT", "DISTINCT", "BY", "WHERE", "AND", "OR", "NOT", "ON", "AS", "CASE", "WHEN", "THEN", "ELSE", "BETWEEN"}
    | {"LIKE", "IS", "HAVING"}
)
_AFTER_OUTPUTS = SET_OPERATIONS | {"FROM", "TABLE", "VALUES"}


@dataclass(frozen=True, slots=True)
class With:
    """One ``name (columns) AS (body)``; *nodes* are all of it."""

    name: Token
    columns: Sequence[Name]
    body: Parens
    nodes: Sequence[Node]


@dataclass(frozen=True, slots=True)
class Use:
    """A place where a name stands as a table could: the token, and the parentheses around it."""

    token: Token
    parens: Parens


class Withs:
    """The WITHs that *query* begins with, read when one of them is asked for."""

    def __init__(self, query: Parens) -> None:
        self._nodes = query.nodes
        selects = (node.start for node in query.nodes if node.word == "SELECT")
        self._end = next(selects, query.end) if query.nodes[0].word == "WITH" else 0

    def find(self, body: Parens) -> With | None:
        """Find the WITH of which *body* is the query; None when *body* stands behind all of them.

        Raises:
            Doubt: they are RECURSIVE, or written in a way that is not known.
        """
        if body.start >= self._end:
            return None
        if body.start not in self._by_body:
            raise Doubt("not known how this WITH is written", self._nodes)
        return self._by_body[body.start]

    @cached_property
    def _by_body(self) -> Mapping[int, With]:
        nodes = self._nodes
        if [node.word for node in nodes[1:2]] == ["RECURSIVE"] and [node.word for node in nodes[2:3]] != ["AS"]:
            raise Doubt("the keys stand in a WITH RECURSIVE", nodes)
        withs: dict[int, With] = {}
        at = 0
        while at == 0 or (at < len(nodes) and nodes[at].text == ","):
            found, at = _read_with(nodes, at + 1)
            withs[found.body.start] = found
        if at >= len(nodes) or nodes[at].word != "SELECT":
            raise Doubt("not known what follows the WITH", nodes)
        return withs


def index_uses(root: Parens) -> Mapping[str, Sequence[Use]]:
    """Find all places where a name stands as a table could, by the folded name.

    Rather too many than too few: names that are defined are among them, and columns after a comma outside of outputs.
    """
    uses: dict[str, list[Use]] = defaultdict(list)
    waiting = [root]
    while waiting:
        parens = waiting.pop()
        is_output = False
        for i, node in enumerate(parens.nodes):
            if isinstance(node, Parens):
                waiting.append(node)
                continue
            is_output = node.word == "SELECT" or (is_output and node.word not in _AFTER_OUTPUTS)
            name = read_name(node)  # also of a string, which SQLite takes for a table's name
            if name and _may_be_table(parens.nodes, i, is_output=is_output):
                uses[name.loose].append(Use(node, parens))
    return uses


def find_use(found: With, scope: Parens, uses: Mapping[str, Sequence[Use]]) -> Use:
    """Find the one place that uses *found*, a WITH of the query *scope*.

    Raises:
        Doubt: it is used never, more than once, or before its end.
    """
    found_uses = [use for use in uses.get(fold(unquote(found.name.text)), ()) if use.token is not found.name]
    if len(found_uses) != 1:
        raise Doubt(f"the keys stand in a WITH whose name is used {len(found_uses)} times, not once", found.nodes)
    (use,) = found_uses
    if use.token.start < found.body.end or (scope.opening and use.token.start > scope.end):
        raise Doubt("the keys stand in a WITH that is not used behind it", found.nodes)
    return use


def _read_with(nodes: Sequence[Node], start: int) -> tuple[With, int]:
    """Read the WITH at *start*, and the position after it."""
    at = start + 1
    columns: Sequence[Name | None] = ()
    if at < len(nodes) and isinstance(listed := nodes[at], Parens):
        columns = [read_name(node) for node in listed.nodes if node.text != ","]
        at += 1
    words = [node.word for node in nodes[at : at + 3]]
    options = {("AS", "NOT", "MATERIALIZED"): 3, ("AS", "MATERIALIZED"): 2, ("AS",): 1}
    length = next((options[key] for key in options if tuple(words[: len(key)]) == key), 0)
    body = nodes[at + length] if length and at + length < len(nodes) else None
    name = nodes[start] if start < len(nodes) else None
    if not isinstance(name, Token) or not name.identity or not isinstance(body, Parens) or None in columns:
        raise Doubt("not known how this WITH is written", nodes[start:])
    names = [column for column in columns if column]
    return With(name, names, body, nodes[start : at + length + 1]), at + length + 1


def _may_be_table(nodes: Sequence[Node], i: int, *, is_output: bool) -> bool:
    if i + 1 < len(nodes) and nodes[i + 1].text == ".":
        return False
    if i == 0:
        return not is_output
    previous = nodes[i - 1]
    if is_output:
        return previous.word == "IN"  # SQLite: k in name
    return previous.kind != "operator" and previous.text != "." and previous.word not in _BEFORE_A_COLUMN
