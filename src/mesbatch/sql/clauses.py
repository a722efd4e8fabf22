"""One SELECT, cut at the words that begin its clauses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mesbatch.sql.tokens import Token

SET_OPERATIONS = frozenset({"UNION", "INTERSECT", "EXCEPT", "MINUS"})
ROW_LIMITS = frozenset({"LIMIT", "OFFSET", "FETCH"})

_SELECT_CLAUSES = "SELECT FROM WHERE GROUP HAVING WINDOW QUALIFY ORDER FOR START CONNECT"
_CLAUSES = SET_OPERATIONS.union(ROW_LIMITS, _SELECT_CLAUSES.split())
_FOLLOWED_BY = {  # the second word, without which the first is an ordinary name
    "GROUP": {"BY"},
    "ORDER": {"BY", "SIBLINGS"},
    "START": {"WITH"},
    "CONNECT": {"BY"},
    "FETCH": {"FIRST", "NEXT"},
}
_BEFORE_A_NAME = frozenset({"SELECT", "DISTINCT", "WHERE", "ON", "AND", "OR", "NOT", "BY", "AS"})
_SUBQUERIES = frozenset({"SELECT", "WITH", "VALUES", "TABLE"})


@dataclass(frozen=True, slots=True)
class Clause:
    """What follows a clause's first word (and its BY), up to the next clause; *start* is the character of that word."""

    word: str
    start: int
    tokens: tuple[Token, ...]

    def contains(self, character: int) -> bool:
        return bool(self.tokens) and self.tokens[0].start <= character < self.tokens[-1].end


def split_clauses(tokens: Sequence[Token]) -> list[Clause]:
    """The clauses of the SELECT that *tokens* begin with, with its set operations and without the CTEs before it.

    *tokens* are the significant ones of a statement, or of the inside of one pair of parentheses. Empty when no SELECT
    stands there.
    """
    starts = [i for i, _ in enumerate(tokens) if _begins_clause(tokens, i)]
    selects = [i for i in starts if tokens[i].word == "SELECT"]
    starts = [i for i in starts if selects and i >= selects[0]]
    return [_cut(tokens, i, end) for i, end in zip(starts, [*starts[1:], len(tokens)])]


def split_list(tokens: Sequence[Token]) -> list[list[Token]]:
    """The items between the commas that stand at the depth of the first token.

    >>> from mesbatch.sql.tokens import significant_tokens
    >>> [len(item) for item in split_list(significant_tokens("a, f(b, c), 1"))]
    [1, 6, 1]
    """
    items: list[list[Token]] = [[]]
    for token in tokens:
        if token.text == "," and token.depth == tokens[0].depth:
            items.append([])
        else:
            items[-1].append(token)
    return items


def own_tokens(tokens: Sequence[Token]) -> list[Token]:
    """*tokens* without the insides of subqueries, whose parentheses stay."""
    inner = [range(i + 1, close) for i, close in _subqueries(tokens)]
    return [token for i, token in enumerate(tokens) if not any(i in inside for inside in inner)]


def subquery_tokens(tokens: Sequence[Token]) -> list[Token]:
    """What `own_tokens` leaves out."""
    return [token for i, close in _subqueries(tokens) for token in tokens[i + 1 : close]]


def closing(tokens: Sequence[Token], opening: int) -> int:
    """The position of the parenthesis that closes the one at *opening*; the length when there is none."""
    depth = tokens[opening].depth
    for i in range(opening + 1, len(tokens)):
        if tokens[i].depth == depth and tokens[i].text in (")", "]"):
            return i
    return len(tokens)


def is_subquery(tokens: Sequence[Token], opening: int) -> bool:
    """Whether the parenthesis at *opening* holds a query, not an expression."""
    rest = tokens[opening + 1 : opening + 2]
    return tokens[opening].text == "(" and bool(rest) and rest[0].word in _SUBQUERIES


def column_name(tokens: Sequence[Token]) -> tuple[str, ...]:
    """The identities of a column reference, the last one the column's own; empty when *tokens* are anything else.

    >>> from mesbatch.sql.tokens import significant_tokens
    >>> column_name(significant_tokens('e."Lot"')), column_name(significant_tokens("upper(lot)"))
    (('E', '"Lot"'), ())
    """
    names = [token.identity for token in tokens[::2]]
    dots = [token.text for token in tokens[1::2]]
    plain = all(names) and all(dot == "." for dot in dots) and len(names) == len(dots) + 1
    return tuple(names) if plain else ()


def _subqueries(tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    end = 0
    for i in range(len(tokens)):
        if i >= end and is_subquery(tokens, i):
            end = closing(tokens, i)
            yield i, end


def _begins_clause(tokens: Sequence[Token], i: int) -> bool:
    token = tokens[i]
    word = token.word
    if token.depth != tokens[0].depth or word not in _CLAUSES or (i and _takes_a_name(tokens[i - 1])):
        return False
    following = tokens[i + 1].word if i + 1 < len(tokens) else ""
    if word == "FROM" and i:
        return tokens[i - 1].word != "DISTINCT" and not _is_from_last(tokens, i, following)
    if word == "WINDOW":
        return [token.word for token in tokens[i + 2 : i + 3]] == ["AS"]
    return word not in _FOLLOWED_BY or following in _FOLLOWED_BY[word]


def _takes_a_name(previous: Token) -> bool:
    operator = previous.kind == "operator" and previous.text != "*"
    return operator or previous.text in (",", ".") or previous.word in _BEFORE_A_NAME


def _is_from_last(tokens: Sequence[Token], i: int, following: str) -> bool:
    return tokens[i - 1].text == ")" and following in ("FIRST", "LAST")  # nth_value(x, 2) FROM LAST OVER (...)


def _cut(tokens: Sequence[Token], start: int, end: int) -> Clause:
    head = tokens[start]
    by = [i for i in range(start + 1, min(start + 3, end)) if tokens[i].word == "BY"]
    first = by[0] + 1 if head.word in ("GROUP", "ORDER", "CONNECT") and by else start + 1
    return Clause(head.word, head.start, tuple(tokens[first:end]))
