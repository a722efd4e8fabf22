"""Names in SQL: spellings that are the same name in every database, and spellings that could be in some."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mesbatch.sql.tokens import unquote
from mesbatch.sql.tree import Node, tokens_of

LONGEST_NAME = 63  # bytes; PostgreSQL cuts longer ones

_WORD = r"\w+"

# PostgreSQL names an output after its function or type; these are the names that do not stand in the statement's text.
_MADE_UP_NAMES = frozenset(
    {"bool", "bpchar", "btrim", "ltrim", "rtrim", "date_part", "float4", "float8", "int2", "int4", "int8", "interval"}
    | {"like_escape", "numeric", "overlaps", "timezone", "time", "timestamp", "timestamptz", "timetz", "varbit"}
    | {"varchar", "xmlconcat"}
)
_PSEUDO_COLUMNS = frozenset({"rowid", "_rowid_", "oid", "ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"})


class Name(NamedTuple):
    """A name as it is written, compared in two ways.

    Two names of the same *exact* are one in every database: PostgreSQL folds unquoted names to lower case, Oracle to
    upper case, SQLite compares quoted ones, too, without case. Two of the same *loose* are one in some database.
    """

    exact: str
    loose: str

    @property
    def is_pseudo_column(self) -> bool:
        """True for the name of a column that ``*`` leaves out, such as ROWID."""
        return self.loose in _PSEUDO_COLUMNS

    @property
    def is_word(self) -> bool:
        return re.fullmatch(_WORD, self.loose) is not None

    @property
    def text(self) -> str:
        """The name for a message, without quotes."""
        return self.exact.strip('"')


Path = tuple[Name, ...]
"""A name with its qualifiers before it: ``h.lot``."""


def read_name(node: Node) -> Name | None:
    """Read *node* as a name; None for anything else.

    A string counts as the quoted name that SQLite and MySQL take it for in some places.
    """
    if node.identity:
        return Name(node.identity, fold(unquote(node.text)))
    if node.kind == "string" and node.text[0] == "'":
        text = node.text[1:-1].replace("''", "'")
        return Name(f'"{text}"', fold(text))
    return None


def fold(name: str) -> str:
    """Reduce *name* so that all names which some database takes for the same become equal.

    >>> fold("Lot") == fold("LOT")
    True
    """
    kept = name.encode(errors="surrogatepass")[:LONGEST_NAME].decode(errors="ignore")
    return kept.upper().casefold()


def read_path(nodes: Sequence[Node]) -> Path:
    """Read *nodes* as a name with qualifiers; empty when they are anything else.

    >>> from mesbatch.sql.tokens import significant_tokens
    >>> [name.exact for name in read_path(significant_tokens('e."Lot"'))]
    ['E', '"Lot"']
    >>> read_path(significant_tokens("upper(lot)"))
    ()
    """
    if len(nodes) % 2 == 0 or any(node.text != "." for node in nodes[1::2]):
        return ()
    names = [read_name(node) for node in nodes[::2] if node.identity]
    return tuple(name for name in names if name) if len(names) == len(nodes[::2]) else ()


def exact_path(path: Iterable[Name]) -> tuple[str, ...]:
    """List the *exact* form of each name of *path*."""
    return tuple(name.exact for name in path)


def possible_names(expression: Iterable[Node]) -> frozenset[str]:
    """List the names, folded, that a database may give to an output without a name: words of its text, or made up.

    Names that are no words come on top: SQLite and Oracle take the text itself.
    """
    words = (fold(word) for token in tokens_of(expression) for word in re.findall(_WORD, token.text))
    return _MADE_UP_NAMES.union(words)
