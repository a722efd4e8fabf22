"""One SELECT as it is judged: clauses, outputs as they are written, sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesbatch.sql.clauses import ROW_LIMITS, Clause
from mesbatch.sql.doubt import Doubt
from mesbatch.sql.outputs import is_star, read_output
from mesbatch.sql.sources import Scope, read_scope
from mesbatch.sql.tree import Node, Parens, levels, split_list
from mesbatch.sql.words import check_order, check_words

_JUDGED_CLAUSES = ["SELECT", "FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER"]
_ENDINGS = ROW_LIMITS | {"FOR"}  # of them the rows of a part differ, and no output
_DISTINCT = frozenset({"DISTINCT", "UNIQUE", "DISTINCTROW"})
_LIMITS_BEFORE_OUTPUTS = frozenset({"TOP", "FIRST", "SKIP", "LIMIT", "MIDDLE"})
_AFTER_A_CALL = frozenset({"AS", "OVER", "FILTER", "WITHIN", "KEEP", "IGNORE", "RESPECT", "FROM"})


@dataclass(frozen=True, slots=True)
class Select:
    """The clauses of one SELECT by their first words.

    *items* are its outputs; *distinct* holds the items that DISTINCT compares, None without DISTINCT; *ending* is the
    clause that limits or locks rows.
    """

    clauses: Mapping[str, Sequence[Node]]
    items: Sequence[Sequence[Node]]
    distinct: Sequence[Sequence[Node]] | None
    has_distinct_on: bool
    scope: Scope
    ending: Clause | None

    @property
    def is_grouped(self) -> bool:
        return "GROUP" in self.clauses

    @property
    def expressions(self) -> list[Sequence[Node]]:
        """The clauses in which aggregates and window functions can stand when there is no HAVING."""
        return [self.clauses.get(word, ()) for word in ("SELECT", "WINDOW", "ORDER")]


def read_select(clauses: Sequence[Clause], nodes: Sequence[Node]) -> Select:
    """Read the SELECT that *nodes* are, cut before into *clauses*.

    Raises:
        Doubt: it has a clause or a word that is not known, or is no SELECT.
    """
    for clause in clauses:
        if clause.word not in _JUDGED_CLAUSES and clause.word not in _ENDINGS:
            raise Doubt(f"{clause.word} is not the same for a part of the keys", first_words(clause, nodes))
    endings = [clause for clause in clauses if clause.word in _ENDINGS]
    words = [clause.word for clause in clauses[: len(clauses) - len(endings)]]
    by_word = {clause.word: clause.nodes for clause in clauses}
    in_order = [word for word in _JUDGED_CLAUSES if word in words]
    if words != in_order or nodes[0].word not in ("WITH", "SELECT") or not by_word.get("FROM"):
        raise Doubt("not a SELECT whose clauses are known", nodes)
    head, rest = _cut_head(by_word["SELECT"])
    items = split_list(rest)
    has_on = len(head) > 1
    distinct = (split_list(head[2].nodes) if has_on and isinstance(head[2], Parens) else items) if head else None
    select = Select(by_word, items, distinct, has_on, read_scope(by_word["FROM"]), next(iter(endings), None))
    _check_words(select)
    return select


def first_words(clause: Clause, nodes: Sequence[Node]) -> list[Node]:
    """List the first nodes of *clause* with its own word."""
    start = next(i for i, node in enumerate(nodes) if node.start >= clause.start)
    return list(nodes[start : start + 4])


def _cut_head(nodes: Sequence[Node]) -> tuple[Sequence[Node], Sequence[Node]]:
    """Cut *nodes* into DISTINCT, perhaps with ON and its list, and the outputs after it."""
    is_distinct = bool(nodes) and nodes[0].word in _DISTINCT
    end = int(is_distinct or (bool(nodes) and nodes[0].word == "ALL"))
    if is_distinct and len(nodes) > 2 and nodes[1].word == "ON" and nodes[2].kind == "parens":
        end = 3
    _check_no_limit(nodes[end:])
    return nodes[:end] if is_distinct else (), nodes[end:]


def _check_no_limit(nodes: Sequence[Node]) -> None:
    """Refuse TOP 5, FIRST 5, SKIP 5 and LIMIT 0 5 before the outputs."""
    if len(nodes) < 2 or nodes[0].word not in _LIMITS_BEFORE_OUTPUTS:
        return
    is_limit = nodes[1].kind in ("number", "bind")
    if nodes[1].kind == "parens":
        following = nodes[2] if len(nodes) > 2 else None
        is_call = following is None or following.text in (",", ".") or following.word in _AFTER_A_CALL
        is_operator = following is not None and following.kind == "operator" and following.text != "*"
        is_limit = nodes[0].word == "TOP" or not (is_call or is_operator)
    if is_limit:
        raise Doubt(f"{nodes[0].word} is not the same for a part of the keys", nodes[:2])


def _check_words(select: Select) -> None:
    for item in select.items:
        if not is_star(item):
            check_words(read_output(item)[0])
    for word in ("WHERE", "GROUP", "HAVING"):
        check_words(select.clauses.get(word, ()))
    check_order(select.clauses.get("ORDER", ()))
    for item in split_list(select.clauses.get("WINDOW", ())):
        if item and ([node.word for node in item[1:2]] != ["AS"] or len(item) != 3 or item[2].kind != "parens"):
            raise Doubt("not known what this word does", item)


def check_rownum(select: Select) -> None:
    """Raise `Doubt` for ROWNUM, with which Oracle counts rows as it finds them."""
    for nodes in select.clauses.values():
        for level in levels(nodes, with_queries=False):
            if found := [node for node in level if node.word == "ROWNUM"]:
                raise Doubt("ROWNUM counts the rows of all keys together", found)


def check_ending(select: Select, nodes: Sequence[Node]) -> None:
    """Raise `Doubt` for a limit or locks at the end."""
    if select.ending:
        words = first_words(select.ending, nodes)
        raise Doubt(f"{select.ending.word} is not the same for a part of the keys", words)
