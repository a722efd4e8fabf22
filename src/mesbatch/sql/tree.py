"""SQL as a tree: tokens, and pairs of parentheses with the nodes between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from mesbatch.errors import StatementError
from mesbatch.sql.tokens import Token

MAX_DEPTH = 1_000  # SQLite's own limit for an expression; statements that people write stay below 50

_CLOSING = {"(": ")", "[": "]"}
_QUERIES = frozenset({"SELECT", "WITH", "VALUES", "TABLE"})


@dataclass(eq=False, slots=True)
class Parens:
    """A pair of parentheses or brackets and the nodes between them; the root of a statement has no *opening*.

    *text*, *kind*, *word* and *identity* are there so that a node can be asked like a token.
    """

    opening: Token | None
    parent: Parens | None
    nodes: list[Node] = field(default_factory=list)
    closing: Token | None = None
    kind: str = "parens"
    word: str = ""
    identity: str = ""

    @property
    def text(self) -> str:
        return self.opening.text if self.opening else ""

    @property
    def start(self) -> int:
        return self.opening.start if self.opening else -1

    @property
    def end(self) -> int:
        last = self.closing or (self.nodes[-1] if self.nodes else self.opening)
        return last.end if last else 0

    @property
    def is_query(self) -> bool:
        """True when a query stands between the parentheses, not an expression or a list."""
        return self.text == "(" and bool(self.nodes) and self.nodes[0].word in _QUERIES


Node = Token | Parens


def read_tree(tokens: Iterable[Token]) -> Parens:
    """Read significant *tokens* as the root of a tree.

    Raises:
        StatementError: parentheses do not pair, or are nested more than a thousand deep.

    >>> from mesbatch.sql.tokens import significant_tokens
    >>> [node.text for node in read_tree(significant_tokens("a in (b, c)")).nodes]
    ['a', 'in', '(']
    """
    root = Parens(None, None)
    parens = root
    for token in tokens:
        if token.kind != "punctuation" or token.text not in "()[]":
            parens.nodes.append(token)
        elif token.text in _CLOSING:
            if token.depth >= MAX_DEPTH:
                raise StatementError(f"parentheses are nested more than {MAX_DEPTH:,} deep")
            inner = Parens(token, parens)
            parens.nodes.append(inner)
            parens = inner
        elif parens.parent is None or token.text != _CLOSING[parens.text]:
            raise StatementError(f"the statement closes {token.text!r} at character {token.start} without opening it")
        else:
            parens.closing = token
            parens = parens.parent
    if parens is not root:
        raise StatementError(f"the statement opens {parens.text!r} at character {parens.start} and never closes it")
    return root


def query_around(root: Parens, character: int) -> Parens:
    """Find the innermost query around the parenthesis that opens at *character*."""
    parens = root
    while parens.start != character:
        parens = next(node for node in parens.nodes if isinstance(node, Parens) and node.start <= character < node.end)
    return enclosing_query(parens.parent or root)


def enclosing_query(parens: Parens) -> Parens:
    """Go up from *parens* to a query, or to the root."""
    while parens.parent is not None and not parens.is_query:
        parens = parens.parent
    return parens


def split_list(nodes: Sequence[Node]) -> list[list[Node]]:
    """Cut *nodes* into the items between their commas.

    >>> from mesbatch.sql.tokens import significant_tokens
    >>> [len(item) for item in split_list(read_tree(significant_tokens("a, f(b, c), 1")).nodes)]
    [1, 2, 1]
    """
    items: list[list[Node]] = [[]]
    for node in nodes:
        if node.text == "," and node.kind == "punctuation":
            items.append([])
        else:
            items[-1].append(node)
    return items


def levels(nodes: Sequence[Node], *, with_queries: bool = True) -> Iterator[Sequence[Node]]:
    """Iterate over *nodes* and the nodes between each pair of parentheses in them, outer ones first.

    Without *with_queries*, subqueries stay closed.
    """
    waiting = [nodes]
    while waiting:
        level = waiting.pop()
        yield level
        inner = [node for node in level if isinstance(node, Parens) and (with_queries or not node.is_query)]
        waiting.extend(parens.nodes for parens in reversed(inner))


def tokens_of(nodes: Iterable[Node]) -> Iterator[Token]:
    """Iterate over all tokens of *nodes* in the order of the text, parentheses among them."""
    waiting: list[Iterator[Node]] = [iter(nodes)]
    while waiting:
        node = next(waiting[-1], None)
        if node is None:
            waiting.pop()
        elif isinstance(node, Token):
            yield node
        else:
            if node.opening:
                yield node.opening
            waiting.append(iter([*node.nodes, *([node.closing] if node.closing else [])]))


def write_nodes(nodes: Iterable[Node], limit: int = 60) -> str:
    """Write *nodes* for a message, at most about *limit* characters."""
    text = ""
    end = None
    for token in islice(tokens_of(nodes), limit + 1):
        text += " " if end is not None and end < token.start else ""
        text += token.text
        end = token.end
    return text if len(text) <= limit else f"{text[:limit]}..."
