"""What a SELECT does with its rows, judged: DISTINCT, groups, aggregates and windows must keep to one key at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from mesbatch.sql.clauses import closing, own_tokens, split_list, subquery_tokens
from mesbatch.sql.functions import SCALAR_FUNCTIONS, WORDS_BEFORE_PARENTHESES
from mesbatch.sql.key_column import Doubt, KeyColumn, Select, is_star, read_output
from mesbatch.sql.tokens import Token, unquote

_MORE_THAN_ONE_GROUPING = frozenset({"ROLLUP", "CUBE", "GROUPING", "ALL", "DISTINCT"})
_BEFORE_OVER = frozenset({"FILTER", "KEEP", "IGNORE", "RESPECT", "NULLS", "FROM", "FIRST", "LAST"})


def judge_distinct(select: Select, column: KeyColumn) -> None:
    """Raise `Doubt` when DISTINCT could take rows of two keys for one."""
    tokens = select.clauses["SELECT"]
    if not tokens or tokens[0].word not in ("DISTINCT", "UNIQUE"):
        return
    has_on = len(tokens) > 2 and tokens[1].word == "ON"
    items = split_list(tokens[3 : closing(tokens, 2)]) if has_on else select.items
    if not any(column.is_written(read_output(item)[0]) or column.is_in_star(item) for item in items):
        raise Doubt("DISTINCT without the column of the keys", tokens)


def judge_groups(select: Select, column: KeyColumn) -> None:
    """Raise `Doubt` when a group, or the one row of an ungrouped aggregate, could be made of rows of two keys."""
    if not select.is_grouped:
        if "HAVING" in select.clauses:
            raise Doubt("HAVING without GROUP BY", select.clauses["HAVING"])
        _judge_functions(select)
        return
    tokens = select.clauses["GROUP"]
    sets = [token for token in tokens if token.word in _MORE_THAN_ONE_GROUPING]
    if sets:
        raise Doubt("GROUP BY has groups of more than one key", sets)
    if not any(column.is_written(_resolve_ordinal(item, select)) for item in split_list(tokens)):
        raise Doubt("GROUP BY lacks the column of the keys, by its own name (an alias may be another column)", tokens)


def judge_windows(select: Select, column: KeyColumn) -> None:
    """Raise `Doubt` when a window function looks at rows of two keys."""
    named = {item[0].identity: item[2:] for item in split_list(select.clauses.get("WINDOW", ())) if len(item) > 3}
    for tokens in select.expressions:
        own = own_tokens(tokens)
        for i, token in enumerate(own[:-1]):
            if token.word == "OVER" and not _is_cut_by(column, own[i + 1 :], named):
                raise Doubt("a window over the rows of more than one key", own[i : closing(own, i + 1) + 1])


def _resolve_ordinal(item: Sequence[Token], select: Select) -> Sequence[Token]:
    """The output that GROUP BY 2 means, when no star before it hides which one that is."""
    if len(item) != 1 or not item[0].text.isdecimal() or not 1 <= int(item[0].text) <= len(select.items):
        return item
    before = select.items[: int(item[0].text)]
    return () if any(map(is_star, before)) else read_output(before[-1])[0]


def _judge_functions(select: Select) -> None:
    """Without GROUP BY, one aggregate makes one row of all; so every function must be known to be none."""
    outer_names = {unquote(token.text).upper() for token in select.clauses["FROM"] if token.identity}
    for tokens in select.expressions:
        own = own_tokens(tokens)
        for i in _calls(own):
            if not _is_scalar(own, i) and not _has_window(own, i):
                raise Doubt("not known to look at one row only", own[i : closing(own, i + 1) + 1])
        inner = subquery_tokens(tokens)
        for i in _calls(inner):
            if not (_is_scalar(inner, i) or _has_window(inner, i) or _is_of_subquery(inner, i, outer_names)):
                words = inner[i : closing(inner, i + 1) + 1]
                raise Doubt("could aggregate over the outer SELECT unless its columns are qualified", words)


def _calls(tokens: Sequence[Token]) -> Iterator[int]:
    for i, (token, following) in enumerate(pairwise(tokens)):
        if following.text == "(" and token.identity and token.word not in WORDS_BEFORE_PARENTHESES:
            yield i


def _is_scalar(tokens: Sequence[Token], call: int) -> bool:
    is_qualified = call > 0 and tokens[call - 1].text == "."
    has_rows = _word_after(tokens, call) in ("FILTER", "WITHIN", "KEEP")
    return tokens[call].word in SCALAR_FUNCTIONS and not is_qualified and not has_rows


def _has_window(tokens: Sequence[Token], call: int) -> bool:
    i = closing(tokens, call + 1) + 1
    while i < len(tokens) and tokens[i].word in _BEFORE_OVER:
        has_arguments = tokens[i + 1 : i + 2] and tokens[i + 1].text == "("
        i = closing(tokens, i + 1) + 1 if has_arguments else i + 1
    return i < len(tokens) and tokens[i].word == "OVER"


def _is_of_subquery(tokens: Sequence[Token], call: int, outer_names: set[str]) -> bool:
    """Whether an aggregate in a subquery belongs to it: it does when it looks at one of its columns, or at none.

    ``(SELECT max(t.a))`` in a SELECT from t is an aggregate of that SELECT.
    """
    arguments = tokens[call + 2 : closing(tokens, call + 1)]
    if [token.text for token in arguments] == ["*"]:
        return _word_after(tokens, call) != "FILTER"
    if any(token.word == "SELECT" for token in arguments):
        return False
    return any(_is_inner_column(arguments, i, outer_names) for i in range(len(arguments) - 2))


def _is_inner_column(tokens: Sequence[Token], i: int, outer_names: set[str]) -> bool:
    """Whether a two-part name begins at *i* whose first part is nothing that the outer FROM knows."""
    name, dot, column = tokens[i : i + 3]
    is_longer = (i > 0 and tokens[i - 1].text == ".") or (i + 3 < len(tokens) and tokens[i + 3].text in (".", "("))
    is_name = bool(name.identity) and dot.text == "." and bool(column.identity)
    return is_name and not is_longer and unquote(name.text).upper() not in outer_names


def _word_after(tokens: Sequence[Token], call: int) -> str:
    end = closing(tokens, call + 1) + 1
    return tokens[end].word if end < len(tokens) else ""


def _is_cut_by(column: KeyColumn, tokens: Sequence[Token], named: Mapping[str, Sequence[Token]]) -> bool:
    """Whether the window that *tokens* begin with, in parentheses or by name, is partitioned by *column*."""
    window = tokens[1 : closing(tokens, 0)] if tokens[0].text == "(" else tokens[:1]
    if not window:
        return False
    if window[0].word == "PARTITION":
        own = [token.word if token.depth == window[0].depth else "" for token in window]
        end = next((i for i, word in enumerate(own) if word in ("ORDER", "ROWS", "RANGE", "GROUPS")), len(window))
        return any(map(column.is_written, split_list(window[2:end])))
    base = window[0].identity
    others = {name: definition for name, definition in named.items() if name != base}
    return base in named and _is_cut_by(column, named[base], others)
