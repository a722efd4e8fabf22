"""Text that databases read in different ways, and words that answer differently each time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mesbatch.sql.doubt import Doubt
from mesbatch.sql.functions import VOLATILE_FUNCTIONS, VOLATILE_NAMES
from mesbatch.sql.tokens import Token, unquote
from mesbatch.sql.tree import Node, Parens, levels

# A nested comment, one that ends at a carriage return somewhere, one that MySQL runs.
_UNCLEAR_COMMENT = r"/\*.*/\*|--.*\r(?!\n)|/\*M?!"
# MySQL ends 'x\\' elsewhere; SQLite reads q'..' and e'..' as a name and a string, and $$ as a name.
_UNCLEAR_STRING = r"(?:'|[nNeE]').*\\'|[nN]?[qQ]'.*'.*'|\$.*['\"]"
_JSON_OPERATORS = (">", "-", "#", "=")  # after a hash, which begins a comment for MySQL


def check_clear(tokens: Sequence[Token]) -> None:
    """Raise `Doubt` where databases disagree on the end of a comment, a string or a name.

    A string of one database may have a clause for another.
    """
    escapes = False
    for token, following in zip(tokens, [*tokens[1:], None]):
        if token.kind == "comment" and re.match(_UNCLEAR_COMMENT, token.text, re.DOTALL):
            raise Doubt("databases disagree on where this comment ends", [token])
        if token.kind == "string" and re.match(_UNCLEAR_STRING, token.text, re.DOTALL) and not escapes:
            raise Doubt("databases disagree on where this string ends", [token])
        if token.text[0] == "[" and (token.text.count("'") % 2 or token.text.count('"') % 2):  # DuckDB: a list
            raise Doubt("databases disagree on where this name ends", [token])
        if _is_unclear_operator(token, following):
            raise Doubt("databases disagree on what follows", [token])
        escapes = token.word == "ESCAPE" or (escapes and token.kind == "space")  # ESCAPE '\\' stands in many statements


def check_stable(root: Parens) -> None:
    """Raise `Doubt` for a function or a sample that gives another answer each time."""
    for level in levels([root]):
        for node, following in zip(level, [*level[1:], None]):
            if node.word in VOLATILE_NAMES or node.word == "TABLESAMPLE" or node.text == ":=":
                raise Doubt("answers differently each time", [node])
            if following is not None and following.text == "(" and node.identity and _is_volatile(node):
                raise Doubt("answers differently each time", [node, following])


def _is_volatile(node: Node) -> bool:
    return node.word == "SAMPLE" or unquote(node.text).upper() in VOLATILE_FUNCTIONS


def _is_unclear_operator(token: Token, following: Token | None) -> bool:
    """Tell whether *token* may begin a comment of MySQL (a hash) or a name with escapes of PostgreSQL (``U&"..."``)."""
    if token.text == "#" and token.kind == "operator":
        return following is None or following.text not in _JSON_OPERATORS
    return token.word == "U" and following is not None and following.text == "&"
