"""Tables and subqueries of a FROM, with the names that qualify their columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from mesbatch.sql.clauses import is_after_dot
from mesbatch.sql.names import Name, Path, exact_path, read_name, read_path
from mesbatch.sql.tree import Node, Parens, split_list

JOIN_WORDS = frozenset({"JOIN", "APPLY"})

_BEFORE_JOIN = frozenset(
    {"NATURAL", "INNER", "LEFT", "RIGHT", "FULL", "OUTER", "CROSS", "ASOF", "POSITIONAL", "SEMI", "ANTI"}
)
_BEFORE_A_SOURCE = frozenset({"LATERAL", "ONLY"})
_NO_ALIAS = _BEFORE_JOIN | {"ON", "USING", "WITH", "NOT", "TABLESAMPLE", "PIVOT", "UNPIVOT", "PARTITION"}
_NO_ALIAS |= {"MATCH_RECOGNIZE"}


@dataclass(frozen=True, slots=True)
class Source:
    """One table, function or subquery of a FROM.

    *name* is the alias or, without one, the table's own name with what qualifies it. *is_renamed* tells that it has a
    list of column names. *rest* holds nodes that are not understood, *condition* the nodes after ON.
    """

    name: Path
    has_alias: bool = False
    is_renamed: bool = False
    rest: Sequence[Node] = ()
    condition: Sequence[Node] = ()

    def is_named(self, qualifier: Path) -> bool:
        name = self.name if self.has_alias else self.name[-len(qualifier) :]
        return exact_path(qualifier) == exact_path(name)


@dataclass(slots=True)
class Scope:
    """The sources of one FROM, and the columns that its joins merge into one.

    The first source is the first in the text. Unless *is_known*, something is left that could give a source another
    name.
    """

    sources: list[Source] = field(default_factory=list)
    is_known: bool = True
    is_natural: bool = False
    _merged: set[str] = field(default_factory=set)
    _by_name: dict[str, list[Source]] = field(default_factory=lambda: defaultdict(list))

    def merges(self, name: Name) -> bool:
        """Tell whether a column of this name may be one that NATURAL or USING makes of two."""
        return self.is_natural or name.loose in self._merged

    def find(self, qualifier: Path) -> Source | None:
        """Find the source that *qualifier* means in every database; None when it could mean another, or none."""
        if not qualifier or not self.is_known:
            return None
        found = self._by_name.get(qualifier[-1].loose, [])
        return found[0] if len(found) == 1 and found[0].is_named(qualifier) else None

    def is_ambiguous(self, qualifier: Path) -> bool:
        """Tell whether two sources could have this name; MySQL tells apart ``h`` and ``H``."""
        return bool(qualifier) and len(self._by_name.get(qualifier[-1].loose, ())) > 1

    def add(self, source: Source) -> None:
        self.sources.append(source)
        self.is_known = self.is_known and not source.rest
        if source.name:
            self._by_name[source.name[-1].loose].append(source)

    def merge(self, columns: Parens) -> None:
        self._merged.update(name.loose for node in columns.nodes if (name := read_name(node)))


def read_scope(nodes: Sequence[Node]) -> Scope:
    """Read the nodes after FROM."""
    scope = Scope()
    waiting = [nodes]
    while waiting:
        joined = waiting.pop()
        scope.is_natural |= any(node.word == "NATURAL" for node in joined)
        for piece in _cut_at_joins(joined):
            for i, node in enumerate(piece[:-1]):
                if node.word == "USING" and isinstance(columns := piece[i + 1], Parens):
                    scope.merge(columns)
            first = next((node for node in piece if node.word not in _BEFORE_A_SOURCE), None)
            if isinstance(first, Parens) and not first.is_query:
                waiting.append(first.nodes)
            scope.add(_read_source(piece))
    return scope


def _cut_at_joins(nodes: Sequence[Node]) -> list[list[Node]]:
    """Cut *nodes* into pieces that begin with a source; the words before a JOIN are left out."""
    pieces: list[list[Node]] = [[]]
    for item in split_list(nodes):
        for i, node in enumerate(item):
            if node.word in JOIN_WORDS and not is_after_dot(item, i):
                while pieces[-1] and pieces[-1][-1].word in _BEFORE_JOIN:
                    pieces[-1].pop()
                pieces.append([])
            else:
                pieces[-1].append(node)
        pieces.append([])
    return pieces[:-1]


def _read_source(piece: Sequence[Node]) -> Source:
    end = next((i for i in range(len(piece)) if _ends_source(piece, i)), len(piece))
    head, joined = piece[:end], _after_using(piece[end:])
    has_condition = bool(joined) and joined[0].word == "ON"
    name, i = _read_table(head)
    alias, i = _read_alias(head, i)
    is_renamed = alias is not None and i < len(head) and head[i].text == "("
    rest = [*head[i + is_renamed :], *([] if has_condition else joined)]
    return Source((alias,) if alias else name, alias is not None, is_renamed, rest, joined[has_condition:])


def _ends_source(piece: Sequence[Node], i: int) -> bool:
    is_using = piece[i].word == "USING" and [node.text for node in piece[i + 1 : i + 2]] == ["("]
    return (is_using or piece[i].word == "ON") and not is_after_dot(piece, i)


def _after_using(piece: Sequence[Node]) -> Sequence[Node]:
    """Find the ON of a join around the one that *piece* ends with USING: ``a join b join c using (x) on ...``."""
    while len(piece) > 1 and piece[0].word == "USING":
        piece = piece[4:] if [node.word for node in piece[2:3]] == ["AS"] else piece[2:]
    return piece


def _read_table(head: Sequence[Node]) -> tuple[Path, int]:
    """Read the name of the table or function that *head* begins with, and the position after it."""
    start = i = 1 if len(head) > 1 and head[0].word in _BEFORE_A_SOURCE else 0
    if i < len(head) and head[i].kind == "parens":
        return (), i + 1
    while i + 2 < len(head) and head[i].identity and head[i + 1].text == ".":
        i += 2
    name = read_path(head[start : i + 1])
    i += bool(name)
    if i < len(head) and head[i].kind == "bind" and head[i].text[0] == "@":  # a table of another database: h@mes
        i += 1
    if i < len(head) and head[i].text == "(":  # a function's arguments
        i += 1
    if [node.word for node in head[i : i + 2]] == ["WITH", "ORDINALITY"]:
        i += 2
    return name, i


def _read_alias(head: Sequence[Node], i: int) -> tuple[Name | None, int]:
    has_as = i + 1 < len(head) and head[i].word == "AS"
    at = i + has_as
    if at < len(head) and head[at].word not in _NO_ALIAS and (alias := read_name(head[at])):
        return alias, at + 1
    return None, i
