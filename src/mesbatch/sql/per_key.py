"""Checks that a SELECT keeps the rows of each key to themselves: in DISTINCT, in groups and in windows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from mesbatch.sql.aggregates import judge_functions
from mesbatch.sql.doubt import Doubt
from mesbatch.sql.key_column import KeyColumn
from mesbatch.sql.names import fold, read_path
from mesbatch.sql.outputs import Outputs, Star
from mesbatch.sql.select import Select
from mesbatch.sql.tokens import unquote
from mesbatch.sql.tree import Node, Parens, levels, split_list

_MORE_THAN_ONE_GROUPING = frozenset({"ROLLUP", "CUBE", "GROUPING", "ALL", "DISTINCT"})
_ORDINAL_DIGITS = 6  # no statement has a million outputs, and int() of a long text takes quadratic time
_AFTER_PARTITION = frozenset({"ORDER", "ROWS", "RANGE", "GROUPS"})


def judge_distinct(select: Select, column: KeyColumn, outputs: Outputs) -> None:
    """Raise `Doubt` when DISTINCT could take rows of two keys for one."""
    if select.distinct is None:
        return
    if select.has_distinct_on:
        has_key = any(_is_key_by_name(item, column, outputs) for item in select.distinct)
    else:
        has_key = any(bool(item.keys) if isinstance(item, Star) else item.is_key for item in outputs.items)
    if not has_key:
        raise Doubt("DISTINCT without the column of the keys", select.clauses["SELECT"])


def judge_groups(select: Select, column: KeyColumn, outputs: Outputs) -> None:
    """Raise `Doubt` when a group, or the one row of an ungrouped aggregate, could be made of rows of two keys."""
    if not select.is_grouped:
        if "HAVING" in select.clauses:
            raise Doubt("HAVING without GROUP BY", select.clauses["HAVING"])
        judge_functions(select, column)
        return
    nodes = select.clauses["GROUP"]
    sets = [node for node in nodes if node.word in _MORE_THAN_ONE_GROUPING]
    if sets:
        raise Doubt("GROUP BY has groups of more than one key", sets)
    has_one_source = len(select.scope.sources) == 1
    if not any(_is_grouping_key(item, select, column, outputs, has_one_source) for item in split_list(nodes)):
        raise Doubt("GROUP BY lacks the column of the keys, by its own name (an alias may be another column)", nodes)


def judge_windows(select: Select, column: KeyColumn) -> None:
    """Raise `Doubt` when a window function looks at rows of two keys."""
    windows = _Windows(column, select.clauses.get("WINDOW", ()))
    for nodes in select.expressions:
        for level in levels(nodes, with_queries=False):
            for node, window in pairwise(level):
                if node.word == "OVER" and not windows.is_of_one_key(window):
                    raise Doubt("a window over the rows of more than one key", [node, window])


def _is_key_by_name(item: Sequence[Node], column: KeyColumn, outputs: Outputs) -> bool:
    """Tell whether *item* is the column of the keys where a name without qualifier may mean an output first."""
    path = read_path(item)
    is_output = len(path) == 1 and outputs.may_list_other(path[0])
    is_in_star = len(path) == 1 and any(isinstance(star, Star) and path[0] not in star.only for star in outputs.items)
    return column.is_written(item) and not is_output and not is_in_star


def _is_grouping_key(
    item: Sequence[Node], select: Select, column: KeyColumn, outputs: Outputs, has_one_source: bool
) -> bool:
    """Tell whether GROUP BY *item* groups by key; MySQL takes a name that two sources have for an output."""
    if len(item) == 1 and item[0].kind == "number":
        return _is_key_output(item[0].text, outputs)
    return column.is_written(item) if has_one_source else _is_key_by_name(item, column, outputs)


def _is_key_output(ordinal: str, outputs: Outputs) -> bool:
    """Tell whether GROUP BY 2 means the column of the keys; a star before it hides which output that is."""
    position = int(ordinal) if ordinal.isdecimal() and len(ordinal) < _ORDINAL_DIGITS else 0
    return 1 <= position <= len(outputs.countable) and outputs.countable[position - 1].is_key


class _Windows:
    """The windows of one SELECT; each of them is judged once."""

    def __init__(self, column: KeyColumn, named: Sequence[Node]) -> None:
        self._column = column
        self._named: dict[str, Parens | None] = {}
        self._judged: dict[str, bool] = {}
        for item in split_list(named):
            if item and isinstance(item[-1], Parens):
                name = fold(unquote(item[0].text))
                self._named[name] = None if name in self._named else item[-1]

    def is_of_one_key(self, window: Node) -> bool:
        """Tell whether *window*, in parentheses or by name, is partitioned by the column of the keys."""
        followed: list[str] = []
        verdict: bool | None = None
        while verdict is None:
            if isinstance(window, Parens):
                if not window.nodes or window.nodes[0].word == "PARTITION":
                    verdict = self._is_partitioned(window.nodes)
                    break
                window = window.nodes[0]
            name = fold(unquote(window.text)) if window.identity else ""
            verdict = self._judged.get(name)
            definition = self._named.get(name)
            if verdict is None and (definition is None or name in followed):
                verdict = False
            if definition is not None:
                window = definition
            followed.append(name)
        self._judged.update(dict.fromkeys(followed, verdict))
        return verdict

    def _is_partitioned(self, nodes: Sequence[Node]) -> bool:
        end = next((i for i, node in enumerate(nodes) if node.word in _AFTER_PARTITION), len(nodes))
        return any(map(self._column.is_written, split_list(nodes[2:end])))
