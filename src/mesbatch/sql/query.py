"""Facts about a statement that every reader needs: that it reads, the place of its ``:keys``, its order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

from mesbatch.errors import StatementError
from mesbatch.sql.backslashes import without_backslashed_quotes
from mesbatch.sql.clauses import ROW_LIMITS, SET_OPERATIONS, split_clauses
from mesbatch.sql.tokens import Token, significant_tokens, tokenize, unquote
from mesbatch.sql.tree import Node, Parens, read_tree, write_nodes

READING = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "PRAGMA", "SHOW"})
WANTED = "wanted: IN (:keys), once, outside quotes and comments"

_KEYS = r"(?is):keys|__\[POSTCOMPILE_keys(?:~~.+?~~)?\]"
_BEFORE_A_PREDICATE = frozenset({"WHERE", "AND", "OR", "NOT", "ON", "HAVING", "WHEN", "THEN", "ELSE", "SELECT", "CASE"})


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """The condition ``IN (:keys)`` of a statement, which is ``before + "(" + binds + ")" + after``.

    *before* ends with the word IN, *before_in* with the expression left of IN or NOT IN. *column* is the last name of
    that expression, without quotes, when the expression is a column; *negated* says NOT IN.
    """

    before: str
    after: str
    before_in: str
    column: str | None
    negated: bool


@dataclass(frozen=True, slots=True)
class OrderBy:
    """The ORDER BY of a statement, and the text around it: ``f"{before} ORDER BY {terms} {after}"``.

    *terms* is None where nothing is ordered; *before* and *after* then stand around the place for it. Only when
    *is_one_select* (no set operation, no hierarchy, not VALUES or the like) do the terms belong to one SELECT; else,
    and when *is_limited* (LIMIT, OFFSET, FETCH), the statement is to be wrapped as a derived table before it is
    ordered anew. *is_locking* says FOR UPDATE or its like.
    """

    before: str
    terms: str | None
    after: str
    is_one_select: bool
    is_limited: bool
    is_locking: bool


def check_reads(sql: str) -> str:
    """Check that *sql* is one statement that returns rows; give it back without semicolon and comments at its end.

    A text that only MySQL reads to its end is given back so written that everybody does. Looks at words only: a
    function that writes is not noticed, nor is what EXPLAIN or PRAGMA do beyond reading.

    Raises:
        StatementError: the text is empty, cut, two statements, or one that changes data or returns no rows; or its
            parentheses do not pair, or are nested more than a thousand deep.

    >>> check_reads("select * from lot_history; -- all of them")
    'select * from lot_history'
    """
    try:
        return _check_reads(sql)
    except StatementError as error:
        with suppress(StatementError):  # MySQL has quotes after backslashes, and comments after `#`
            return _check_reads(without_backslashed_quotes(sql))
        raise error from None


def _check_reads(sql: str) -> str:
    tokens = significant_tokens(sql)
    _check_closed(tokens)
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    if not tokens:
        raise StatementError(f"wanted one statement, got an empty one: {sql[:60]!r}")
    if any(token.text == ";" for token in tokens):
        raise StatementError(f"wanted one statement, got at least two: {write_nodes(tokens)!r}")
    _check_head(read_tree(tokens).nodes)
    _check_changes_nothing(tokens)
    return sql[: tokens[-1].end]


def find_keys(sql: str) -> KeyFilter:
    """Find the ``IN (:keys)`` of *sql*, also as SQLAlchemy compiles it: ``IN (__[POSTCOMPILE_keys])``.

    Raises:
        StatementError: there is none, more than one, or it stands as something else; the message shows it.

    >>> place = find_keys("select * from holds h where h.CONTAINERID in (:keys) and QTY > 0")
    >>> place.column, place.before[-8:], place.after
    ('CONTAINERID', 'ERID in ', ' and QTY > 0')
    """
    tokens = significant_tokens(sql)
    found = [i for i, token in enumerate(tokens) if token.kind == "bind" and re.fullmatch(_KEYS, token.text)]
    if not found:
        raise StatementError(f"the statement has no :keys{_hidden_keys(sql)}; {WANTED}")
    if len(found) > 1:
        raise StatementError(f"the statement has :keys {len(found)} times; {WANTED}")
    at = found[0]
    around = [token.text for token in tokens[at - 1 : at + 2]]
    if at < 3 or tokens[at - 2].word != "IN" or around[::2] != ["(", ")"]:
        raise StatementError(f":keys stands as {write_nodes(tokens[max(at - 3, 0) : at + 3])!r}; {WANTED}")
    negated = tokens[at - 3].word == "NOT"
    left = tokens[: at - 3 if negated else at - 2]
    before_in = sql[: left[-1].end] if left else ""
    return KeyFilter(sql[: tokens[at - 1].start], sql[tokens[at + 1].end :], before_in, _column(left), negated)


@lru_cache(maxsize=16)  # all statements of a keyed read ask for the same text
def find_order_by(sql: str) -> OrderBy:
    """Find the ORDER BY of the outermost SELECT of *sql*, as `check_reads` gave it, or the place where one could stand.

    >>> find_order_by("select a from t order by a desc limit 5").terms
    'a desc'
    >>> find_order_by("select a from t limit 5").before
    'select a from t '
    """
    nodes = read_tree(significant_tokens(sql)).nodes
    clauses = split_clauses(nodes)
    words = [clause.word for clause in clauses]
    tail = [clause for clause in clauses if clause.word in ROW_LIMITS | {"ORDER", "FOR"}]
    end = nodes[-1].end if nodes else 0
    start = min((clause.start for clause in tail), default=end)
    ordered = next((clause.nodes for clause in tail if clause.word == "ORDER" and clause.nodes), ())
    rest = min((clause.start for clause in tail if clause.word != "ORDER"), default=end)
    return OrderBy(
        before=sql[:start],
        terms=sql[ordered[0].start : ordered[-1].end] if ordered else None,
        after=sql[rest:end],
        is_one_select=words.count("SELECT") == 1 and not SET_OPERATIONS.union({"CONNECT"}).intersection(words),
        is_limited=not ROW_LIMITS.isdisjoint(words),
        is_locking="FOR" in words,
    )


def _check_closed(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.kind == "unterminated":
            raise StatementError(f"a quote or comment is never closed: {token.text[:60]!r}")


def _check_head(nodes: Sequence[Node]) -> None:
    if nodes[0].word == "EXPLAIN":
        nodes = _explained(nodes)
    head = nodes[0]
    while isinstance(head, Parens) and head.nodes:
        nodes = head.nodes
        head = nodes[0]
    if head.word not in READING:
        raise StatementError(f"wanted a statement that returns rows, such as SELECT, got {write_nodes(nodes)!r}")


def _explained(nodes: Sequence[Node]) -> Sequence[Node]:
    """Find the statement after EXPLAIN, which EXPLAIN ANALYZE executes."""
    start = 2 if [node.text for node in nodes[1:2]] == ["("] else 1
    options = list(takewhile(lambda node: node.word in ("ANALYZE", "VERBOSE", "QUERY", "PLAN"), nodes[start:]))
    rest = nodes[start + len(options) :]
    if not rest:
        raise StatementError(f"EXPLAIN of nothing: {write_nodes(nodes)!r}")
    return rest


def _check_changes_nothing(tokens: Sequence[Token]) -> None:
    for i, token in enumerate(tokens[1:], 1):
        if _changes(tokens[i - 1], token, tokens[i + 1 : i + 2]):
            found = write_nodes(tokens[max(i - 3, 0) : i + 3])
            raise StatementError(f"wanted a statement that only reads, got {token.word} in {found!r}")


def _changes(previous: Token, token: Token, following: Sequence[Token]) -> bool:
    if previous.text == "." or previous.word == "AS":
        return False
    if token.word == "INTO":  # of INSERT, MERGE or SELECT
        return True
    begins = previous.text in ("(", ")") and bool(following and following[0].identity)
    return begins and (token.word == "UPDATE" or (token.word == "DELETE" and following[0].word == "FROM"))


def _hidden_keys(sql: str) -> str:
    hidden = [token for token in tokenize(sql) if token.kind in ("string", "quoted", "comment", "unterminated")]
    kind = next((token.kind for token in hidden if ":keys" in token.text.lower()), None)
    return f" outside a {kind}" if kind else ""


def _column(left: Sequence[Token]) -> str | None:
    """Find the column that *left* ends with, when nothing else of the expression stands before it."""
    start = len(left) - 1
    while start >= 2 and left[start - 1].text == "." and left[start - 2].identity:
        start -= 2
    if start < 1 or not left[start].identity:
        return None
    before = left[start - 1]
    return unquote(left[-1].text) if before.text == "(" or before.word in _BEFORE_A_PREDICATE else None
